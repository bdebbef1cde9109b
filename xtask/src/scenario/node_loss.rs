//! Scenario 9: the node that holds both volumes stops without warning, and
//! returns. Nothing is restored: what was acknowledged is on its disk.

use anyhow::{Context as _, Result};
use terms::lang::{Both, both, number};
use terms::{PhaseName, ScenarioName, tr};

use crate::context::Context;
use crate::database;
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::measure::ledger::Ledger;
use crate::measure::result::ScenarioResult;
use crate::scenario::course::Course;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outage::{self, Outage};
use crate::scenario::outcome::Outcome;
use crate::scenario::repair::Repair;
use crate::scenario::run::Run;

pub const SCENARIO: Scenario = Scenario {
    number: 9,
    name: ScenarioName::NodeLoss,
    title: both(
        "the node that holds the volumes stops and returns",
        "le nœud qui porte les volumes s'arrête, puis revient",
    ),
    breaks: both(
        "that node, without warning; it is started again once users notice",
        "ce nœud, sans préavis ; il est redémarré dès que les utilisateurs le remarquent",
    ),
    holds: both(
        "the service comes back with the node; no acknowledged row is missing",
        "le service revient avec le nœud ; aucune ligne acquittée ne manque",
    ),
    takes: both("about 25 s", "environ 25 s"),
    needs: &[Capability::Url, Capability::Nodes],
    by_itself: false,
    takes_for_good: None,
    way: Way::Own {
        play,
        show,
        strike: Some(strike),
    },
    repair: REPAIR,
};

const DISASTER: Both = both(
    "disaster: the node that holds the volumes is stopped",
    "sinistre : le nœud qui porte les volumes est arrêté",
);
const RETURN: Both = both("the node is started again", "le nœud est redémarré");

const REPAIR: Repair = Repair {
    stops_nodes: true,
    ..Repair::WHERE_MISSING
};

struct Played {
    /// The newest restore point, and the node that was stopped.
    point: String,
    node: String,
    outage: Outage,
}

fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    let (steady, before) = run.begin(engine)?;
    let client = run.client(&steady.url)?;
    let played = course(run, engine, client.ledger())?;

    let outcome = Outcome::shown(run, || {
        let mut outcome = Outcome::compare(client, before, engine)?;
        outcome.read_point(&played.point, engine)?;
        Ok(outcome)
    })?;
    run.steady_state(engine)?;

    // The volume comes back with its node and nothing is restored, so with snapshots
    // alone nothing would have been lost either.
    let outage = Outage {
        backup: None,
        ..played.outage
    };
    let mut result = outage.result(run, engine, steady, &outcome, &[])?;
    result.insist_on_no_loss();
    result.lessons = lessons(&result, &played.node, &engine.nodes()?.look());
    Ok(result)
}

/// The same changes as [`play`] makes, shown only.
fn show(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::verified_backup(ctx, engine)?;
    strike(ctx, engine)?;
    engine.nodes()?.start()?;
    outage::protect(ctx, engine).map(drop)
}

fn strike(_ctx: &Context, engine: &dyn Engine) -> Result<()> {
    engine.nodes()?.stop().map(drop)
}

fn course(run: &Run, engine: &dyn Engine, ledger: &Ledger) -> Result<Played> {
    let (course, unfinished) = Course::begin(
        run,
        engine,
        ledger,
        outage::BACKUP.text(),
        outage::verified_backup,
    )?;
    let point = database::of(engine).latest_point()?;
    let point = point.with_context(|| {
        tr!(
            "the backup that was just made is not listed",
            "la sauvegarde qui vient d'être faite n'est pas dans la liste"
        )
    })?;
    course.will_begin_with(PhaseName::Provisioned);
    let struck = course.strike(&unfinished, DISASTER.text(), |_, engine| {
        engine.nodes()?.stop()
    })?;
    let noticed = course.noticed(struck.began)?;
    let mut phases = Vec::from_iter(course.decided(noticed)?);
    course.enters(PhaseName::Provisioned);
    let returned = course
        .act(RETURN.text(), |_, engine| engine.nodes()?.start())?
        .ended;
    course.served_again(returned)?;
    let protected = outage::protected_again(&course)?;
    unfinished.done()?;
    phases.push((PhaseName::Provisioned, returned));
    Ok(Played {
        point,
        node: struck.value,
        outage: Outage {
            struck: struck.began,
            gone: struck.ended,
            backup: Some(course.backup(0)),
            phases,
            protected,
            moments: course.into_moments(),
        },
    })
}

fn lessons(result: &ScenarioResult, node: &str, look: &str) -> Vec<String> {
    let rpo = &result.rpo;
    let mut lessons = vec![
        tr!(
            "RTO: users were without service for {seconds} s, and only the node's return ended \
             that: both volumes are folders on {node}, so no other node could run the pods.",
            "RTO : les utilisateurs ont été privés de service pendant {seconds} s, et seul le \
             retour du nœud y a mis fin : les deux volumes sont des dossiers de {node}, donc \
             aucun autre nœud ne pouvait exécuter les pods.",
            seconds = number(result.rto.seconds),
        ),
        tr!(
            "RPO: {lost} of {acknowledged} acknowledged rows were lost. An acknowledged write was \
             flushed to the disk, so it outlives every process; nothing had to be restored.",
            "RPO : lignes acquittées perdues : {lost} sur {acknowledged}. Une écriture acquittée \
             a été écrite jusqu'au disque, elle survit donc à tout processus ; il n'y avait rien \
             à restaurer.",
            lost = rpo.lost,
            acknowledged = rpo.acknowledged,
        ),
        tr!(
            "Had the node not come back, both volumes would be gone together, and only what was \
             brought elsewhere would be left. See scenario 10.",
            "Si le nœud n'était pas revenu, les deux volumes auraient disparu ensemble, et seul \
             ce qui avait été mis ailleurs serait resté. Voir le scénario 10.",
        ),
    ];
    lessons.extend(rpo.on_schedule());
    lessons.push(tr!(
        "Look at: {look} (the same pods, restarted), and the page of cargo xtask report.",
        "À regarder : {look} (les mêmes pods, redémarrés), et la page de cargo xtask report.",
    ));
    lessons
}
