//! When the player had noticed: what the player said, else the first thing that was done.

use std::time::SystemTime;

use terms::NoticedBy;

use crate::game::{Event, What};

/// The moment, and by what it is known. `struck` and `end` are moments of the wall clock,
/// RFC 3339.
pub fn noticed(events: &[Event], struck: &str, end: &str) -> (SystemTime, NoticedBy) {
    let first = |how: fn(&What) -> bool| {
        let mut events = events.iter();
        events
            .find(|event| event.at.as_str() >= struck && how(&event.what))
            .and_then(|event| parse(&event.at))
    };
    let said = first(|what| matches!(what, What::Noticed { .. }));
    let command = first(|what| matches!(what, What::Command { words } if changes(words)));
    let change = first(|what| matches!(what, What::Changed { .. }));
    let acted = match (command, change) {
        (Some(command), Some(change)) if change < command => Some((change, NoticedBy::Change)),
        (Some(command), _) => Some((command, NoticedBy::Command)),
        (None, change) => change.map(|at| (at, NoticedBy::Change)),
    };
    let said = said.map(|at| (at, NoticedBy::Said));
    // Who has it verified takes it for recovered.
    let tried = first(|what| matches!(what, What::Tried { .. })).or_else(|| parse(end));
    let tried = (tried.unwrap_or(SystemTime::UNIX_EPOCH), NoticedBy::End);
    match said.or(acted) {
        Some(known) if known.0 <= tried.0 => known,
        _ => tried,
    }
}

fn parse(wall: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(wall).ok()
}

/// What recovers a lab. A look is none of it, nor is a message that tries whether writing
/// works.
const CHANGES: [&str; 11] = [
    "setup", "restore", "undo", "adopt", "backup", "prune", "local", "cluster", "image", "import",
    "deploy",
];

fn changes(words: &str) -> bool {
    CHANGES.contains(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u32, what: What) -> Event {
        Event {
            at: format!("2026-11-30T00:00:{second:02}.000000Z"),
            what,
        }
    }

    fn command(words: &str) -> What {
        What::Command {
            words: words.to_owned(),
        }
    }

    fn when(events: &[Event]) -> (u64, NoticedBy) {
        let struck = "2026-11-30T00:00:10.000000Z";
        let (found, how) = noticed(events, struck, "2026-11-30T00:00:59.000000Z");
        let second = found.duration_since(parse("2026-11-30T00:00:00Z").unwrap());
        (second.unwrap().as_secs(), how)
    }

    #[test]
    fn what_the_player_says_counts_and_else_what_the_player_does() {
        let changed = What::Changed {
            what: "replicas".into(),
            from: "0".into(),
            to: "2".into(),
        };
        let mut events = vec![
            at(5, command("setup")),
            at(15, command("restore --plan")),
            at(16, command("add")),
            at(17, command("open")),
        ];
        assert_eq!(
            when(&events),
            (59, NoticedBy::End),
            "looks, and what came before"
        );
        events.push(at(22, changed));
        events.push(at(25, command("restore")));
        assert_eq!(when(&events), (22, NoticedBy::Change));
        events.remove(4);
        assert_eq!(when(&events), (25, NoticedBy::Command));
        events.insert(4, at(24, What::Tried { broken: 1 }));
        assert_eq!(when(&events), (24, NoticedBy::End));
        events.push(at(30, What::Noticed { said: None }));
        assert_eq!(when(&events), (24, NoticedBy::End), "said too late");
        events.insert(1, at(14, What::Noticed { said: None }));
        assert_eq!(when(&events), (14, NoticedBy::Said));
    }
}
