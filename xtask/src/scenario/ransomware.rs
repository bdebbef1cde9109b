//! Scenario 13: somebody has the credentials of the lab, encrypts both volumes and empties the
//! bucket. What is left is what the bucket's lock keeps, and the private key on this machine.

use anyhow::{Context as _, Result};
use terms::lang::both;
use terms::{ScenarioName, tr};

use crate::cli::Reading;
use crate::config::Destination;
use crate::context::Context;
use crate::copy::elsewhere;
use crate::database;
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::failure::Failure;
use crate::measure::attack::Attack;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::elsewhere::{Copies, insist_on_key, pushed_whole};
use crate::scenario::everything::{self, Loss};
use crate::scenario::outage;
use crate::scenario::repair::Repair;

pub const SCENARIO: Scenario = Scenario {
    number: 13,
    name: ScenarioName::Ransomware,
    title: both(
        "somebody encrypts both volumes and empties the bucket of the copies",
        "quelqu'un chiffre les deux volumes et vide le bucket des copies",
    ),
    breaks: both(
        "with the lab's own credentials: every file of both volumes, the restore points, and the \
         copies elsewhere as far as the store lets them be removed",
        "avec les identifiants du lab lui-même : chaque fichier des deux volumes, les points de \
         restauration, et les copies ailleurs autant que le stockage les laisse supprimer",
    ),
    holds: both(
        "all but what the copies elsewhere were behind is back on a new lab, from the versions \
         that a lock keeps; refused where no lock keeps them",
        "tout, sauf le retard des copies ailleurs, est de retour dans un nouveau lab, à partir des \
         versions qu'un verrou conserve ; refusé si aucun verrou ne les conserve",
    ),
    takes: both(
        "about 40 s on the local engine",
        "environ 40 s sur le moteur local",
    ),
    needs: &[Capability::Url, Capability::Whole],
    by_itself: false,
    takes_for_good: Some(both(
        "every restore point and the journal; what is not copied elsewhere yet; and of the copies \
         of this lab in the bucket all but the versions that its lock keeps",
        "tous les points de restauration et le journal ; ce qui n'est pas encore copié ailleurs ; \
         et, des copies de ce lab dans le bucket, tout sauf les versions que son verrou conserve",
    )),
    way: Way::Everything(&LOSS),
    repair: Repair {
        spoils: true,
        ..everything::REPAIR
    },
};

const LOSS: Loss = Loss {
    insist,
    prove,
    breaks: both(
        "attack: both volumes encrypted, bucket emptied as far as it lets itself be, lab destroyed",
        "attaque : les deux volumes chiffrés, le bucket vidé autant qu'il se laisse vider, le lab \
         détruit",
    ),
    strike,
    lesson: both(
        "A whole lab had to be built before any data could come back.",
        "Il a fallu reconstruire tout un lab avant de pouvoir ramener les données.",
    ),
};

/// By whoever has the credentials of what copies.
const EMPTY: &str = include_str!("ransomware/bucket.py");

/// # Errors
/// The copies would not survive, or nobody could open them.
fn insist(ctx: &Context) -> Result<()> {
    let refusal = match ctx.config.offsite.destination() {
        None => tr!(
            "ransomware leaves nothing but copies elsewhere, and lab.toml names no place for any",
            "ransomware ne laisse que des copies ailleurs, et lab.toml ne nomme aucun endroit où en \
             faire",
        ),
        Some(Destination::Folder(folder)) => tr!(
            "ransomware removes the copies as well, and nothing in the folder {folder} is locked \
             against that: nothing would come back",
            "ransomware supprime aussi les copies, et rien dans le dossier {folder} n'est \
             verrouillé contre cela : rien ne reviendrait",
            folder = folder.display(),
        ),
        Some(Destination::Embedded | Destination::Bucket(_)) => return insist_on_key(ctx),
    };
    Err(Failure::usage(refusal)
        .next(tr!(
            "state \"embedded\", or a bucket with object lock, in lab.toml: to of [offsite]",
            "indiquez « embedded », ou un bucket avec object lock, dans lab.toml : to de [offsite]",
        ))
        .into())
}

/// # Errors
/// Nothing keeps the copies from being removed, or the key at hand does not bring them back.
fn prove(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let step = ctx.ui.step(tr!(
        "copies locked, opened by the key at hand and restored aside",
        "copies verrouillées, ouvertes par la clé disponible et restaurées à part",
    ));
    // With a new point the locks of all that it needs are renewed.
    outage::verified_backup(ctx, engine)?;
    let pushed = pushed_whole(engine)?.with_context(|| {
        tr!(
            "the copies were only shown",
            "les copies n'ont été que montrées"
        )
    })?;
    if let Some(lock) = &pushed.lock {
        let place = &pushed.place;
        return Err(Failure::usage(tr!(
            "the copies in {place} would not survive, and nothing was broken: {lock}",
            "les copies dans {place} ne survivraient pas, et rien n'a été cassé : {lock}",
        ))
        .next(tr!(
            "lock the bucket: docs/runbook.md, \"Copies in a bucket or on another disk\"",
            "verrouillez le bucket : docs/runbook.md, \"Copies in a bucket or on another disk\"",
        ))
        .into());
    }
    let reading = Reading {
        history: Some(pushed.history),
        identity: None,
    };
    let Some(found) = elsewhere::verify(ctx, &reading, &["--sample", "0"])? else {
        return Ok(());
    };
    let found = found.value;
    if !found.ok {
        return Err(Failure::promise(tr!(
            "the copies elsewhere are damaged, and nothing was broken: {fault}",
            "les copies ailleurs sont endommagées, et rien n'a été cassé : {fault}",
            fault = found.first_fault(),
        ))
        .next("cargo xtask offsite verify --all")
        .into());
    }
    if !found.deleted_seen || !elsewhere::lab_sees_deleted(engine)? {
        return Err(Failure::usage(tr!(
            "the credentials at hand, or those of the lab, may not list versions: what an attack \
             deletes could not be found again, and nothing was broken",
            "les identifiants disponibles, ou ceux du lab, ne permettent pas de lister les \
             versions : ce qu'une attaque supprime ne se retrouverait pas, et rien n'a été cassé",
        ))
        .next(tr!(
            "allow s3:ListBucketVersions on the bucket, then the same command again",
            "autorisez s3:ListBucketVersions sur le bucket, puis relancez la même commande",
        ))
        .into());
    }
    step.done(tr!("they would survive", "elles survivraient"));
    Ok(())
}

/// The volumes first: from then on nothing is acknowledged that is lost, and nothing copied.
fn strike(_ctx: &Context, engine: &dyn Engine, copies: Option<&Copies>) -> Result<Option<Attack>> {
    let copies = copies.with_context(|| {
        tr!(
            "the lab makes no copies elsewhere",
            "le lab ne fait pas de copies ailleurs"
        )
    })?;
    let history = copies.history(engine)?;
    let volumes = database::of(engine).encrypt_all()?;
    let said = engine.python_beside_copies(EMPTY, &[&history])?;
    engine.down()?;
    let Some((volumes, said)) = volumes.zip(said) else {
        return Ok(None);
    };
    let copies = serde_json::from_str(&said).with_context(|| {
        tr!(
            "understanding what became of the bucket",
            "lecture de ce qu'est devenu le bucket"
        )
    })?;
    Ok(Some(Attack { volumes, copies }))
}
