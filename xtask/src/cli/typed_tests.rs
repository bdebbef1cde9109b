//! Whether each command that the application names, as a person here is told it, is one.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Parser as _;

use super::Cli;
use crate::failure::typed;

/// The texts of the package, with strings that go on in the next line joined.
fn texts() -> Vec<String> {
    fn read(folder: &Path, texts: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, texts);
            } else if path.extension().is_some_and(|kind| kind == "py")
                // Its options are its own.
                && !path.ends_with("commands/cli.py")
            {
                let text = fs::read_to_string(&path).unwrap();
                let lines: Vec<&str> = text.lines().map(str::trim).collect();
                texts.push(
                    lines
                        .join("\n")
                        .replace("\"\nf\"", "")
                        .replace("\"\n\"", ""),
                );
            }
        }
    }
    let mut texts = Vec::new();
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/pra");
    read(&package, &mut texts);
    texts
}

/// The words of the commands of a text: its options, and what stands for a value.
fn commands(text: &str) -> impl Iterator<Item = Vec<String>> {
    let begun = text.split("cargo xtask ").skip(1);
    begun.map(|rest| {
        let line = rest.split(['"', '\n', ';', ',', '(', ')', '`']).next();
        let words = line.unwrap_or_default().split_whitespace().enumerate();
        let mut before = "";
        let words = words.map_while(|(place, word)| {
            let of = std::mem::replace(&mut before, word);
            let value = match word {
                "SEQ" => "7",
                "NAME" | "FILE" => "app-1763719200.db",
                _ if word.starts_with('{') && of == "--to-before" => "7",
                _ if word.starts_with('{') => "app-1763719200.db",
                "latest" | "current" => word,
                _ if of == "offsite" => word,
                _ if place == 0 || word.starts_with("--") => word,
                _ => return None,
            };
            Some(value.to_owned())
        });
        words.collect()
    })
}

#[test]
fn every_command_that_the_application_names_is_one_here() {
    let mut found = BTreeSet::new();
    for text in texts() {
        found.extend(commands(&typed(&text)));
    }
    assert!(found.len() > 8, "{found:?}");
    for words in found {
        let all = ["xtask"]
            .into_iter()
            .chain(words.iter().map(String::as_str));
        if let Err(error) = Cli::try_parse_from(all) {
            panic!("cargo xtask {}: {error}", words.join(" "));
        }
    }
}
