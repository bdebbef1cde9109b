//! Copies elsewhere of a local lab.

use anyhow::Result;

use super::LocalEngine;
use crate::exec::{self, Output, environment};
use crate::offsite::{self, Settings};
use crate::wait;

impl LocalEngine {
    /// The settings of copies elsewhere, as they are declared; `None` where none are to be made.
    pub(super) fn copying(&self) -> Result<Option<Settings>> {
        let wanted = self.offsite.destination();
        let settings = wanted.map(|_| offsite::copying(&self.offsite, &self.workspace));
        settings.transpose()
    }

    /// What a replica has, and what reaches the copies besides.
    pub(super) fn of_copies(&self, args: &[&str]) -> Result<Option<Output>> {
        let settings = offsite::copying(&self.offsite, &self.workspace)?;
        let cmd = self.in_a_replica(&[&["-m", "pra", "offsite"], args].concat())?;
        let cmd = cmd.envs(&settings).secrets(environment::of_the_store());
        if !self.exec.change(&cmd.to_string()) {
            return Ok(None);
        }
        exec::output(&cmd.limit(wait::COPY)).map(Some)
    }
}
