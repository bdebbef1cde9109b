//! PostgreSQL with instances on several servers: what is acknowledged is on two of them.
//! There are no restore points here, so nothing is restored.

use anyhow::Result;

use terms::tr;

use super::readable::{Readable, State};
use crate::app::{self, Standby, Status};
use crate::engine::Engine;
use crate::measure::compare::Rows;

pub struct Postgres<'a> {
    pub engine: &'a dyn Engine,
}

impl Readable for Postgres<'_> {
    fn dump(&self) -> Result<Rows> {
        app::dump(self.engine)
    }

    fn state(&self, url: &str) -> Result<State> {
        let status = app::status(url)?;
        let topology = self.engine.replicated()?.topology()?;
        let apart = || unconfirmed(&status, topology.instances.len());
        Ok(State {
            protection: status.protection,
            needs_restore: status.needs_restore,
            full: Vec::new(),
            behind: None,
            trouble: topology.trouble().or_else(apart),
        })
    }
}

/// Why some other instance would not have what is written next, as the primary sees it.
fn unconfirmed(status: &Status, instances: usize) -> Option<String> {
    if let Some(said) = status.unprotected() {
        return Some(said.to_owned());
    }
    // What the role may not see is no trouble.
    let standbys = status.standbys()?;
    let streaming = |one: &&Standby| one.state.as_deref() == Some("streaming");
    let there = standbys.iter().filter(streaming).count();
    let wanted = instances.saturating_sub(1);
    (there < wanted).then(|| {
        tr!(
            "{there} of {wanted} standbys follow the primary",
            "secondaires qui suivent le primaire : {there} sur {wanted}",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn said(replicas: Value, unprotected: Value) -> Option<String> {
        let status = json!({"count": 1, "protection": "replication", "needs_restore": false,
                            "replicas": replicas, "unprotected": unprotected});
        unconfirmed(&serde_json::from_value(status).unwrap(), 3)
    }

    #[test]
    fn every_other_instance_has_to_follow_the_primary() {
        let one = |state: &str| json!({"name": "pg-1", "state": state});
        let all = json!([one("streaming"), one("streaming")]);
        assert_eq!(said(all.clone(), Value::Null), None);
        let late = json!([one("streaming"), one("catchup")]);
        let trouble = said(late, Value::Null).unwrap();
        assert_eq!(trouble, "1 of 2 standbys follow the primary");
        assert_eq!(said(all, json!("fsync is off")).unwrap(), "fsync is off");
        assert_eq!(said(Value::Null, Value::Null), None);
    }
}
