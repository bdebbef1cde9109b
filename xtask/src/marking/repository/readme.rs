//! The texts of the work: what is there, in words and pictures. How good it is, is for
//! a person to say.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::git::git;
use super::layout::Layout;
use crate::exec::Exec;

/// What the README has, beside the workshop's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Readme {
    pub path: Option<String>,
    /// Words of lines that the workshop's README does not have.
    pub own_words: usize,
    /// The same in the other texts.
    pub other_words: usize,
    pub headings: usize,
    pub code_blocks: usize,
    pub pictures: usize,
    /// Links and pictures that lead to no file of the repository.
    pub broken: Vec<String>,
    /// Words of one's own under each exercise, by its number.
    pub answers: Vec<(u8, usize)>,
    /// Lines with a figure of seconds or minutes in the answer to the third.
    pub figures: Vec<String>,
    /// Words of one's own about choosing a restore point.
    pub runbook_words: usize,
    /// Commands in that part.
    pub runbook_commands: usize,
    /// Placeholders of the workshop that were not replaced.
    pub left_open: usize,
}

/// The parts of a README that the schemes ask for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Exercise(u8),
    Runbook,
    Other,
}

/// Reads the README beside the one that the workshop came with, `original`; further
/// texts (`docs/`, a runbook) count for the answers as well.
pub fn read(layout: &Layout, original: &str) -> Readme {
    let Some(readme) = layout.readme() else {
        return Readme::default();
    };
    let theirs: BTreeSet<&str> = original.lines().map(str::trim).collect();
    let mut read = Readme {
        path: Some(readme.path.clone()),
        ..Readme::default()
    };
    let others = layout.texts.iter().filter(|text| {
        let lower = text.path.to_lowercase();
        let beside = ["tests", "test", ".github", "node_modules"];
        let beside = lower.split('/').any(|part| beside.contains(&part));
        lower.ends_with(".md") && text.path != readme.path && !beside
    });
    for (main, text) in std::iter::once((true, readme)).chain(others.map(|text| (false, text))) {
        let words = parts(&text.text, &theirs, &mut read);
        if main {
            read.own_words = words;
        } else {
            read.other_words += words;
        }
        if main {
            shape(&text.text, layout, &mut read);
        }
    }
    read.answers.sort_unstable();
    read
}

/// The README as it was at a commit; `None` where there was none.
pub fn at(exec: &Exec, copy: &Path, commit: &str) -> Option<String> {
    let names = ["README.md", "Readme.md", "readme.md"];
    names.into_iter().find_map(|name| {
        let shown = exec.probe(&git(copy, ["show", &format!("{commit}:{name}")]));
        let shown = shown.ok().filter(|shown| shown.status.success())?;
        Some(shown.stdout)
    })
}

/// What stands under which heading, in lines of one's own.
fn parts(text: &str, theirs: &BTreeSet<&str>, read: &mut Readme) -> usize {
    let (mut part, mut code, mut own) = (Part::Other, false, 0);
    for line in text.lines().map(str::trim) {
        let fence = line.starts_with("```");
        if fence {
            code = !code;
        }
        if !code && !fence {
            part = part_of(line).unwrap_or(part);
        }
        if theirs.contains(line) || line.is_empty() || fence {
            continue;
        }
        let words = words(line);
        own += words;
        match part {
            Part::Exercise(number) => answer(read, number, line, words),
            Part::Runbook if code => read.runbook_commands += 1,
            Part::Runbook => read.runbook_words += words,
            Part::Other => {}
        }
    }
    own
}

fn answer(read: &mut Readme, number: u8, line: &str, words: usize) {
    if part_of(line).is_some() {
        return;
    }
    match read.answers.iter_mut().find(|(known, _)| *known == number) {
        Some((_, sum)) => *sum += words,
        None => read.answers.push((number, words)),
    }
    let digit = line.chars().any(|c| c.is_ascii_digit());
    let lower = line.to_lowercase();
    let unit = lower.split(|c: char| !c.is_alphanumeric()).any(|word| {
        ["s", "sec", "min", "ms"].contains(&word)
            || word.starts_with("second")
            || word.starts_with("minute")
    });
    if number == 3 && digit && unit && read.figures.len() < 8 {
        read.figures.push(line.chars().take(160).collect());
    }
}

/// The part that a heading begins: `**Exercice 3 :**`, `## Exercise 3`, `Atelier 2`.
fn part_of(line: &str) -> Option<Part> {
    let lower = line.to_lowercase();
    let bare = lower.trim_start_matches(['#', '*', ' ', '-', '_', '>']);
    let heading = line.starts_with('#') || line.starts_with("**");
    for word in ["exercice", "exercise", "question"] {
        if let Some(rest) = bare.strip_prefix(word) {
            let rest = rest.trim_start_matches([' ', 'n', '°', 'º']);
            let number = rest.chars().next()?.to_digit(10)?;
            return (heading && (1..=5).contains(&number)).then_some(Part::Exercise(number as u8));
        }
    }
    let about = [
        "atelier 2",
        "point de restauration",
        "restore point",
        "runbook",
    ];
    if heading && about.iter().any(|word| lower.contains(word)) {
        return Some(Part::Runbook);
    }
    line.starts_with('#').then_some(Part::Other)
}

fn shape(text: &str, layout: &Layout, read: &mut Readme) {
    let folder = read.path.as_deref().and_then(|path| path.rsplit_once('/'));
    let folder = folder.map(|(folder, _)| folder).unwrap_or_default();
    read.code_blocks = text
        .lines()
        .filter(|line| line.trim().starts_with("```"))
        .count()
        / 2;
    read.headings = text.lines().filter(|line| line.starts_with('#')).count();
    read.pictures = text.matches("![").count() + text.matches("<img").count();
    read.left_open = text.matches("*..").count();
    for target in targets(text) {
        let path = target.split(['#', '?']).next().unwrap_or_default();
        let local = !path.is_empty() && !path.contains(':') && !path.contains("...");
        let path = path.trim_start_matches("./").trim_end_matches('/');
        let full = match folder {
            "" => path.to_owned(),
            folder => format!("{folder}/{path}"),
        };
        let there = |file: &String| *file == full || file.starts_with(&format!("{full}/"));
        if local && !layout.files.iter().any(there) && !read.broken.contains(&full) {
            read.broken.push(full);
        }
    }
    read.broken.truncate(10);
}

/// Where the links and pictures of a text lead.
fn targets(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for piece in text.split("](").skip(1) {
        if let Some((target, _)) = piece.split_once(')') {
            found.push(target.split_whitespace().next().unwrap_or_default());
        }
    }
    found
}

fn words(line: &str) -> usize {
    let words = line.split_whitespace();
    words
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marking::repository::layout::Text;

    fn of(readme: &str, original: &str) -> Readme {
        let layout = Layout {
            texts: vec![Text {
                path: "README.md".to_owned(),
                text: readme.to_owned(),
            }],
            files: vec!["README.md".to_owned(), "img/a.png".to_owned()],
            ..Layout::default()
        };
        read(&layout, original)
    }

    const ORIGINAL: &str = "# Atelier\n**Exercice 1 :**\nQuelle perte ?\n*..à vous..*\n\
                            **Exercice 3 :**\nQuel RTO ?\n*..à vous..*\n### **Atelier 2**\n";

    #[test]
    fn a_readme_that_was_left_as_it_came_has_no_word_of_ones_own() {
        let read = of(ORIGINAL, ORIGINAL);
        assert_eq!((read.own_words, read.left_open), (0, 2));
        assert_eq!((read.answers, read.runbook_words), (vec![], 0));
    }

    #[test]
    fn answers_are_counted_where_they_stand() {
        let text = ORIGINAL
            .replacen("*..à vous..*", "Le volume pra-data, et lui seul.", 1)
            .replacen("*..à vous..*", "RTO : 25 s mesurées.\nRPO d'une minute.", 1)
            + "On choisit un point :\n```\nkubectl apply -f x\n```\n";
        let read = of(&text, ORIGINAL);
        assert_eq!(read.answers, [(1, 6), (3, 7)]);
        assert_eq!(read.figures, ["RTO : 25 s mesurées."]);
        assert_eq!((read.runbook_words, read.runbook_commands), (4, 1));
    }

    #[test]
    fn a_picture_that_is_not_there_is_named() {
        let read = of(
            "![a](img/a.png) ![b](img/b.png) [c](https://x.fr/y) [d](#e)",
            "",
        );
        assert_eq!((read.pictures, read.broken), (2, vec!["img/b.png".into()]));
    }
}
