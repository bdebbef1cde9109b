//! What a user would see: the last seconds of the measuring client, in words.

use serde::Serialize;
use terms::lang::{both, plural};
use terms::tr;

use crate::http;
use crate::measure::ledger_file::SoFar;
use crate::measure::observed::{Outcome, Seen};

/// How far back users remember, in seconds.
const WINDOW: f64 = 10.0;
/// Of a long answer a user reads the beginning.
const READ_OF_AN_ANSWER: usize = 200;

#[derive(Debug, PartialEq, Serialize)]
pub struct Symptoms {
    pub window_seconds: f64,
    pub writes: Tried,
    pub reads: Tried,
    /// How many messages the page counted before the disaster, and counts now.
    pub messages_before: Option<u64>,
    pub messages_now: Option<u64>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Tried {
    pub tried: usize,
    pub failed: usize,
    /// What was answered most often to those that failed.
    pub answer: Option<String>,
}

impl Symptoms {
    /// Of the ledger at a moment, both on its clock; `struck` is when the disaster was
    /// complete.
    pub fn of(ledger: &SoFar, struck: Option<f64>, now: f64) -> Self {
        let from = (now - WINDOW).max(struck.unwrap_or(0.0));
        let requests = ledger.observed.requests.iter();
        let reads = &ledger.observed.reads;
        let writes = requests
            .filter(|one| one.ended >= from)
            .map(|one| match &one.outcome {
                Outcome::Acknowledged { .. } => None,
                Outcome::Failed { reason, .. } => Some(reason.as_str()),
            });
        // A user whose browser tries again sees that nothing comes.
        let attempts = ledger.attempts().filter(|one| one.ended >= from);
        let writes = writes.chain(attempts.map(|one| Some(one.reason.as_str())));
        let looks = reads.iter().filter(|one| one.ended >= from);
        let count = |seen: &Seen| match seen {
            Seen::Count(count) => Some(*count),
            _ => None,
        };
        let before = reads
            .iter()
            .filter(|one| struck.is_none_or(|at| one.ended < at));
        Self {
            window_seconds: (now - from).max(0.0),
            writes: Tried::of(writes),
            messages_now: looks.clone().filter_map(|one| count(&one.seen)).next_back(),
            reads: Tried::of(looks.map(|one| match &one.seen {
                Seen::Failed(reason) => Some(reason.as_str()),
                _ => None,
            })),
            messages_before: before.filter_map(|one| count(&one.seen)).max(),
        }
    }

    /// Whether users have something to complain about.
    pub fn are_there(&self) -> bool {
        let missing = self.messages_now < self.messages_before && self.messages_now.is_some();
        self.writes.failed > 0 || self.reads.failed > 0 || missing
    }

    /// What users say, a line each.
    pub fn told(&self) -> Vec<String> {
        let mut lines = vec![
            tell(
                &self.writes,
                both("Writing a message", "Écrire un message").text(),
            ),
            tell(&self.reads, both("Reading the page", "Lire la page").text()),
        ];
        let told = match (self.messages_before, self.messages_now) {
            (Some(before), Some(now)) if now < before => Some(tr!(
                "The page counts {now} messages; before, there were {before}.",
                "La page compte {now} messages ; avant, il y en avait {before}."
            )),
            (_, Some(now)) => Some(tr!(
                "The page counts {now} messages.",
                "La page compte {now} messages."
            )),
            _ => None,
        };
        lines.extend(told);
        lines
    }
}

impl Tried {
    fn of<'a>(answers: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut tried = Self::default();
        let mut counted: Vec<(&str, usize)> = Vec::new();
        for answer in answers {
            tried.tried += 1;
            let Some(answer) = answer else { continue };
            tried.failed += 1;
            match counted.iter_mut().find(|(known, _)| *known == answer) {
                Some((_, count)) => *count += 1,
                None => counted.push((answer, 1)),
            }
        }
        let most = counted.iter().max_by_key(|(_, count)| *count);
        tried.answer = most.map(|(answer, _)| as_users_read(answer));
        tried
    }
}

/// Without what only a program stumbles over.
fn as_users_read(answer: &str) -> String {
    let read = answer.split(http::NOT_JSON).next();
    read.unwrap_or(answer)
        .chars()
        .take(READ_OF_AN_ANSWER)
        .collect()
}

fn tell(of: &Tried, what: &str) -> String {
    let Tried {
        tried,
        failed,
        answer,
    } = of;
    let s = plural(*tried as u64);
    let answer = answer.as_deref().map_or_else(String::new, |answer| {
        tr!(" The answer: {answer}", " La réponse : {answer}")
    });
    if *tried == 0 {
        tr!(
            "{what}: no answer for seconds.",
            "{what} : pas de réponse depuis plusieurs secondes."
        )
    } else if *failed == 0 {
        tr!(
            "{what}: works ({tried} attempt{s}).",
            "{what} : fonctionne ({tried} essai{s})."
        )
    } else if failed == tried {
        tr!(
            "{what}: never works ({tried} attempt{s}).{answer}",
            "{what} : ne fonctionne jamais ({tried} essai{s}).{answer}"
        )
    } else {
        tr!(
            "{what}: fails {failed} times out of {tried}.{answer}",
            "{what} : échoue {failed} fois sur {tried}.{answer}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::ledger::Ledger;
    use crate::measure::ledger_file;
    use crate::measure::observed::{Mode, Request};
    use terms::lang::{Lang, speaking};

    /// A ledger of writes and reads that end now, one after the other.
    fn ledger(name: &str, play: impl Fn(&Ledger)) -> SoFar {
        let name = format!("xtask-symptoms-{name}-{}.jsonl", std::process::id());
        let path = std::env::temp_dir().join(name);
        let ledger = Ledger::create(&path, Mode::default()).unwrap();
        play(&ledger);
        let read = ledger_file::read(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        read
    }

    fn write(ledger: &Ledger, n: usize, refused: Option<&str>) {
        let sent = ledger.sent(n, 0.0, "m", None);
        let outcome = match refused {
            Some(reason) => Outcome::failed(reason),
            None => Outcome::Acknowledged {
                id: n as i64,
                timestamp: "t".to_owned(),
            },
        };
        ledger.ended(Request::of(n, "m", (0.0, sent), outcome));
    }

    #[test]
    fn users_say_what_they_see_and_not_why() {
        let so_far = ledger("full", |ledger| {
            write(ledger, 0, None);
            write(ledger, 1, Some("503: no space left"));
            write(ledger, 2, Some("503: no space left"));
            ledger.read(0.0, Seen::Count(1), false);
        });
        let symptoms = Symptoms::of(&so_far, None, 1.0);
        assert!(symptoms.are_there());
        let told = symptoms.told();
        assert_eq!(
            told[0],
            "Writing a message: fails 2 times out of 3. The answer: 503: no space left"
        );
        assert_eq!(told[1], "Reading the page: works (1 attempt).");
        speaking(Lang::French, || {
            assert!(symptoms.told()[1].contains("fonctionne (1 essai)"));
        });
    }

    #[test]
    fn rows_that_are_missing_are_a_symptom_though_nothing_fails() {
        let so_far = ledger("missing", |ledger| {
            ledger.read(0.0, Seen::Count(40), false);
            write(ledger, 0, None);
        });
        let struck = so_far.observed.requests[0].ended;
        let mut so_far = so_far;
        so_far.observed.reads.push(crate::measure::observed::Read {
            sent: struck,
            ended: struck + 0.1,
            seen: Seen::Count(2),
            again: false,
        });
        let symptoms = Symptoms::of(&so_far, Some(struck), struck + 0.2);
        assert!(symptoms.are_there());
        assert_eq!(
            symptoms.told()[2],
            "The page counts 2 messages; before, there were 40."
        );
        let quiet = Symptoms::of(&so_far, None, struck + 0.2);
        assert_eq!(quiet.messages_before, Some(40));
    }

    #[test]
    fn an_answer_is_told_as_a_browser_shows_it() {
        assert_eq!(
            as_users_read(&format!("HTTP 503{}: EOF", http::NOT_JSON)),
            "HTTP 503"
        );
        assert_eq!(as_users_read(&"x".repeat(900)).len(), READ_OF_AN_ANSWER);
    }

    #[test]
    fn an_old_answer_is_no_symptom_any_more() {
        let so_far = ledger("old", |ledger| write(ledger, 0, Some("refused")));
        let later = Symptoms::of(&so_far, None, 60.0);
        assert!(!later.are_there());
        assert!(later.told()[0].contains("no answer"));
    }
}
