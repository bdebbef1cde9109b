//! What is asked of a replicated lab: where its parts are, what has happened to them,
//! and what an accident or an administrator does to them.

use anyhow::{Context as _, Result};
use terms::tr;

use super::Kube;
use crate::exec::{Cmd, kept_in, quote, variable};
use crate::facts::topology::Topology;
use crate::tools::kube_events::{self, Happened};
use crate::tools::kube_topology::{self, Named};
use crate::tools::kubectl;
use crate::wait;

impl Kube {
    pub(super) fn database(&self) -> Result<&'static str> {
        let database = self.workload.database;
        database.with_context(|| {
            tr!(
                "this lab has no database with several instances",
                "ce lab n'a pas de base à plusieurs instances"
            )
        })
    }

    pub fn topology(&self) -> Result<Topology> {
        // A server that is lost or cut off may be the one that is asked.
        let limit = format!("--request-timeout={}s", wait::TOPOLOGY_LOOK.as_secs());
        let cmd = self.kubectl()?.cmd(kube_topology::GET).args([limit]);
        let cmd = cmd.limit(wait::TOPOLOGY_LOOK * 2);
        let named = Named {
            namespace: &self.workload.namespace,
            deployment: self.workload.deployment,
            database: self.database()?,
        };
        kube_topology::topology(&self.ctx.exec.read(&cmd)?, &named)
    }

    /// The operator that decides at this moment.
    pub fn leading_operator(&self) -> Result<String> {
        let kubectl = self.kubectl()?.within(kube_topology::OF_OPERATORS);
        let cmd = kubectl.cmd(kube_topology::GET_LEADER);
        let holder = self.ctx.exec.read(&cmd)?;
        // The pod, and what tells one process of it from the next.
        let pod = holder
            .trim()
            .rsplit_once('_')
            .map(|(pod, _)| pod.to_owned());
        pod.with_context(|| tr!("no operator leads", "aucun opérateur ne dirige"))
    }

    /// Has an instance become the primary in an orderly way; does not wait.
    pub fn switch_over(&self, instance: &str) -> Result<()> {
        let words = kube_topology::promote(self.database()?, instance);
        self.ask(words)
    }

    /// In a dry run alone: shows how a shell keeps the primary, its node and the addresses
    /// of all other nodes in variables.
    pub fn show_primary(&self, primary: &str, node: &str, others: &str) -> Result<()> {
        let kubectl = self.kubectl()?;
        let which = kube_topology::which_primary(self.database()?);
        let exec = &self.ctx.exec;
        exec.show(&kept_in(primary, &kubectl.cmd(which).to_string()));
        let pod = variable(primary);
        let place = ["get", "pod", &pod, "-o", "jsonpath={.spec.nodeName}"];
        exec.show(&kept_in(node, &kubectl.cmd(place).to_string()));
        let away = format!("--field-selector=metadata.name!={}", variable(node));
        let addresses = ["get", "nodes", &away, "-o", kube_topology::ADDRESSES];
        exec.show(&kept_in(others, &kubectl.cmd(addresses).to_string()));
        Ok(())
    }

    /// In a dry run alone: shows how a shell keeps the two servers without the primary in
    /// variables.
    pub fn show_servers(&self, first: &str, second: &str) -> Result<()> {
        self.show_primary("PRIMARY", "NODE", "OTHERS")?;
        let away = format!("--field-selector=metadata.name!={}", variable("NODE"));
        for (name, place) in [(first, 0), (second, 1)] {
            let one = format!("jsonpath={{.items[{place}].metadata.name}}");
            let cmd = self.kubectl()?.cmd(["get", "nodes", &away, "-o", &one]);
            self.ctx.exec.show(&kept_in(name, &cmd.to_string()));
        }
        Ok(())
    }

    /// Every event that the cluster still knows of, the oldest first.
    pub fn happened(&self) -> Result<Vec<Happened>> {
        let cmd = self.kubectl()?.cmd(kube_events::GET);
        kube_events::events(&self.ctx.exec.read(&cmd)?)
    }

    /// Ends a pod at once, without any warning to what runs in it.
    pub fn end(&self, pod: &str) -> Result<()> {
        self.ask(kubectl::delete_pod(pod, true))
    }

    /// Deletes an instance of the database with its volume. The claim goes first: a pod
    /// that is made anew in between would find it.
    pub fn lose_instance(&self, instance: &str) -> Result<()> {
        self.ask(kubectl::delete_claim_later(instance))?;
        self.end(instance)
    }

    /// Has the primary leave its node: the operator moves it from one that is closed to new
    /// pods. Returns when the service leads to the next one.
    ///
    /// The pod of the old one is deleted as soon as the next one is promoted, and not before:
    /// until then it may have commits to send. It would be evicted with the node anyway; now
    /// the operator does not ask it how its restart as a standby goes, for which it would keep
    /// everybody waiting.
    pub fn hand_over(&self, node: &str, primary: &str) -> Result<()> {
        const NEXT: &str = "NEXT";
        self.ask(kubectl::cordon(node))?;
        let which = kube_topology::which_primary(self.database()?);
        let which = self.kubectl()?.cmd(which);
        let exec = &self.ctx.exec;
        let next = if exec.dry_run() {
            exec.show(&shown_until_other(&which, primary));
            exec.show(&kept_in(NEXT, &which.to_string()));
            variable(NEXT)
        } else {
            wait::until(wait::PROMOTED, || {
                let leads = exec.read(&which)?.trim().to_owned();
                Ok((leads != primary).then_some(leads))
            })?
        };
        self.ask(kubectl::delete_pod(primary, false))?;
        let cmd = kube_topology::wait_until_served(&next, wait::DRAINED);
        let cmd = self.kubectl()?.cmd(cmd);
        exec.run(&cmd.limit(wait::DRAINED * 2))
    }

    /// Moves everything from a node, as before it is worked on.
    pub fn drain(&self, node: &str) -> Result<()> {
        let cmd = self.kubectl()?.cmd(kubectl::drain(node, wait::DRAINED));
        self.ctx.exec.run(&cmd.limit(wait::DRAINED * 2))
    }

    /// Opens a node to pods again.
    pub fn uncordon(&self, node: &str) -> Result<()> {
        self.ask(kubectl::uncordon(node))
    }
}

/// The shell that waits until a command prints something else.
fn shown_until_other(cmd: &Cmd, said: &str) -> String {
    format!(
        "while [ \"$({cmd})\" = {} ]; do sleep 0.2; done",
        quote(said)
    )
}
