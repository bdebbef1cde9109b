//! `watch`: the lab as it is, again and again, until somebody has seen enough. Changes nothing,
//! and takes no lock: it runs beside whatever is done to the lab.

mod doing;
mod look;
mod rate;
mod told;

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use serde_json::json;
use terms::lang::fixed;
use terms::tr;

use crate::context::Context;
use crate::engine;
use crate::ui;
use crate::ui::screen::Screen;
use crate::wait;
use look::{Look, Looker};

/// Of a lab that answers slowly one look costs: it has this many times as long a rest.
const REST: u32 = 4;
/// A picture whose look is older says how old it is.
const FRESH: Duration = Duration::from_secs(3);

/// A look, and when it was over.
struct Seen {
    look: Look,
    at: Instant,
}

pub fn run(ctx: &Context, count: Option<u64>) -> Result<()> {
    // What is wrong about the command itself is told before anything is drawn.
    engine::select(ctx)?;
    let looks = keep_looking(ctx.hushed());
    let picture = !ctx.ui.json() && ui::standard_output_is_terminal();
    let mut screen = picture.then(Screen::take);
    match show(ctx, &looks, screen.as_mut(), count) {
        // That is how it ends.
        Err(_) if wait::interrupted() => Ok(()),
        ended => ended,
    }
}

/// Looks in a thread of its own, which ends with the program: a lab that hangs must not keep
/// the picture from saying so.
fn keep_looking(ctx: Context) -> Receiver<Seen> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut looker = Looker::new(&ctx);
        loop {
            let began = Instant::now();
            let look = looker.look();
            let at = Instant::now();
            let rest = wait::WATCHED_LOOK.max((at - began) * REST);
            if tell.send(Seen { look, at }).is_err() || wait::pause(rest).is_err() {
                return;
            }
        }
    });
    told
}

/// Shows the newest look each second, so many times, or until it is ended.
fn show(
    ctx: &Context,
    looks: &Receiver<Seen>,
    mut screen: Option<&mut Screen>,
    count: Option<u64>,
) -> Result<()> {
    let mut seen = None;
    let mut shown = 0;
    let mut next = Instant::now();
    while count.is_none_or(|count| shown < count) {
        if screen.as_ref().is_some_and(|screen| screen.closes()) {
            return Ok(());
        }
        wait::pause(wait::WATCHED_KEY)?;
        seen = looks.try_iter().last().or(seen);
        if Instant::now() < next {
            continue;
        }
        let Some(seen) = &seen else {
            continue;
        };
        match &mut screen {
            Some(screen) => draw(screen, seen),
            None => tell(ctx, seen)?,
        }
        shown += 1;
        next = Instant::now() + wait::WATCHED_LOOK;
    }
    Ok(())
}

fn draw(screen: &mut Screen, seen: &Seen) {
    let place = seen.look.place();
    let clock = clock();
    let old = match seen.at.elapsed() {
        old if old < FRESH => String::new(),
        old => {
            let old = fixed(old.as_secs_f64(), 0);
            tr!(
                " · it has not answered for {old} s",
                " · sans réponse depuis {old} s"
            )
        }
    };
    let heading = format!("{place} · {clock}{old}");
    let foot = tr!("q or ctrl-C ends it.", "q ou ctrl-C pour terminer.");
    screen.draw(&heading, &told::rows(&seen.look), &foot);
}

/// One line a second: for a log, or another program.
fn tell(ctx: &Context, seen: &Seen) -> Result<()> {
    let at = now();
    if !ctx.ui.json() {
        ctx.ui.say(&format!("{at} {}", told::line(&seen.look)));
        return Ok(());
    }
    let mut document = json!(seen.look);
    document["at"] = json!(at);
    document["look_age_seconds"] = json!(seen.at.elapsed().as_secs_f64());
    ctx.ui.document(&document)
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// The time of the day, UTC as everything that is kept of the lab.
fn clock() -> String {
    let now = now();
    let time = now.split_once('T').map_or("", |(_, time)| time);
    format!("{} UTC", time.trim_end_matches('Z'))
}
