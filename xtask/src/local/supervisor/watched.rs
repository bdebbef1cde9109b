//! What watches the lab, brought to what is wanted of it.

use anyhow::Result;

use super::Supervisor;
use crate::local::desired::Wanted;
use crate::local::watching::Watching;

impl Supervisor {
    /// From here on that is wanted; one that runs as it is wanted reads its files anew.
    pub(super) fn watch(&mut self, wanted: Option<Wanted>) -> Result<()> {
        let now = if wanted.is_some() { "begins" } else { "ends" };
        self.shared.note(&format!("watching {now}"));
        self.change_desired(|desired| desired.watching = wanted)?;
        if let Some(watching) = &self.watching {
            watching.reload();
        }
        Ok(())
    }

    pub(super) fn keep_watch(&mut self) {
        let replicas: Vec<(String, u16)> = self
            .replicas
            .iter()
            .filter_map(|one| Some((one.name.clone(), one.port()?)))
            .collect();
        if let Some(watching) = &mut self.watching {
            let wanted = self.shared.desired.watching.as_ref();
            if wanted != Some(watching.wanted()) {
                watching.stop();
            }
            watching.advance(&self.shared, &replicas);
            if !watching.is_gone() {
                return;
            }
            self.watching = None;
        }
        if let Some(wanted) = self
            .shared
            .desired
            .watching
            .as_ref()
            .filter(|_| !self.stopping)
        {
            self.watching = Some(Watching::begin(wanted, &self.shared, &replicas));
        }
    }
}
