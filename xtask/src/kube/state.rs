//! What the cluster says of the lab.

use std::time::Duration;

use anyhow::Result;

use super::Kube;
use crate::exec::Output;
use crate::facts::Facts;
use crate::failure::{self, Kind};
use crate::tools::{kube_others, kube_state, kubectl};

const VOLUMES: &str = ",persistentvolumes";

impl Kube {
    /// The lab as the cluster has it, without its URL; else why there is no answer.
    pub fn state(&self, limit: Duration) -> Result<Result<Facts, String>> {
        let answer = match self.workload.database {
            Some(_) => self.get(kubectl::GET_REPLICATED_STATE, limit),
            None => self.get(kubectl::GET_STATE, limit),
        };
        let answer = answer.and_then(|said| {
            // Before it is deployed, the cluster does not know what a database is.
            match said.stderr.contains(kubectl::UNKNOWN_KIND) {
                true => self.get(kubectl::GET_STATE, limit),
                false => Ok(said),
            }
        });
        match answer {
            Ok(said) if said.status.success() => {
                let said = self.without_others(said.stdout)?;
                Ok(Ok(kube_state::facts(&said, self.workload.deployment)?))
            }
            Ok(said) => Ok(Err(said.stderr.trim().to_owned())),
            // Something in between goes on listening while the server is stopped.
            Err(error) if failure::kind(&error) == Kind::Timeout => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Reads objects, and volumes with them as far as this account may.
    pub(super) fn get(&self, words: &[&str], limit: Duration) -> Result<Output> {
        let without = || words.iter().map(|word| word.replace(VOLUMES, ""));
        let ask = |words: Vec<String>| {
            let cmd = self.kubectl()?.cmd(words).limit(limit);
            self.ctx.exec.probe(&cmd)
        };
        if self.sight.has_no_volumes() {
            return ask(without().collect());
        }
        let said = ask(words.iter().map(|&word| word.to_owned()).collect())?;
        if said.status.success() || !said.stderr.contains("persistentvolumes is forbidden") {
            return Ok(said);
        }
        self.sight.lose();
        ask(without().collect())
    }

    /// In a namespace that the lab was given there may be claims and jobs of others.
    pub(super) fn without_others(&self, objects: String) -> Result<String> {
        match self.rendering.is_some() {
            true => kube_others::of_the_lab(&objects),
            false => Ok(objects),
        }
    }
}
