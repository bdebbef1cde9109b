//! Copies elsewhere that a lab comes back from when all else is gone, where it makes them by
//! itself.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use terms::tr;

use crate::cli::Reading;
use crate::context::Context;
use crate::copy::elsewhere::{self, Pushed};
use crate::database;
use crate::engine::Engine;
use crate::exec::variable;
use crate::failure::Failure;
use crate::measure::ledger::Ledger;
use crate::offsite;
use crate::workspace;

/// By how much a moment of `/status`, which is told in milliseconds, may be rounded.
const ROUNDED: f64 = 0.002;

/// Of the backup volume at hand, for the shell of a dry run.
const PRINT_HISTORY: &str = r#"from pra.base import settings
from pra.offsite import push
print(push.key_of(settings.load().layout).history)
"#;

/// Copies elsewhere what is not there yet; `None` in a dry run.
///
/// # Errors
/// Something was left out.
pub fn pushed_whole(engine: &dyn Engine) -> Result<Option<Pushed>> {
    let Some(pushed) = elsewhere::push(engine, &[])? else {
        return Ok(None);
    };
    let pushed = pushed.value;
    let Some(fault) = pushed.faults.first() else {
        return Ok(Some(pushed));
    };
    Err(Failure::promise(tr!(
        "the copies elsewhere are not whole, and nothing was broken: {fault}",
        "les copies ailleurs ne sont pas entières, et rien n'a été cassé : {fault}",
    ))
    .next("cargo xtask offsite push")
    .into())
}

/// A lab whose copies cannot be opened here is not broken: it would not come back from them.
///
/// # Errors
/// It makes copies, and their private key is not in this checkout.
pub fn insist_on_key_of_copies(ctx: &Context) -> Result<()> {
    match ctx.config.offsite.destination() {
        Some(_) => insist_on_key(ctx),
        None => Ok(()),
    }
}

pub fn insist_on_key(ctx: &Context) -> Result<()> {
    let key = offsite::key(&ctx.workspace);
    if key.is_file() {
        return Ok(());
    }
    Err(Failure::usage(tr!(
        "the lab would have to come back from encrypted copies, and the private key that opens \
         them is not in {key}",
        "le lab devrait revenir de copies chiffrées, et la clé privée qui les ouvre n'est pas \
         dans {key}",
        key = key.display(),
    ))
    .next(tr!(
        "put it there from where it is kept; where there is none: cargo xtask offsite keygen",
        "remettez-la depuis l'endroit où elle est gardée ; s'il n'y en a pas : cargo xtask offsite \
         keygen",
    ))
    .into())
}

/// What a run knows of them.
#[derive(Default)]
pub struct Copies {
    /// Which of those in the place are this lab's.
    history: RefCell<Option<String>>,
    /// How far they were behind, as the lab said last, and until when all is there by that.
    behind: Cell<f64>,
    promised: Cell<f64>,
}

impl Copies {
    /// `None` where the lab makes none.
    pub fn of(ctx: &Context) -> Option<Self> {
        ctx.config.offsite.destination()?;
        Some(Self::default())
    }

    /// Everything that is there now is elsewhere, so that the disaster finds a lab that follows.
    ///
    /// # Errors
    /// Something was left out, or this machine does not read what is there: nothing would come back.
    pub fn begin(&self, ctx: &Context, engine: &dyn Engine) -> Result<()> {
        let Some(pushed) = pushed_whole(engine)? else {
            return Ok(());
        };
        let place = &pushed.place;
        let seen = elsewhere::list(ctx).with_context(|| {
            tr!(
                "looking from this machine whether the copies in {place} are there; nothing was \
                 broken",
                "recherche, depuis cette machine, des copies dans {place} ; rien n'a été cassé",
            )
        })?;
        let mut seen = seen.value.histories.iter();
        if !seen.any(|one| one.history == pushed.history && !one.hidden) {
            return Err(Failure::promise(tr!(
                "the copies that the lab makes in {place} are not those that this machine reads \
                 there, and nothing was broken",
                "les copies que le lab fait dans {place} ne sont pas celles que cette machine y lit, \
                 et rien n'a été cassé",
            ))
            .next("cargo xtask offsite list")
            .into());
        }
        self.history.replace(Some(pushed.history));
        Ok(())
    }

    /// Which of those in the place are this lab's; in a dry run as a shell finds it.
    pub fn history(&self, engine: &dyn Engine) -> Result<String> {
        let mut history = self.history.borrow_mut();
        if let Some(known) = history.as_ref() {
            return Ok(known.clone());
        }
        engine.show_python("HISTORY", PRINT_HISTORY)?;
        Ok(history.insert(variable("HISTORY")).clone())
    }

    /// Asks the lab, just before it is gone, how far its copies are behind.
    pub fn note(&self, ledger: &Ledger, engine: &dyn Engine) -> Result<()> {
        let url = engine.facts()?.url.unwrap_or_default();
        let now = ledger.now();
        let behind = database::readable(engine).state(&url)?.behind;
        let behind = behind.with_context(|| {
            tr!(
                "the lab does not say how far its copies elsewhere are behind",
                "le lab ne dit pas quel retard ont ses copies ailleurs",
            )
        })?;
        self.behind.set(behind);
        self.promised.set(now - behind - ROUNDED);
        Ok(())
    }

    /// Until when everything that was acknowledged has to come back, on the ledger's clock.
    pub fn promised(&self) -> f64 {
        self.promised.get()
    }

    /// How far they were behind at the disaster, in seconds.
    pub fn behind(&self) -> f64 {
        self.behind.get()
    }

    /// Brings the newest moment into a file of the run.
    pub fn bring(&self, ctx: &Context, folder: &Path) -> Result<PathBuf> {
        let reading = Reading {
            history: self.history.borrow().clone(),
            identity: None,
        };
        let fetched = elsewhere::fetch(ctx, "latest", &reading)?;
        for warning in &fetched.warnings {
            ctx.ui.warn(warning);
        }
        let Some(part) = fetched.part else {
            return Ok(fetched.path);
        };
        let file = folder.join("elsewhere.tar");
        workspace::put_in_place(&part.path, &file)?;
        Ok(file)
    }
}
