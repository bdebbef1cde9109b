//! What stands in two languages, read from the sources: each pair says the same thing, and
//! what a person reads is such a pair.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support;

/// A text in English and in French, and where it stands.
struct Pair {
    place: String,
    en: String,
    fr: String,
}

/// The Rust sources of a folder, without their tests.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            found.push((path.display().to_string(), code.to_owned()));
        }
    }
}

fn of(crates: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for name in crates {
        sources(&support::project().join(name).join("src"), &mut found);
    }
    found
}

/// The string literal that a piece of code begins with, as it is written but in one line,
/// and what follows it.
fn literal(code: &str) -> Option<(String, &str)> {
    let rest = code.trim_start().strip_prefix('"')?;
    let (mut text, mut escaped) = (String::new(), false);
    for (at, character) in rest.char_indices() {
        match character {
            '"' if !escaped => return Some((joined(&text), &rest[at + 1..])),
            _ => text.push(character),
        }
        escaped = character == '\\' && !escaped;
    }
    None
}

/// Without the line ends that a backslash hides.
fn joined(text: &str) -> String {
    let mut parts = text.split("\\\n");
    let mut line = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| line.push_str(part.trim_start()));
    line
}

/// What follows each place where a piece of code stands that is no part of another word.
fn after<'a>(code: &'a str, words: &'a str) -> impl Iterator<Item = &'a str> {
    code.match_indices(words).filter_map(move |(at, _)| {
        let before = code[..at].chars().next_back();
        let whole = before.is_none_or(|one| !one.is_alphanumeric() && one != '_');
        whole.then(|| &code[at + words.len()..])
    })
}

fn pairs() -> Vec<Pair> {
    let mut found = Vec::new();
    for (place, code) in of(&["terms", "report", "xtask"]) {
        let calls = ["tr!(", "both("];
        for rest in calls.iter().flat_map(|call| after(&code, call)) {
            let Some((en, rest)) = literal(rest) else {
                continue;
            };
            let rest = rest.trim_start().strip_prefix(',');
            let (fr, _) = rest
                .and_then(literal)
                .unwrap_or_else(|| panic!("{place}: {en}"));
            let place = place.clone();
            found.push(Pair { place, en, fr });
        }
    }
    assert!(found.len() > 500, "only {} pairs were found", found.len());
    found
}

/// The names between braces, without how they are written, and without the `s` of a
/// plural, which the languages have at different counts and words.
fn placeholders(text: &str) -> BTreeSet<String> {
    let text = text.replace("{{", "").replace("}}", "");
    let inside = text.split('{').skip(1);
    let names = inside.filter_map(|rest| rest.split(['}', ':']).next());
    names
        .filter(|name| *name != "s")
        .map(str::to_owned)
        .collect()
}

/// The commands and options that a text names.
fn typed(text: &str) -> BTreeSet<String> {
    let apart =
        |one: char| one.is_whitespace() || ['`', ';', ':', ',', '.', '(', ')'].contains(&one);
    let words: Vec<&str> = text.split(apart).collect();
    let commands = words
        .windows(3)
        .filter(|three| three[..2] == ["cargo", "xtask"]);
    let options = words.iter().filter(|word| word.starts_with("--"));
    commands
        .map(|three| three[2])
        .chain(options.copied())
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_pair_has_two_equal_texts() {
    let equal: Vec<String> = pairs()
        .into_iter()
        .filter(|pair| pair.en == pair.fr)
        .map(|pair| {
            format!(
                "{}: {}: say it by Both::same or format!",
                pair.place, pair.en
            )
        })
        .collect();
    assert_eq!(equal, [""; 0]);
}

#[test]
fn both_texts_of_a_pair_name_the_same_things() {
    let different: Vec<String> = pairs()
        .into_iter()
        .filter(|pair| {
            placeholders(&pair.en) != placeholders(&pair.fr) || typed(&pair.en) != typed(&pair.fr)
        })
        .map(|pair| format!("{}: {} / {}", pair.place, pair.en, pair.fr))
        .collect();
    assert_eq!(different, [""; 0]);
}

/// A space before `:`, `;`, `?` and `!`, and inside « ».
/// The guide and the programs have one word for a write that was promised to be kept.
#[test]
fn an_acknowledged_write_is_called_acquittee_in_french() {
    let mut french: Vec<(String, String)> = pairs()
        .into_iter()
        .map(|pair| (pair.place, pair.fr))
        .collect();
    sources(
        &support::project().join("xtask/src/commands/guide"),
        &mut french,
    );
    let guide = fs::read_dir(support::project().join("docs/atelier")).unwrap();
    let pages = guide.map(|entry| entry.unwrap().path());
    let pages = pages.chain([support::project().join("README.fr.md")]);
    for page in pages.filter(|path| path.extension().is_some_and(|kind| kind == "md")) {
        french.push((
            page.display().to_string(),
            fs::read_to_string(&page).unwrap(),
        ));
    }
    for (place, text) in &french {
        assert!(!text.contains("confirmé"), "{place}: {text}");
    }
}

#[test]
fn french_texts_keep_the_spaces_of_french() {
    let wrong: Vec<String> = pairs()
        .into_iter()
        .filter(|pair| !is_spaced(&pair.fr))
        .map(|pair| format!("{}: {}", pair.place, pair.fr))
        .collect();
    assert_eq!(wrong, [""; 0]);
}

fn is_spaced(text: &str) -> bool {
    let characters: Vec<char> = text.replace("\\n", "\n").chars().collect();
    (0..characters.len()).all(|at| {
        let before = at.checked_sub(1).map(|at| characters[at]);
        let next = characters.get(at + 1).copied();
        let ends = next.is_none_or(char::is_whitespace);
        match characters[at] {
            // What is typed (`unset A;`, `http://`) has none before it.
            ':' | ';' | '?' | '!' if ends => before.is_none_or(char::is_whitespace),
            '«' => next == Some(' '),
            '»' => before == Some(' '),
            _ => true,
        }
    })
}

#[test]
fn a_missing_space_and_a_missing_name_are_told() {
    assert!(is_spaced("quoi ? « rien » : http://localhost:8080",),);
    assert!(!is_spaced("attention: rien") && !is_spaced("« rien»"));
    assert_ne!(placeholders("{a} {b:?}"), placeholders("{a}"));
    assert_eq!(placeholders("{{}} {b:.1}"), placeholders("{b}"));
    assert_ne!(
        typed("`cargo xtask undo --plan`"),
        typed("`cargo xtask undo`")
    );
    let (text, rest) = literal(" \"a \\\"b\\\" \\\n   c\", d").unwrap();
    assert_eq!((text.as_str(), rest), ("a \\\"b\\\" c", ", d"));
}

/// What is printed, asked and refused. Not translated are what only developers type, and the
/// log of the supervisor.
#[test]
fn what_a_person_reads_stands_in_both_languages() {
    let calls = [
        "say(",
        "warn(",
        "step(",
        "done(",
        "found(",
        "confirm(",
        "usage(",
        "preflight(",
        "promise(",
        "tool(",
        "timeout(",
        "next(",
        "refuse(",
        "refused(",
        "let next = ",
    ];
    let developers = [
        "bench",
        "faults",
        "guide",
        "/test.rs",
        "engine/k3d/conntrack",
    ];
    // What a failure was on the way to, or why, of which a person reads it in a scenario.
    let reasons = ["context(", "bail!(", "anyhow!("];
    let mut single = Vec::new();
    let mut read = 0;
    for (place, code) in of(&["xtask"]) {
        if developers.iter().any(|part| place.contains(part)) {
            continue;
        }
        let scenarios = ["src/scenario/", "kube/replicas", "kube/witness"];
        let reasons = match scenarios.iter().any(|part| place.contains(part)) {
            true => &reasons[..],
            false => &[],
        };
        for rest in calls
            .iter()
            .chain(reasons)
            .flat_map(|call| after(&code, call))
        {
            read += 1;
            let rest = rest.trim_start().trim_start_matches('&');
            let rest = rest.strip_prefix("format!(").unwrap_or(rest);
            let Some((text, _)) = literal(rest) else {
                continue;
            };
            if is_sentence(&text) {
                single.push(format!("{place}: {text}"));
            }
        }
    }
    assert!(read > 500, "only {read} calls were read");
    assert_eq!(single, [""; 0]);
}

#[test]
fn english_after_a_command_is_told() {
    for said in [
        "cargo xtask gameday hint; cargo xtask gameday done ends it",
        "fuser -v {lock} shows it; kill it, then cargo xtask local stop",
        "cargo xtask setup, or k3d cluster delete pra",
        "try it by hand: {cmd}",
        "name another file",
    ] {
        assert!(is_sentence(said), "{said}");
    }
    for typed in [
        "cargo xtask scenario --list; cargo xtask scenario NAME --dry-run",
        "rm {} && cargo xtask status",
    ] {
        assert!(!is_sentence(typed), "{typed}");
    }
}

/// Words of a language, beside what is typed and what is filled in.
fn is_sentence(text: &str) -> bool {
    // A command is followed by what it does, or by another way.
    let joining = ["and", "ends", "it", "of", "or", "the", "then", "which"];
    if text.split_whitespace().any(|word| joining.contains(&word)) {
        return true;
    }
    let typed = [
        "cargo ", "docker ", "k3d ", "kubectl ", "git ", "packer ", "rm ", "sudo ", "... ", "{",
    ];
    if typed.iter().any(|program| text.starts_with(program)) && !text.contains(", ") {
        return false;
    }
    let words = text.split_whitespace();
    let lower = |word: &&str| word.len() > 2 && word.chars().all(|one| one.is_ascii_lowercase());
    words.filter(lower).count() > 1
}
