//! `measure`: users of the lab for as long as somebody does something to it by hand, and
//! what they saw.

use std::io::Read as _;
use std::sync::mpsc::{self, TryRecvError};
use std::thread;

use anyhow::{Context as _, Result};
use serde::Serialize;
use terms::lang::{both, number};
use terms::tr;

use crate::cli::ClientArgs;
use crate::commands::setup;
use crate::context::Context;
use crate::database;
use crate::failure::Failure;
use crate::game;
use crate::measure::client::{Client, Load};
use crate::measure::compare::{self, Verdict};
use crate::measure::figures::{ClientFigures, milliseconds};
use crate::measure::observed::{Observed, Outcome, Seen};
use crate::measure::result::Verified;
use crate::measure::writing::Form;
use crate::wait;

/// So many of what failed are told one by one.
const TOLD: usize = 20;

/// What the users saw, and what the database holds of what they were promised.
#[derive(Serialize)]
struct Measured {
    began: String,
    client: ClientFigures,
    acknowledged: usize,
    lost: usize,
    verified: Verified,
    /// The first requests that failed, whether or not they were sent again.
    failures: Vec<Failed>,
    doubts: Vec<String>,
    ledger: String,
}

/// In seconds of the ledger's clock.
#[derive(Serialize)]
struct Failed {
    sent: f64,
    ended: f64,
    write: bool,
    reason: String,
}

pub fn run(ctx: &Context, args: ClientArgs) -> Result<()> {
    let lock = ctx.lock("measure")?;
    let engine = setup::bring_up(ctx)?;
    // Whatever is done meanwhile may take it.
    drop(lock);
    if ctx.exec.dry_run() {
        return Ok(());
    }
    let engine = engine.as_ref();
    let url = engine.facts()?.url;
    let url = url.context(tr!("the lab has no URL", "le lab n'a pas d'URL"))?;
    let before = database::readable(engine).dump()?;
    let stamp = game::now().replace([':', '.'], "-");
    let path = ctx.workspace.logs().join(format!("measure-{stamp}.jsonl"));
    let declared = &ctx.config.client;
    let load = Load {
        rate: declared.rate(),
        connections: declared.connections(),
        reads: declared.reads(),
        mode: declared.mode(args.mode()),
        form: Form::Post,
    };
    let client = Client::start(&url, &format!("measure-{stamp}"), load, &path)?;
    ctx.ui.note(&tr!(
        "{rate} writes a second to {url}, until Enter or ctrl-C: do something to the lab meanwhile.",
        "{rate} écritures par seconde vers {url}, jusqu'à Entrée ou ctrl-C : agissez sur le lab \
         pendant ce temps.",
        rate = load.rate,
    ));
    await_the_end();
    let observed = client.finish()?;
    let after = database::readable(engine).dump()?;
    let verdict = compare::compare(&before, &observed.requests, &after);
    let client = ClientFigures::new(&observed, load.rate);
    let measured = Measured {
        began: observed.began.clone(),
        doubts: client.doubts(load.rate),
        client,
        acknowledged: observed
            .requests
            .iter()
            .filter(|r| r.acknowledged())
            .count(),
        lost: verdict.lost.len(),
        verified: Verified::new(after.len(), &verdict),
        failures: failures(&observed),
        ledger: path.display().to_string(),
    };
    if ctx.ui.json() {
        ctx.ui.document(&measured)?;
    } else {
        show(ctx, &measured);
    }
    insist_it_held(&verdict)
}

/// Until somebody presses Enter, standard input ends, or ctrl-C.
fn await_the_end() {
    let (tell, told) = mpsc::channel();
    // It ends with the program, where nothing is ever said.
    thread::spawn(move || {
        let mut one = [0];
        let _ = std::io::stdin().read(&mut one);
        let _ = tell.send(());
    });
    while matches!(told.try_recv(), Err(TryRecvError::Empty)) {
        if wait::pause(wait::MEASURED_LOOK).is_err() {
            // That is an end like another, and what was seen is told.
            wait::begin_anew();
            return;
        }
    }
}

fn failures(observed: &Observed) -> Vec<Failed> {
    let one = |sent: f64, ended: f64, write: bool, reason: &str| Failed {
        sent: milliseconds(sent),
        ended: milliseconds(ended),
        write,
        reason: reason.to_owned(),
    };
    let attempts = observed.requests.iter().flat_map(|r| &r.attempts.failed);
    let attempts = attempts.map(|a| one(a.sent, a.ended, true, &a.reason));
    let writes = observed.requests.iter().filter_map(|r| match &r.outcome {
        Outcome::Failed { reason, .. } => Some(one(r.last_sent(), r.ended, true, reason)),
        Outcome::Acknowledged { .. } => None,
    });
    let reads = observed.reads.iter().filter_map(|look| match &look.seen {
        Seen::Failed(reason) => Some(one(look.sent, look.ended, false, reason)),
        _ => None,
    });
    let mut all: Vec<Failed> = attempts.chain(writes).chain(reads).collect();
    all.sort_by(|a, b| a.sent.total_cmp(&b.sent));
    all.truncate(TOLD);
    all
}

fn show(ctx: &Context, measured: &Measured) {
    let (client, verified) = (&measured.client, &measured.verified);
    let mut lines = vec![
        tr!(
            "Writes: {requests}, of which {failed} failed; reads: {reads}, of which \
             {reads_failed} failed. Longest gap between acknowledgements: {gap} s.",
            "Écritures : {requests}, en échec : {failed} ; lectures : {reads}, en échec : \
             {reads_failed}. Plus long intervalle entre deux acquittements : {gap} s.",
            requests = client.requests,
            failed = client.failed,
            reads = client.reads,
            reads_failed = client.reads_failed,
            gap = number(client.longest_gap_seconds),
        ),
        tr!(
            "Rows: {acknowledged} acknowledged, {lost} of those or of the earlier ones lost, \
             {phantom} phantom, {changed} changed, {doubt} in doubt.",
            "Lignes acquittées : {acknowledged} ; perdues, de celles-ci ou d'avant : {lost} ; \
             fantômes : {phantom} ; modifiées : {changed} ; douteuses : {doubt}.",
            acknowledged = measured.acknowledged,
            lost = measured.lost,
            phantom = verified.phantom,
            changed = verified.changed,
            doubt = verified.in_doubt,
        ),
    ];
    lines.extend(client.asked());
    lines.extend(measured.failures.iter().map(|one| {
        let what = if one.write {
            both("write", "écriture")
        } else {
            both("read", "lecture")
        };
        let (at, reason) = (number(one.sent), &one.reason);
        tr!("{at} s: {what}: {reason}", "{at} s : {what} : {reason}")
    }));
    for line in lines {
        ctx.ui.say(&line);
    }
    for doubt in &measured.doubts {
        ctx.ui.warn(doubt);
    }
}

fn insist_it_held(verdict: &Verdict) -> Result<()> {
    let (lost, changed, phantom) = (
        verdict.lost.len(),
        verdict.changed.len(),
        verdict.phantom.len(),
    );
    if lost + changed + phantom == 0 {
        return Ok(());
    }
    let said = tr!(
        "rows are not as they were promised: {lost} lost, {changed} changed, {phantom} that nobody \
         sent",
        "des lignes ne sont pas comme promis : {lost} perdues, {changed} modifiées, {phantom} que \
         personne n'a envoyées",
    );
    Err(Failure::promise(said).next("cargo xtask status").into())
}
