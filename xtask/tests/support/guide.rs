//! The French guide as a script: its fenced blocks, run in order as a student would type
//! them, and what they print held against what the guide says one sees.
//!
//! A block of shell says by the words behind `sh` whose it is: `court` (by `cargo xtask`),
//! `tapé` (by the plain tools), `montré` (shown alone: it installs something, or waits for a
//! person), and `k3d` where it needs a cluster. ` ```text attendu court ` is what the last
//! block of that form prints.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{TestLab, copy, copy_files, project, said};

const MARK: &str = "@@block ";
/// More than all blocks take on a cluster, in seconds.
const LIMIT: &str = "1200";

/// A way through the guide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    Short,
    Typed,
}

impl Form {
    fn word(self) -> &'static str {
        match self {
            Self::Short => "court",
            Self::Typed => "tapé",
        }
    }
}

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    pub page: String,
    pub line: usize,
    pub language: String,
    pub words: Vec<String>,
    pub text: String,
}

impl Block {
    fn is(&self, word: &str) -> bool {
        self.words.iter().any(|one| one == word)
    }

    fn place(&self) -> String {
        format!("{}:{}", self.page, self.line)
    }
}

/// The pages in the order in which they are walked.
pub fn pages() -> Vec<PathBuf> {
    let folder = project().join("docs/atelier");
    let entries = fs::read_dir(&folder).unwrap();
    let mut pages: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|path| path.extension().is_some_and(|one| one == "md"));
    pages.sort();
    pages.insert(0, project().join("README.fr.md"));
    pages
}

/// Every fenced block of the guide.
pub fn blocks() -> Vec<Block> {
    let pages = pages();
    let blocks = pages.iter().flat_map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        parse(&name, &fs::read_to_string(path).unwrap())
    });
    blocks.collect()
}

pub fn parse(page: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(info)) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                open = Some(Block {
                    page: page.to_owned(),
                    line: number + 1,
                    language: words.next().unwrap_or_default(),
                    words: words.collect(),
                    text: String::new(),
                });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page}: a block has no end");
    blocks
}

/// Puts the guide with its measurements into a lab's folder.
pub fn copy_into(lab: &TestLab) {
    copy_files(
        &project().join("docs/atelier"),
        &lab.root.join("docs/atelier"),
    );
    copy(
        &project().join("README.fr.md"),
        &lab.root.join("README.fr.md"),
    );
}

/// What is wrong with how the blocks are marked.
pub fn mismarked(blocks: &[Block]) -> Vec<String> {
    let known = ["court", "tapé", "montré", "k3d", "attendu"];
    let wrong = blocks.iter().filter(|block| {
        let odd = block.words.iter().any(|word| !known.contains(&&**word));
        let forms = block.is("court") || block.is("tapé");
        odd || match block.language.as_str() {
            "sh" => block.is("attendu") || forms == block.is("montré"),
            "text" => !block.is("attendu") || !forms,
            "mermaid" | "yaml" => !block.words.is_empty(),
            _ => true,
        }
    });
    wrong
        .map(|block| format!("{}: {:?}", block.place(), block.words))
        .collect()
}

/// The guide as it is run once.
pub struct Walk<'a> {
    pub lab: &'a TestLab,
    pub form: Form,
    /// There is a cluster.
    pub cluster: bool,
    /// Ports of the guide, and those that the lab has instead.
    pub ports: Vec<(u16, u16)>,
}

impl Walk<'_> {
    fn runs(&self, block: &Block) -> bool {
        block.language == "sh" && block.is(self.form.word()) && (self.cluster || !block.is("k3d"))
    }

    /// Runs all blocks in one shell, as in one terminal.
    pub fn run(&self, blocks: &[Block]) {
        let mut script = String::from("exec 2>&1\n");
        for (number, block) in blocks.iter().enumerate().filter(|(_, one)| self.runs(one)) {
            write!(script, "printf '\\n%s\\n' '{MARK}{number}'\n{}", block.text).unwrap();
        }
        let output = self.shell(&self.with_ports(&script));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let seen = outputs(&text);
        let last = seen.last().map_or(0, |(number, _)| *number);
        assert!(
            output.status.success(),
            "{} ended with {}:\n{}\nit said:\n{}",
            blocks[last].place(),
            output.status,
            blocks[last].text,
            seen.last()
                .map_or_else(|| said(&output), |(_, text)| text.clone())
        );
        self.compare(blocks, &seen);
        self.tell(blocks, seen.len());
    }

    fn shell(&self, script: &str) -> std::process::Output {
        let tool = format!(
            "[ \"$1\" = xtask ] || exit 97\nshift\nexec '{}' \"$@\"",
            env!("CARGO_BIN_EXE_xtask")
        );
        self.lab.fake_tool("cargo", &tool);
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("timeout");
        command
            .args([LIMIT, "bash", "-e", "-c", script])
            .current_dir(&self.lab.root)
            .env("ATELIER_ROOT", &self.lab.root)
            // Whoever reads the guide reads the commands' output in French as well.
            .env("LANGUAGE", "fr")
            .env("KUBECONFIG", self.lab.root.join("kubeconfig"))
            .env("PATH", format!("{}:{path}", self.lab.fake_tools.display()))
            .stdin(Stdio::null());
        command.output().unwrap()
    }

    fn with_ports(&self, script: &str) -> String {
        self.ports
            .iter()
            .fold(script.to_owned(), |script, (from, to)| {
                script.replace(&format!("127.0.0.1:{from}"), &format!("127.0.0.1:{to}"))
            })
    }

    /// What the guide says one sees, against what was seen.
    fn compare(&self, blocks: &[Block], seen: &[(usize, String)]) {
        let mut compared = 0;
        for (number, block) in blocks.iter().enumerate() {
            if block.language != "text" || !block.is(self.form.word()) {
                continue;
            }
            let before = seen.iter().rev().find(|(one, _)| *one < number);
            let (of, output) = before.unwrap_or_else(|| panic!("{}: of what?", block.place()));
            if blocks[*of + 1..number]
                .iter()
                .any(|one| one.is(self.form.word()) && one.is("k3d"))
            {
                // Of a block that needs a cluster.
                continue;
            }
            if let Some(missing) = missing(&block.text, output) {
                panic!(
                    "{}: {missing:?} is not in what {} printed:\n{output}",
                    block.place(),
                    blocks[*of].place()
                );
            }
            compared += 1;
        }
        assert!(compared > 2, "only {compared} outputs were compared");
    }

    /// Says what ran and what did not, past the capture of a test that passes.
    fn tell(&self, blocks: &[Block], ran: usize) {
        let shell = blocks.iter().filter(|block| block.language == "sh");
        let skipped: Vec<String> = shell
            .filter(|one| !self.runs(one))
            .map(Block::place)
            .collect();
        let _ = writeln!(
            std::io::stderr(),
            "guide, {}{}: {ran} blocks ran; SKIPPED {}: {}",
            self.form.word(),
            if self.cluster { " (k3d)" } else { " (local)" },
            skipped.len(),
            skipped.join(" ")
        );
    }
}

/// The numbers of the blocks that ran, and what each printed.
fn outputs(text: &str) -> Vec<(usize, String)> {
    let mark = format!("\n{MARK}");
    let parts = text.split(mark.as_str()).skip(1);
    let parts = parts.filter_map(|part| {
        let (number, output) = part.split_once('\n')?;
        Some((number.parse().ok()?, output.to_owned()))
    });
    parts.collect()
}

/// The first line that was expected and is in no later line of the output; `…` stands for
/// anything.
pub fn missing(expected: &str, output: &str) -> Option<String> {
    let mut lines = output.lines();
    let absent = |wanted: &&str| !lines.any(|line| matches(wanted, line));
    expected.lines().find(absent).map(str::to_owned)
}

fn matches(wanted: &str, line: &str) -> bool {
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = line.as_str();
    wanted
        .split('…')
        .map(str::trim)
        .all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
}
