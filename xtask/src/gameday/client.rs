//! The client of a game day: a process of its own that writes, reads and keeps the ledger
//! while the player has the terminal. It knows nothing of what breaks.

use std::fs::File;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use terms::EngineName;

use crate::context::Context;
use crate::engine::Engine;
use crate::exec::{self, Cmd, quote_path};
use crate::facts::Facts;
use crate::failure::Failure;
use crate::game::{self, Game, What};
use crate::measure::client::{Client, Load};
use crate::measure::ledger_file;
use crate::measure::writing::Form;
use crate::names;
use crate::place::Place;
use crate::wait;

/// Writes a second. Less than a scenario's load: a game lasts for minutes, not for seconds.
pub const RATE: u32 = 10;
/// Acknowledgements before it is called steady.
const STEADY: usize = 20;

/// Starts the process; returns when it writes steadily.
pub fn start(ctx: &Context, game: &Game) -> Result<()> {
    let path = ctx.workspace.logs().join("gameday.log");
    let log = File::options().create(true).append(true).open(&path);
    let log = log.with_context(|| format!("opening {}", path.display()))?;
    let command = Cmd::ourselves()?
        .args(["gameday", "client", "--root"])
        .args([ctx.workspace.root.to_string_lossy()])
        .args(["--engine", game.engine.word()]);
    let mut child = exec::spawn(&command, Stdio::null(), &log, false)?;
    let ledger = game.ledger(&ctx.workspace);
    wait::until(wait::GAMEDAY_CLIENT_UP, || {
        if child
            .try_wait()
            .context("looking after the client")?
            .is_some()
        {
            let said = terms::tr!(
                "the client of the game day ended while it started",
                "le client du game day s'est arrêté à son démarrage"
            );
            let next = format!("less {}", quote_path(&path));
            return Err(Failure::tool(said).next(next).into());
        }
        // It is not there before the first request.
        let steady = ledger_file::read(&ledger).is_ok_and(|so_far| so_far.since(0.0).0 >= STEADY);
        Ok(steady.then_some(()))
    })
}

/// Ends it, once everything it sent is answered; without its consent where it does not.
pub fn stop(ctx: &Context, engine: EngineName) -> Result<()> {
    let Some(pid) = pid(ctx, engine) else {
        return Ok(());
    };
    let gone = || {
        wait::until(wait::GAMEDAY_CLIENT_DOWN, || {
            Ok((!game::is_running(&ctx.workspace, engine)).then_some(()))
        })
    };
    exec::signal_process(pid, Signal::SIGTERM);
    // Who was halted (ctrl-Z, SIGSTOP) hears the other signal only then.
    exec::signal_process(pid, Signal::SIGCONT);
    gone().or_else(|_| {
        wait::check_interrupt()?;
        exec::signal_process(pid, Signal::SIGKILL);
        gone()
    })
}

/// `None` where none runs.
fn pid(ctx: &Context, engine: EngineName) -> Option<u32> {
    if !game::is_running(&ctx.workspace, engine) {
        return None;
    }
    let text = std::fs::read_to_string(game::lock(&ctx.workspace, engine)).ok()?;
    text.trim().parse().ok()
}

/// Is that process, until it is told to end.
pub fn be(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    // A session of its own: it goes on when the terminal is closed.
    nix::unistd::setsid().context("leaving the terminal")?;
    let path = game::lock(&ctx.workspace, engine.name());
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .context("opening the lock of the game day")?;
    lock.try_lock()
        .context("another client plays this game day")?;
    name_ourselves(&lock)?;
    let place = Place::of(&lock, &path)?;
    let game = game::pending(&ctx.workspace, engine.name())?.context("there is no game day")?;
    let facts = engine.facts()?;
    let url = facts.url.context("the lab has no URL")?;
    let load = Load {
        rate: RATE,
        connections: 4,
        reads: 4,
        mode: game.mode,
        form: Form::Post,
    };
    let client = Client::start(&url, &game.prefix(), load, &game.ledger(&ctx.workspace))?;
    watch(ctx, engine, &game, &client, &place)?;
    client.finish().map(drop)
}

fn name_ourselves(mut lock: &File) -> Result<()> {
    use std::io::Write as _;
    lock.set_len(0)
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .context("naming the client of the game day")
}

/// Follows the service and notes what is changed, until it is time to end.
fn watch(
    ctx: &Context,
    engine: &dyn Engine,
    game: &Game,
    client: &Client,
    place: &Place,
) -> Result<()> {
    let mut known: Option<Asked> = None;
    while !wait::interrupted() && place.holds() {
        if let Ok(facts) = engine.facts() {
            if let Some(url) = &facts.url {
                client.follow(url);
            }
            let asked = Asked::of(&facts);
            if is_struck(ctx, game) {
                for what in known.iter().flat_map(|known| known.changes(&asked)) {
                    game.note(&ctx.workspace, what)?;
                }
                known = Some(asked);
            }
        }
        // An interrupt is the end that is waited for.
        let _ = wait::pause(wait::GAMEDAY_LOOK);
    }
    Ok(())
}

/// Until then it is the disaster that changes the lab.
fn is_struck(ctx: &Context, game: &Game) -> bool {
    let now = game::pending(&ctx.workspace, game.engine).ok().flatten();
    now.is_some_and(|now| now.struck.is_some())
}

/// What is asked of the lab: what changes here somebody has changed.
#[derive(Debug, PartialEq)]
struct Asked {
    replicas: u32,
    suspended: bool,
    volumes: usize,
    restoring: bool,
}

impl Asked {
    fn of(facts: &Facts) -> Self {
        Self {
            replicas: facts.wanted,
            suspended: facts.suspended,
            volumes: facts.volumes.len(),
            restoring: facts.jobs.iter().any(|job| job.name == names::RESTORE_JOB),
        }
    }

    fn changes(&self, now: &Self) -> Vec<What> {
        let pairs = [
            (
                "replicas",
                self.replicas.to_string(),
                now.replicas.to_string(),
            ),
            (
                "suspended",
                self.suspended.to_string(),
                now.suspended.to_string(),
            ),
            ("volumes", self.volumes.to_string(), now.volumes.to_string()),
            (
                "restoring",
                self.restoring.to_string(),
                now.restoring.to_string(),
            ),
        ];
        let changed = pairs.into_iter().filter(|(_, from, to)| from != to);
        changed
            .map(|(what, from, to)| What::Changed {
                what: what.to_owned(),
                from,
                to,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_counts_as_a_change() {
        let before = Facts {
            wanted: 0,
            suspended: true,
            ..Facts::default()
        };
        let mut after = before.clone();
        after.url = Some("http://127.0.0.1:1".to_owned());
        let asked = Asked::of(&before);
        assert!(asked.changes(&Asked::of(&after)).is_empty());
        after.wanted = 2;
        assert_eq!(
            asked.changes(&Asked::of(&after)),
            [What::Changed {
                what: "replicas".to_owned(),
                from: "0".to_owned(),
                to: "2".to_owned()
            }]
        );
    }
}
