//! The check that a recovered lab is protected: a new verified point, and a journaled
//! write.

use anyhow::Result;
use terms::lang::both;
use terms::{Labelled, tr};

use crate::app::{self, Document, Proof, Taken};
use crate::context::Context;
use crate::engine::Engine;

/// Proof that what came back is protected again.
pub struct Protected {
    backup: Document<Taken>,
    proof: Document<Proof>,
}

/// Takes a new verified point of the new state, and sees the journal take the
/// next write; `None` in a dry run.
///
/// # Errors
/// One of the two cannot be had.
pub fn again(ctx: &Context, engine: &dyn Engine) -> Result<Option<Protected>> {
    let step = ctx.ui.step(tr!("new backup", "nouvelle sauvegarde"));
    let backup = app::backup(engine)?;
    step.done(
        if backup.is_some() {
            both("taken", "prise")
        } else {
            both("shown", "montré")
        }
        .text(),
    );
    let step = ctx.ui.step(tr!(
        "proof that writes are journaled",
        "preuve que les écritures sont journalisées",
    ));
    let proof = app::prove(engine)?;
    step.done(match &proof {
        Some(proof) => proof.value.to_string(),
        None => both("shown", "montré").into(),
    });
    Ok(backup
        .zip(proof)
        .map(|(backup, proof)| Protected { backup, proof }))
}

impl Protected {
    /// For a document: what the package said of both.
    pub fn members(&self) -> String {
        let (backup, proof) = (&self.backup.text, &self.proof.text);
        format!(r#""backup":{backup},"proof":{proof}"#)
    }

    pub fn words(&self) -> String {
        let point = &self.backup.value.point;
        tr!(
            "Protected again: {name} is {status}; {proof}.",
            "De nouveau protégé : {name} est {status} ; {proof}.",
            name = point.name,
            status = point.status.label(),
            proof = self.proof.value,
        )
    }
}
