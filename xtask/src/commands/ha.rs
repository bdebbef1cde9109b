//! The commands of the lab `ha`: those that every lab has, and a reason for each that
//! makes no sense there.

use anyhow::Result;
use terms::lang::{Both, both};
use terms::tr;

use crate::cli::Command;
use crate::facts::LogSource;
use crate::failure::Failure;

const NO_POINTS: Both = both(
    "it has no restore points: each write is on two servers before it is acknowledged, and \
     what is lost is rebuilt from the others",
    "il n'a pas de points de restauration : chaque écriture est sur deux serveurs avant d'être \
     acquittée, et ce qui est perdu est reconstruit à partir des autres",
);
const ONE_PROTECTION: Both = both(
    "it has one protection, replication, and no other to be compared with",
    "il a une seule protection, la réplication, et aucune autre à lui comparer",
);
const NOBODY_RECOVERS: Both = both(
    "nobody recovers anything by hand there",
    "personne n'y répare rien à la main",
);
const OF_THE_RECOVERY: Both = both(
    "it is about the lab of the recovery",
    "elle concerne le lab de la reprise",
);

/// Refuses a command that this lab does not have, with the reason.
pub fn insist_on(command: &Command) -> Result<()> {
    let (word, why) = match command {
        Command::Backup { .. } => ("backup", NO_POINTS),
        Command::Restore(_) => ("restore", NO_POINTS),
        Command::Undo { .. } => ("undo", NO_POINTS),
        Command::Prune => ("prune", NO_POINTS),
        Command::Export { .. } => ("export", NO_POINTS),
        Command::Adopt(_) => ("adopt", NO_POINTS),
        Command::Offsite(_) => ("offsite", NO_POINTS),
        Command::Gameday { .. } => ("gameday", NOBODY_RECOVERS),
        Command::Tour => ("tour", OF_THE_RECOVERY),
        Command::Reset => ("reset", OF_THE_RECOVERY),
        Command::Bench { .. } => ("bench", OF_THE_RECOVERY),
        Command::Guide { .. } => ("guide", OF_THE_RECOVERY),
        Command::Local { .. } => ("local", OF_THE_RECOVERY),
        Command::Check(_) => ("check", OF_THE_RECOVERY),
        Command::Drill(args) if !args.protection.is_empty() => {
            ("drill --protection", ONE_PROTECTION)
        }
        Command::Logs(args) => match args.of {
            LogSource::App => return Ok(()),
            LogSource::Backup => ("logs backup", NO_POINTS),
            LogSource::Restore => ("logs restore", NO_POINTS),
        },
        _ => return Ok(()),
    };
    Err(Failure::usage(tr!(
        "the lab ha has no command {word}: {why}",
        "le lab ha n'a pas de commande {word} : {why}",
    ))
    .next("cargo xtask scenario --list")
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser as _;

    #[test]
    fn what_brings_back_a_point_is_refused_with_its_reason() {
        let said = |words: &[&str]| {
            let all = ["xtask", "--lab", "ha"].iter().chain(words);
            insist_on(&Cli::parse_from(all).command).map_err(|error| error.to_string())
        };
        for words in [
            &["restore", "latest"][..],
            &["backup"],
            &["undo"],
            &["prune"],
        ] {
            let refused = said(words).unwrap_err();
            assert!(refused.contains("no restore points"), "{refused}");
        }
        let refused = said(&["drill", "drain", "--protection", "snapshot"]).unwrap_err();
        assert!(
            refused.contains("drill --protection: it has one"),
            "{refused}"
        );
        for of in ["backup", "restore"] {
            let refused = said(&["logs", of]).unwrap_err();
            assert!(
                refused.contains(&format!("no command logs {of}:")),
                "{refused}"
            );
        }
        for words in [
            &["setup"][..],
            &["status"],
            &["logs"],
            &["drill", "drain"],
            &["report"],
        ] {
            assert_eq!(said(words), Ok(()));
        }
    }
}
