//! Scenario 4 of the lab `ha`: the primary's node is gone, and with it one of the
//! operators that would replace it.

use anyhow::Result;
use terms::lang::both;
use terms::{ScenarioName, tr};

use super::lessons;
use super::loss::{self, Heal, Loss, Story};
use crate::context::Context;
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::facts::topology::node_of;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::repair::Repair;
use crate::wait;

pub const SCENARIO: Scenario = Scenario {
    number: 4,
    name: ScenarioName::NodeLoss,
    title: both(
        "the primary's node is gone, and the leading operator with it",
        "le nœud du primaire disparaît, et l'opérateur en charge avec lui",
    ),
    breaks: both(
        "that node, without warning; it comes back once everything is measured",
        "ce nœud, sans préavis ; il revient une fois tout mesuré",
    ),
    holds: both(
        "the service goes on without that node; no acknowledged row is missing, then or once it \
         is back",
        "le service continue sans ce nœud ; aucune ligne acquittée ne manque, ni alors ni à son \
         retour",
    ),
    takes: both("about 3 minutes", "environ 3 minutes"),
    needs: &[Capability::Url, Capability::Nodes],
    by_itself: true,
    takes_for_good: None,
    way: Way::Loss(&LOSS),
    repair: Repair::OF_NODES,
};

const LOSS: Loss = Loss {
    prepare: Some(put_primary_beside_leader),
    breaks: both(
        "disaster: the primary's node is killed",
        "sinistre : le nœud du primaire est tué",
    ),
    strike: |engine, aim| engine.nodes()?.kill(&aim.node),
    heal: Some(Heal {
        words: both("the node is started again", "le nœud est redémarré"),
        act: |engine, _| engine.nodes()?.start(),
    }),
    lessons: told,
    ..Loss::OF_THE_PRIMARY
};

/// The worst case on purpose: who has to notice is lost as well.
fn put_primary_beside_leader(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    if ctx.exec.dry_run() {
        return Ok(());
    }
    let kube = engine.replicated()?;
    let topology = kube.topology()?;
    let leader = kube.leading_operator()?;
    let node = node_of(&topology.operators, &leader);
    let beside = topology
        .instances
        .iter()
        .find(|one| Some(one.node.as_str()) == node);
    let Some(instance) = beside.filter(|one| one.name != topology.database.primary) else {
        return Ok(());
    };
    let name = &instance.name;
    let step = ctx.ui.step(tr!(
        "{name}, on the leading operator's node, becomes the primary",
        "{name}, sur le nœud de l'opérateur en charge, devient le primaire",
    ));
    kube.switch_over(name)?;
    wait::until(wait::SUCCEEDED, || {
        let database = kube.topology()?.database;
        Ok((database.primary == *name && database.target == *name).then_some(()))
    })?;
    loss::wait_until_whole(engine)?;
    step.done(tr!("in an orderly way", "en bon ordre"));
    Ok(())
}

fn told(story: &Story) -> Vec<String> {
    let (node, gone_again) = (&story.aim.node, story.gone_again);
    let (taken_over, leader) = (lessons::taken_over(story), leader(story));
    vec![
        lessons::downtime(story),
        tr!(
            "A node that is gone cannot say so: the others wait until its silence is long enough \
             (node-monitor-grace-period). {leader} {taken_over} Two of three servers are a majority; one \
             alone could have decided nothing.",
            "Un nœud disparu ne peut pas le dire : les autres attendent que son silence soit assez long \
             (node-monitor-grace-period). {leader} {taken_over} Deux serveurs sur trois sont une majorité ; \
             un seul n'aurait rien pu décider.",
        ),
        lessons::loss(story),
        tr!(
            "Once {node} was back, all instances were ready, and of the rows that were there before that \
             {gone_again} were gone.",
            "Une fois {node} revenu, toutes les instances étaient prêtes, et parmi les lignes présentes avant \
             cela, {gone_again} avaient disparu.",
        ),
        lessons::look(),
    ]
}

/// Who led before and after, as the lease of the operators said.
fn leader(story: &Story) -> String {
    match (&story.aim.leader, story.led_by) {
        (Some(before), Some(after)) if before != after => tr!(
            "The operator that led, {before}, was replaced by {after}.",
            "L'opérateur en charge, {before}, a été relayé par {after}.",
        ),
        (Some(before), Some(_)) => tr!(
            "The operator that led, {before}, went on leading.",
            "L'opérateur en charge, {before}, l'est resté.",
        ),
        _ => tr!(
            "Which operator led was not seen.",
            "Quel opérateur était en charge n'a pas été vu.",
        ),
    }
}
