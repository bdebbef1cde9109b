//! Parsing the package's answers: its JSON documents, and its refusals and failures.

use anyhow::{Context as _, Result};
use serde::{Deserialize, de::DeserializeOwned};
use terms::lang::both;
use terms::tr;

use crate::exec::Output;
use crate::facts::JobOutcome;
use crate::failure::{self, Failure, Kind};

/// A JSON document of the package: the parsed value, and the original text, which
/// `--json` passes on with fields that are not parsed here.
#[derive(Clone, Debug)]
pub struct Document<T> {
    pub value: T,
    pub text: String,
}

/// The failure of a verb, from its JSON document or else from its standard error.
pub fn refusal(output: &Output, verb: &str) -> Failure {
    let words = || in_words(&output.stderr, output.status.code());
    complaint(&output.stdout)
        .unwrap_or_else(words)
        .into_failure(verb)
}

/// A failure from standard error. The exit code counts as the package's only where the
/// package printed something: it may not have started.
fn in_words(said: &str, code: Option<i32>) -> Complaint {
    const ITS_WORDS: &str = "pra: ";
    let said = said.trim();
    let its_own = said.lines().any(|line| line.starts_with(ITS_WORDS));
    let (error, next) = said
        .rsplit_once("\nnext: ")
        .map_or((said, None), |(error, next)| {
            let next = next.lines().next().unwrap_or_default();
            (error, Some(next.to_owned()))
        });
    let error = match said {
        "" => both(
            "it ended without a word, as what is killed does",
            "fin sans un mot, comme ce qui est tué",
        )
        .text(),
        _ => error.trim_start_matches(ITS_WORDS),
    };
    Complaint {
        error: error.to_owned(),
        next,
        exit_code: code.filter(|_| its_own),
    }
}

/// What the package says when it refuses or fails.
#[derive(Deserialize)]
pub(super) struct Complaint {
    error: String,
    next: Option<String>,
    /// `None` where it ended without stating one.
    exit_code: Option<i32>,
}

impl Complaint {
    pub fn into_failure(self, verb: &str) -> Failure {
        let kind = self.exit_code.map_or(Kind::Tool, Kind::of_pra);
        let failure = Failure::new(
            kind,
            tr!(
                "`pra {verb}` failed: {said}",
                "`pra {verb}` a échoué : {said}",
                said = as_declared(&self.error),
            ),
        );
        let next = self.next.map(|next| as_declared(&failure::typed(&next)));
        let next = next.unwrap_or_else(|| "cargo xtask status".into());
        // A push is of the points on the volume.
        let of_what_is_there = verb.starts_with("offsite") && verb != "offsite push";
        failure.next(match of_what_is_there {
            true => of_copies(&next),
            false => next,
        })
    }
}

/// Settings of copies elsewhere, as whoever states them in `lab.toml` knows them.
fn as_declared(said: &str) -> String {
    // The name of the first is the beginning of the others.
    const DECLARED: [(&str, &str); 3] = [
        (
            "PRA_OFFSITE_RECIPIENTS",
            "recipients of [offsite] in lab.toml",
        ),
        (
            "PRA_OFFSITE_CREDENTIALS",
            "credentials of [offsite] in lab.toml",
        ),
        ("PRA_OFFSITE ", "to of [offsite] in lab.toml "),
    ];
    let mut said = said.to_owned();
    for (setting, declared) in DECLARED {
        said = said.replace(setting, declared);
    }
    said
}

/// What there is to choose from is in the copies, and not on the lab's volumes.
fn of_copies(next: &str) -> String {
    let next = next.replace("cargo xtask restore --list", "cargo xtask offsite list");
    next.replace("cargo xtask restore --log", "cargo xtask offsite list")
        .replace(
            "cargo xtask restore latest",
            "cargo xtask adopt offsite:latest",
        )
}

pub(super) fn complaint(text: &str) -> Option<Complaint> {
    serde_json::from_str(document_line(text)?).ok()
}

/// The document of a job that succeeded; what it said where it did not.
pub(super) fn job_document<T: DeserializeOwned>(
    outcome: &JobOutcome,
    verb: &str,
) -> Result<Document<T>> {
    if outcome.succeeded {
        let line = document_line(&outcome.log).unwrap_or_default();
        return parse(line, verb);
    }
    let log = match outcome.log.trim() {
        "" => both(
            "its pod left no word, as where the disk with the logs is full",
            "son pod n'a laissé aucun message, comme quand le disque des journaux est plein",
        )
        .text(),
        log => log,
    };
    let said = complaint(&outcome.log).unwrap_or_else(|| Complaint {
        error: [
            outcome
                .reason
                .as_deref()
                .unwrap_or(both("the job failed", "le job a échoué").text()),
            log,
        ]
        .join("\n"),
        next: None,
        exit_code: None,
    });
    Err(said.into_failure(verb).into())
}

/// The last line that is a JSON object: a pod's log mixes it with messages.
fn document_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().rev().map(str::trim);
    lines.find(|line| line.starts_with('{') && line.ends_with('}'))
}

/// Reads a document of the package.
pub fn parse<T: DeserializeOwned>(text: &str, verb: &str) -> Result<Document<T>> {
    let text = text.trim();
    anyhow::ensure!(
        !text.is_empty(),
        tr!(
            "`pra {verb}` ended without an answer",
            "`pra {verb}` s'est terminé sans réponse",
        )
    );
    let value = serde_json::from_str(text)
        .with_context(|| format!("reading the answer of `pra {verb}`"))?;
    Ok(Document {
        value,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::failure::{kind, next};

    #[test]
    fn no_answer_is_no_dry_run_but_an_error() {
        let error = parse::<Value>(" \n", "prove").unwrap_err();
        assert!(error.to_string().contains("without an answer"), "{error}");
    }

    fn outcome(succeeded: bool, log: &str) -> JobOutcome {
        JobOutcome {
            succeeded,
            reason: None,
            log: log.to_owned(),
        }
    }

    #[test]
    fn the_document_is_found_between_messages() {
        let log = "starting\n{\"a\":1}\nbye\n";
        let said: Document<Value> = job_document(&outcome(true, log), "backup").unwrap();
        assert_eq!(said.value["a"], 1);
        assert_eq!(said.text, "{\"a\":1}");
    }

    #[test]
    fn a_failed_job_that_left_no_word_says_why_that_can_be() {
        let error = job_document::<Value>(&outcome(false, " \n"), "backup").unwrap_err();
        assert!(error.to_string().contains("logs is full"), "{error}");
    }

    #[test]
    fn a_failed_job_says_what_the_package_said() {
        for (code, meaning) in [
            (1, Kind::Promise),
            (2, Kind::Usage),
            (4, Kind::Tool),
            (5, Kind::Timeout),
        ] {
            let said = format!(r#"{{"error":"no space","next":"prune","exit_code":{code}}}"#);
            let log = format!("noise\n{said}\n");
            let error = job_document::<Value>(&outcome(false, &log), "backup").unwrap_err();
            assert_eq!(kind(&error), meaning, "{code}");
            assert!(error.to_string().contains("no space"), "{error}");
            assert_eq!(next(&error), Some("prune"));
        }
    }

    #[test]
    fn words_on_standard_error_are_a_complaint_too() {
        let words = "pra: exporting: no database\nnext: python -m pra restore latest\n";
        let said = in_words(words, Some(1));
        assert_eq!(said.error, "exporting: no database");
        assert_eq!(said.next.as_deref(), Some("python -m pra restore latest"));
        // What kubectl adds is no part of the command that comes next.
        let words = "pra: a: b\nnext: c\ncommand terminated with exit code 2";
        let said = in_words(words, Some(2));
        assert_eq!(said.next.as_deref(), Some("c"));
        assert_eq!(kind(&said.into_failure("export").into()), Kind::Usage);
        // An exit code that is not the package's says nothing of promises.
        let said = in_words("Killed", Some(1));
        assert_eq!(said.error, "Killed");
        assert_eq!(kind(&said.into_failure("export").into()), Kind::Tool);
    }

    #[test]
    fn a_job_that_died_without_a_word_shows_its_log() {
        let error = job_document::<Value>(&outcome(false, "Traceback"), "restore").unwrap_err();
        assert!(error.to_string().contains("Traceback"), "{error}");
        assert_eq!(kind(&error), Kind::Tool);
    }

    #[test]
    fn settings_of_copies_are_those_of_lab_toml_and_points_those_of_the_copies() {
        let complaint = |next: &str| Complaint {
            error: "they are for other keys than PRA_OFFSITE_RECIPIENTS has".into(),
            next: Some(next.into()),
            exit_code: Some(2),
        };
        let said = |verb: &str, next: &str| {
            let error = complaint(next).into_failure(verb).into();
            let next = failure::next(&error).unwrap().to_owned();
            format!("{error:#}; {next}")
        };
        let place = said("offsite list", "see that PRA_OFFSITE is the place");
        assert!(
            place.contains("than recipients of [offsite] in lab.toml has"),
            "{place}"
        );
        assert!(
            place.ends_with("see that to of [offsite] in lab.toml is the place"),
            "{place}"
        );
        let points = said("offsite fetch", "python -m pra points lists them");
        assert!(
            points.ends_with("cargo xtask offsite list lists them"),
            "{points}"
        );
        for verb in ["restore", "offsite push"] {
            let here = said(verb, "python -m pra points lists them");
            assert!(
                here.ends_with("cargo xtask restore --list lists them"),
                "{here}"
            );
        }
    }
}
