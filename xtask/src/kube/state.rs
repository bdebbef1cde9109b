//! What the cluster says of the lab.

use std::time::Duration;

use anyhow::Result;

use super::Kube;
use crate::facts::Facts;
use crate::failure::{self, Kind};
use crate::tools::{kube_state, kubectl};

impl Kube {
    /// The lab as the cluster has it, without its URL; else why there is no answer.
    pub fn state(&self, limit: Duration) -> Result<Result<Facts, String>> {
        let cmd = self.kubectl()?.cmd(kubectl::GET_STATE).limit(limit);
        match self.ctx.exec.probe(&cmd) {
            Ok(said) if said.status.success() => Ok(Ok(kube_state::facts(
                &said.stdout,
                self.workload.deployment,
            )?)),
            Ok(said) => Ok(Err(said.stderr.trim().to_owned())),
            // Something in between goes on listening while the server is stopped.
            Err(error) if failure::kind(&error) == Kind::Timeout => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
    }
}
