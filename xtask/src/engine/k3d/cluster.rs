//! The stage `cluster`: k3d's cluster exists, runs, answers and is the lab's.

use anyhow::Result;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use super::site::Site;
use crate::failure::Failure;
use crate::lab;
use crate::tools::k3d::{self, Plan};
use crate::wait;

impl Site {
    /// Creates, starts or repairs the cluster, as needed.
    pub fn ensure_cluster(&self) -> Result<()> {
        let name = self.plan.cluster;
        let found = self.cluster()?;
        let unfinished = self.creation_mark().exists();
        let Some(cluster) = found else {
            return self.create_cluster();
        };
        if unfinished || !cluster.has_server() {
            return self.recreate();
        }
        if !cluster.is_running() {
            let step = self.ctx.ui.step(format!("cluster {name}"));
            let cmd = self.k3d(k3d::start(name))?.limit(wait::CLUSTER);
            self.ctx.exec.run(&cmd).map_err(|error| {
                error.context(
                    Failure::tool(format!("starting the stopped cluster {name}"))
                        .next(format!("k3d cluster delete {name} && cargo xtask setup")),
                )
            })?;
            step.done("started again");
        }
        self.ensure_answers()?;
        if !self.owns()? {
            self.adopt()?;
        }
        Ok(())
    }

    fn create_cluster(&self) -> Result<()> {
        let config = &self.ctx.config.k3d;
        let ports = self.free_ports()?;
        let plan = Plan {
            name: self.plan.cluster,
            servers: *config.servers().get_ref(),
            agents: *config.agents().get_ref(),
            image: &config.node_image,
            ports: &ports,
        };
        let cmd = self.k3d(k3d::create(&plan))?.limit(wait::CLUSTER);
        if self.ctx.exec.dry_run() {
            return self.ctx.exec.run(&cmd);
        }
        let step = self.ctx.ui.step(format!("cluster {}", self.plan.cluster));
        self.ctx.lab.create()?;
        lab::write_file(&self.creation_mark(), "k3d was asked for this cluster\n")?;
        self.ctx.exec.run(&cmd).map_err(explain_creation)?;
        std::fs::remove_file(self.creation_mark())?;
        step.done("created");
        Ok(())
    }

    /// Present from before the creation until it succeeded.
    fn creation_mark(&self) -> PathBuf {
        let name = format!("creating-{}", self.plan.cluster);
        self.ctx.lab.state().join(name)
    }

    /// A creation that was cut off left nothing worth keeping, but asking is
    /// right all the same: the cluster may be somebody's.
    fn recreate(&self) -> Result<()> {
        let name = self.plan.cluster;
        if !self.created()? {
            self.ctx.confirm(&format!(
                "The cluster {name} is only half there and not marked as the lab's. \
                 Delete it and create it anew?"
            ))?;
        }
        let step = self.ctx.ui.step(format!("half-created cluster {name}"));
        let cmd = self.k3d(k3d::delete(name))?.limit(wait::CLUSTER);
        self.ctx.exec.run(&cmd)?;
        step.done("deleted");
        self.create_cluster()
    }

    /// The API answers under the lab's context, written anew where it is
    /// missing.
    pub(super) fn ensure_answers(&self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        let cmd = self.kubectl()?.cmd(["get", "--raw", "/readyz"]);
        let merge = self.k3d(k3d::merge_kubeconfig(self.plan.cluster))?;
        wait::until(wait::API_UP, || {
            let output = self.ctx.exec.probe(&cmd)?;
            if output.status.success() {
                return Ok(Some(()));
            }
            if output.stderr.contains("does not exist") {
                self.ctx.exec.run(&merge)?;
            }
            Ok(None)
        })
    }

    fn free_ports(&self) -> Result<Vec<(u16, u16)>> {
        let ports = self.plan.ports.iter();
        ports
            .map(|port| Ok((free_port(port.host)?, port.node)))
            .collect()
    }
}

/// The port itself, or any free one for 0.
pub(super) fn free_port(port: u16) -> Result<u16> {
    let taken = |error| {
        Failure::preflight(format!("port {port} of this machine: {error}"))
            .next("set another port in lab.toml (0 takes any free one)")
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
    Ok(listener.local_addr()?.port())
}

/// Puts into plain words why k3d fails on students' machines.
fn explain_creation(error: anyhow::Error) -> anyhow::Error {
    let said = format!("{error:#}");
    let failure = if said.contains("toomanyrequests") || said.contains("429") {
        Failure::preflight("Docker Hub refuses further downloads for a while (429)").next(
            "docker login, or wait an hour, then run the same command again: \
             it goes on where it stopped",
        )
    } else if said.contains("too many open files") || said.contains("inotify") {
        Failure::preflight("the nodes ran out of inotify watches (k3s#10020)").next(
            "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
        )
    } else if said.contains("port is already allocated") || said.contains("address already in use")
    {
        Failure::preflight("a port of the cluster is taken by another program")
            .next("set another port in lab.toml (0 takes any free one), then cargo xtask setup")
    } else if said.contains("no space left on device") {
        Failure::preflight("Docker's disk is full")
            .next("docker system df, and docker system prune to free space")
    } else {
        return error;
    };
    error.context(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};

    #[test]
    fn known_troubles_of_k3d_are_put_into_plain_words() {
        let cases = [
            (
                "toomanyrequests: You have reached your pull rate limit",
                "429",
            ),
            (
                "failed to create fsnotify watcher: too many open files",
                "inotify",
            ),
            (
                "Bind for 0.0.0.0:8080 failed: port is already allocated",
                "port",
            ),
            ("write /x: no space left on device", "disk"),
        ];
        for (said, plain) in cases {
            let error = explain_creation(Failure::tool(said).into());
            assert_eq!(kind(&error), Kind::Preflight, "{said}");
            assert!(error.to_string().contains(plain), "{error}");
            assert!(next(&error).is_some());
        }
        let other = explain_creation(Failure::tool("something else").into());
        assert_eq!(kind(&other), Kind::Tool);
    }
}
