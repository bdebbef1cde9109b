//! The module graph of a crate, read from its sources: every path that a file
//! names, in `use` and in between, leads to the file that it ends in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each file, by its module's path, and the files that it names.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// The texts of a crate's files, by the paths of their modules.
pub fn sources(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    collect(root, "", &mut found);
    found
}

fn collect(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = format!("{prefix}{stem}");
        if path.is_dir() {
            collect(&path, &format!("{name}::"), found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let of_folder = prefix.trim_end_matches("::").to_owned();
            let module = if stem == "mod" { of_folder } else { name };
            found.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The graph of those texts, without what only tests name.
pub fn of_sources(texts: &BTreeMap<String, String>) -> Graph {
    let mut codes: BTreeMap<&str, String> = BTreeMap::new();
    let mut of_tests = BTreeSet::new();
    for (module, text) in texts {
        let (code, declared) = without_tests(&without_words(text));
        codes.insert(module, code);
        of_tests.extend(declared.iter().map(|child| join(module, child)));
    }
    codes.retain(|module, _| !of_tests.contains(*module));
    let known: BTreeSet<&str> = codes.keys().copied().collect();
    let named = |module: &str, code: &str| -> BTreeSet<String> {
        let paths = paths(code).into_iter();
        let files = paths.filter_map(|path| file_of(module, &path, &known));
        files.filter(|file| file != module).collect()
    };
    let files = codes.iter();
    files
        .map(|(module, code)| ((*module).to_owned(), named(module, code)))
        .collect()
}

/// The same graph between top-level modules.
pub fn folded(graph: &Graph) -> Graph {
    let mut folds = Graph::new();
    for (file, names) in graph {
        let from = top(file);
        let to = names.iter().map(|name| top(name)).filter(|to| *to != from);
        let fold = folds.entry(from.to_owned()).or_default();
        fold.extend(to.map(str::to_owned));
    }
    folds
}

/// One circle of the graph, as the path that leads around it.
pub fn circle(graph: &Graph) -> Option<String> {
    let mut done = BTreeSet::new();
    graph
        .keys()
        .find_map(|from| search(graph, from, &mut Vec::new(), &mut done))
}

fn search<'a>(
    graph: &'a Graph,
    at: &'a str,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<String> {
    if let Some(start) = way.iter().position(|one| *one == at) {
        return Some([&way[start..], &[at]].concat().join(" → "));
    }
    if done.contains(at) {
        return None;
    }
    way.push(at);
    let mut next = graph.get(at).into_iter().flatten();
    let found = next.find_map(|next| search(graph, next, way, done));
    way.pop();
    done.insert(at);
    found
}

/// The arrows that do not lead to a lower layer, in words.
pub fn upward(graph: &Graph, layers: &[&[&str]]) -> Vec<String> {
    let layer = |file: &str| layers.iter().position(|layer| layer.contains(&top(file)));
    let arrows = graph
        .iter()
        .flat_map(|(from, names)| names.iter().map(move |to| (from, to)));
    let wrong = arrows.filter(|(from, to)| top(from) != top(to) && layer(from) <= layer(to));
    wrong
        .map(|(from, to)| format!("{from} names {to}"))
        .collect()
}

/// Top-level modules without a layer, and names in layers without a module.
pub fn unplaced(graph: &Graph, layers: &[&[&str]]) -> Vec<String> {
    let modules: BTreeSet<&str> = graph.keys().map(|file| top(file)).collect();
    let placed: BTreeSet<&str> = layers.concat().into_iter().collect();
    let apart = modules.symmetric_difference(&placed);
    apart.map(|module| (*module).to_owned()).collect()
}

fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or(module)
}

fn join(module: &str, child: &str) -> String {
    match module {
        "main" => child.to_owned(),
        _ => format!("{module}::{child}"),
    }
}

/// Code without comments, and with nothing in its strings and characters.
fn without_words(text: &str) -> String {
    let mut rest = text;
    let mut code = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let word = word_length(rest, code.chars().next_back());
        match word {
            Some(length) => rest = &rest[length..],
            None => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    code
}

/// How long the comment, string or character is that the text begins with.
fn word_length(text: &str, before: Option<char>) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(comment_length(text));
    }
    if let Some(quoted) = text.strip_prefix('"') {
        return Some(1 + quoted_length(quoted, '"'));
    }
    if text.starts_with("'\\") || text.starts_with('\'') && text.chars().nth(2) == Some('\'') {
        return Some(1 + quoted_length(&text[1..], '\''));
    }
    let marks = text.strip_prefix('r')?;
    let hashes = marks.len() - marks.trim_start_matches('#').len();
    let in_name = before.is_some_and(|one| one.is_alphanumeric() && one != 'b' || one == '_');
    if in_name || !marks[hashes..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", &marks[..hashes]);
    let content = &marks[hashes + 1..];
    let length = content.find(&end).unwrap_or(content.len() - end.len());
    Some(1 + hashes + 1 + length + end.len())
}

/// Comments nest.
fn comment_length(text: &str) -> usize {
    let mut depth = 0;
    for (at, _) in text.char_indices() {
        if text[at..].starts_with("/*") {
            depth += 1;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            if depth == 0 {
                return at + 2;
            }
        }
    }
    text.len()
}

fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, one) in text.char_indices() {
        if one == quote && !escaped {
            return at + 1;
        }
        escaped = one == '\\' && !escaped;
    }
    text.len()
}

/// Code without its items for tests alone, and the child modules among them
/// that are files.
fn without_tests(code: &str) -> (String, Vec<String>) {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::new();
    let mut files = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        kept.push_str(&rest[..at]);
        let item = &rest[at + MARK.len()..];
        let length = item_length(item);
        if let Some((_, named)) = item[..length].rsplit_once("mod ") {
            files.extend(named.strip_suffix(';').map(str::to_owned));
        }
        rest = &item[length..];
    }
    kept.push_str(rest);
    (kept, files)
}

/// To the semicolon, or to the brace that closes the first one.
fn item_length(item: &str) -> usize {
    let mut depth = 0;
    for (at, one) in item.char_indices() {
        match one {
            ';' if depth == 0 => return at + 1,
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    item.len()
}

/// Every path of more than one name, those in braces each on its own.
fn paths(code: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = match is_name(&tokens[at]) {
            true => path(&tokens, at, &[], &mut found),
            false => at + 1,
        };
    }
    found.retain(|path| path.len() > 1);
    found
}

/// Reads one path, or a tree of them; returns where it ends.
fn path(tokens: &[String], at: usize, above: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = above.to_vec();
    let mut at = at;
    while at < tokens.len() && is_name(&tokens[at]) {
        path.push(tokens[at].clone());
        at += 1;
        if tokens.get(at).is_none_or(|token| token != "::") {
            break;
        }
        at += 1;
    }
    let opens = at > 0 && tokens[at - 1] == "::" && tokens.get(at).is_some_and(|one| one == "{");
    if !opens {
        found.push(path);
        return at;
    }
    at += 1;
    while tokens.get(at).is_some_and(|token| token != "}") {
        at = match is_name(&tokens[at]) {
            true => self::path(tokens, at, &path, found),
            false => at + 1,
        };
        // Another name than its own.
        if tokens.get(at).is_some_and(|token| token == "as") {
            at += 2;
        }
    }
    at + 1
}

/// Also `*`, which names everything.
fn is_name(token: &str) -> bool {
    let begins = |first: char| first.is_alphabetic() || "_*".contains(first);
    token.starts_with(begins) && token != "as"
}

/// Names, `::` and single characters.
fn tokens(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let in_name = |one: char| one.is_alphanumeric() || one == '_';
        let length = match first {
            ':' if rest.starts_with("::") => 2,
            _ if in_name(first) => rest.find(|one| !in_name(one)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        found.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    found
}

/// The file that a path leads to, where that is one of the crate.
fn file_of(module: &str, path: &[String], known: &BTreeSet<&str>) -> Option<String> {
    let mut place: Vec<&str> = module.split("::").filter(|one| *one != "main").collect();
    let mut names = path.iter().map(String::as_str).peekable();
    match *names.peek()? {
        "crate" => place.clear(),
        "self" | "super" => {}
        child if known.contains(join(module, child).as_str()) => {}
        _ => return None,
    }
    for name in names {
        match name {
            "crate" | "self" => {}
            "super" => drop(place.pop()),
            name => place.push(name),
        }
    }
    while !place.is_empty() && !known.contains(place.join("::").as_str()) {
        place.pop();
    }
    let file = if place.is_empty() {
        "main".to_owned()
    } else {
        place.join("::")
    };
    known.contains(file.as_str()).then_some(file)
}
