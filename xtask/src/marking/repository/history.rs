//! How the work was done, as far as the history of git shows it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::git::{WHOLE, git};
use crate::exec::Exec;

/// A commit, as it stands in the history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Commit {
    pub hash: String,
    pub author: String,
    /// Seconds since 1970, as the author's machine said.
    pub at: i64,
    pub subject: String,
    pub lines: u64,
}

/// The student's part of the history.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct History {
    /// All commits, those of the workshop included.
    pub commits: usize,
    /// The last commit of the workshop before the student's first.
    pub base: Option<String>,
    /// What came after it.
    pub own: usize,
    /// Nobody else's commit and no named one says where the workshop's end.
    pub guessed: bool,
    /// Who made those, the most frequent first.
    pub authors: Vec<(String, usize)>,
    pub first: Option<i64>,
    pub last: Option<i64>,
    /// Days on which there was a commit.
    pub days: usize,
    /// Subjects that say something of their own.
    pub telling: usize,
    /// The part of all changed lines that came in the largest commit.
    pub largest_share: f64,
}

const FIELD: char = '\u{1f}';
const RECORD: char = '\u{1e}';

/// Reads the history of the copy, which is whole; the workshop's part ends with `base`,
/// where that is said and there.
pub fn read(exec: &Exec, copy: &Path, base: Option<&str>) -> Result<History> {
    let format = "--format=%x1e%H%x1f%aN%x1f%at%x1f%s%x1f";
    let log = git(
        copy,
        [
            "log",
            "--reverse",
            "--no-merges",
            "--shortstat",
            format,
            "HEAD",
        ],
    );
    let said = exec.read(&log.limit(WHOLE))?;
    Ok(of(&parse(&said), base))
}

/// What `git log` says in the format above, oldest first.
fn parse(said: &str) -> Vec<Commit> {
    let commit = |record: &str| {
        let mut fields = record.split(FIELD);
        Some(Commit {
            hash: fields.next()?.to_owned(),
            author: fields.next()?.to_owned(),
            at: fields.next()?.parse().ok()?,
            subject: fields.next()?.to_owned(),
            lines: changed_lines(fields.next()?),
        })
    };
    said.split(RECORD).skip(1).filter_map(commit).collect()
}

/// The insertions and deletions of `--shortstat`.
fn changed_lines(stat: &str) -> u64 {
    let parts = stat
        .split(',')
        .filter(|part| part.contains("(+)") || part.contains("(-)"));
    let numbers = parts.filter_map(|part| part.split_whitespace().next()?.parse::<u64>().ok());
    numbers.sum()
}

/// Where the student's commits begin. The workshop's come first, by whoever made the very
/// first; what another makes after them is the student's. Where nobody else is, the first
/// commit is the template and the rest is the student's; one commit alone is all there is.
fn beginning(commits: &[Commit], base: Option<&str>) -> usize {
    let is_base = |commit: &Commit| base.is_some_and(|base| commit.hash.starts_with(base));
    if let Some(at) = commits.iter().position(is_base) {
        return at + 1;
    }
    let first = commits.first().map(|commit| &commit.author);
    let others = commits
        .iter()
        .position(|commit| Some(&commit.author) != first);
    others.unwrap_or(usize::from(commits.len() > 1))
}

/// The workshop's commits end with the one that was named, or are another's.
fn are_told_apart(commits: &[Commit], begins: usize, base: Option<&str>) -> bool {
    let last = commits[..begins].last();
    let is_named = |last: &Commit| base.is_some_and(|base| last.hash.starts_with(base));
    let author = |commit: &Commit| commit.author.clone();
    let next = commits.get(begins).map(author);
    last.is_some_and(|last| is_named(last) || next != Some(author(last)))
}

fn of(commits: &[Commit], base: Option<&str>) -> History {
    let begins = beginning(commits, base);
    let own = &commits[begins..];
    let mut by: BTreeMap<&str, usize> = BTreeMap::new();
    for commit in own {
        *by.entry(&commit.author).or_default() += 1;
    }
    let mut authors: Vec<(String, usize)> = by
        .into_iter()
        .map(|(name, n)| (name.to_owned(), n))
        .collect();
    authors.sort_by_key(|(_, commits)| std::cmp::Reverse(*commits));
    let mut days: Vec<i64> = own.iter().map(|commit| commit.at / 86_400).collect();
    days.sort_unstable();
    days.dedup();
    let lines: u64 = own.iter().map(|commit| commit.lines).sum();
    let largest = own
        .iter()
        .map(|commit| commit.lines)
        .max()
        .unwrap_or_default();
    let mut told: Vec<&str> = own.iter().map(|commit| commit.subject.as_str()).collect();
    told.sort_unstable();
    told.dedup();
    History {
        commits: commits.len(),
        base: commits[..begins].last().map(|commit| commit.hash.clone()),
        own: own.len(),
        guessed: !own.is_empty() && !are_told_apart(commits, begins, base),
        authors,
        first: own.iter().map(|commit| commit.at).min(),
        last: own.iter().map(|commit| commit.at).max(),
        days: days.len(),
        telling: told
            .into_iter()
            .filter(|subject| is_telling(subject))
            .count(),
        largest_share: largest as f64 / lines.max(1) as f64,
    }
}

/// `Update README.md` is what the web editor writes by itself.
fn is_telling(subject: &str) -> bool {
    let words: Vec<&str> = subject.split_whitespace().collect();
    let by_itself = ["Update", "Create", "Delete", "Rename", "Add"];
    let preset = words.first().is_some_and(|first| by_itself.contains(first));
    words.len() > 2 && !(preset && (words.len() <= 2 || subject == "Add files via upload"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(author: &str, at: i64, subject: &str, lines: u64) -> Commit {
        Commit {
            hash: format!("{at}"),
            author: author.to_owned(),
            at,
            subject: subject.to_owned(),
            lines,
        }
    }

    #[test]
    fn the_log_of_git_is_read() {
        let said = "\u{1e}abc\u{1f}Zoé\u{1f}1700\u{1f}Add a route, and test it\u{1f}\n\n 2 files \
                    changed, 10 insertions(+), 3 deletions(-)\n\u{1e}def\u{1f}Zoé\u{1f}1800\u{1f}\
                    x\u{1f}\n";
        let commits = parse(said);
        assert_eq!(commits.len(), 2);
        assert_eq!((commits[0].lines, commits[1].lines), (13, 0));
        assert_eq!(commits[0].subject, "Add a route, and test it");
    }

    #[test]
    fn what_the_workshop_brought_is_not_the_students() {
        let all = [
            commit("teacher", 0, "first", 900),
            commit("teacher", 10, "Update README.md", 5),
            commit("student", 100_000, "Add the route /status to the app", 30),
            commit("student", 190_000, "Update README.md", 60),
            commit("friend", 190_100, "Fix the age of the backup", 10),
        ];
        let history = of(&all, None);
        assert_eq!((history.commits, history.own, history.days), (5, 3, 2));
        assert_eq!(history.base.as_deref(), Some("10"));
        assert_eq!(history.authors[0], ("student".to_owned(), 2));
        assert_eq!(history.authors.len(), 2);
        assert!(!history.guessed);
        assert_eq!(history.telling, 2);
        assert_eq!(history.largest_share, 0.6);
        assert_eq!(
            (history.first, history.last),
            (Some(100_000), Some(190_100))
        );
    }

    #[test]
    fn a_base_that_is_named_ends_the_workshops_part() {
        let all = [0, 10, 20].map(|at| commit("one", at, "a subject of its own", 9));
        let own = |base| (of(&all, base).own, of(&all, base).guessed);
        assert_eq!(own(None), (2, true));
        assert_eq!(own(Some("10")), (1, false));
        assert_eq!(own(Some("20")), (0, false));
        // Another history than the one that was named.
        assert_eq!(own(Some("99")), (2, true));
    }

    #[test]
    fn one_commit_alone_is_all_there_is() {
        let all = [commit("student", 0, "first", 9)];
        let history = of(&all, None);
        assert_eq!((history.own, history.base), (1, None));
        assert!(history.guessed);
        assert_eq!(of(&[], None).own, 0);
    }

    #[test]
    fn a_subject_that_a_web_editor_wrote_says_nothing() {
        assert!(!is_telling("Update README.md"));
        assert!(!is_telling("Add files via upload"));
        assert!(!is_telling("wip"));
        assert!(is_telling("Add the route /status"));
    }
}
