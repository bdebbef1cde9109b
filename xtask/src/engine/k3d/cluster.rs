//! The stage `cluster`: k3d's cluster exists, runs, answers and is the lab's.

use anyhow::Result;
use std::path::PathBuf;
use terms::lang::{Both, both};
use terms::tr;

use super::kubeconfig;
use super::site::Site;
use crate::balance::free_port;
use crate::failure::Failure;
use crate::kube::fingerprint;
use crate::kube::ownership::Owner;
use crate::tools::k3d::{self, Cluster, Plan};
use crate::tools::known_errors::{self, KnownError};
use crate::wait;
use crate::workspace;

impl Site {
    /// Creates, starts or repairs the cluster, as needed, and returns it;
    /// `None` where a dry run has created none.
    pub fn ensure_cluster(&self) -> Result<Option<Cluster>> {
        self.ensure_from(self.cluster()?)
    }

    /// As [`Site::ensure_cluster`], from the cluster that was found.
    pub(super) fn ensure_from(&self, found: Option<Cluster>) -> Result<Option<Cluster>> {
        // k3d would say it once the cluster is made, and Ansible not at all.
        kubeconfig::check()?;
        if self.has_deletion_to_end()? {
            self.end_deletion()?;
            self.create_cluster()?;
            return self.cluster();
        }
        let Some(mut cluster) = found else {
            self.create_cluster()?;
            return self.cluster();
        };
        if self.is_half_created(&cluster)? {
            self.recreate(&cluster)?;
            return self.cluster();
        }
        let mut agreed = None;
        if !cluster.is_running() {
            agreed = Some(self.agree_to_start()?);
            self.start()?;
            cluster = self.cluster()?.unwrap_or(cluster);
        }
        let (owner, granted) = std::thread::scope(|scope| {
            let granted = scope.spawn(|| self.has_short_conntrack(&cluster));
            self.ensure_answers()?;
            let owner = match &agreed {
                // Nothing was started that could be asked.
                Some(presumed) if self.ctx.exec.dry_run() => presumed.clone(),
                _ => self.owner()?,
            };
            anyhow::Ok((owner, wait::join(granted)?))
        })?;
        if owner != Owner::Us {
            if agreed.as_ref() != Some(&owner) {
                self.ask_to_adopt(&owner)?;
            }
            self.take_over(&owner)?;
        }
        if !granted {
            self.shorten_conntrack(&cluster.nodes())?;
        }
        self.remark_on_nodes()?;
        Ok(Some(cluster))
    }

    pub(super) fn start(&self) -> Result<()> {
        let name = self.name;
        let step = self.ctx.ui.step(format!("cluster {name}"));
        let cmd = self.k3d(k3d::start(name))?.limit(wait::CLUSTER);
        self.ctx.exec.run(&cmd).map_err(|error| {
            error.context(
                Failure::tool(tr!(
                    "starting the stopped cluster {name}",
                    "démarrage du cluster arrêté {name}",
                ))
                .next(format!("k3d cluster delete {name} && cargo xtask setup")),
            )
        })?;
        step.done(tr!("started again", "redémarré"));
        Ok(())
    }

    fn create_cluster(&self) -> Result<()> {
        let config = &self.ctx.config.k3d;
        let ports = self.free_ports()?;
        let us = self.kube.identity()?;
        let declared = self.declared(&ports)?;
        let (servers, agents) = match &declared {
            Some((_, nodes)) => (nodes.servers, nodes.agents),
            None => (*config.servers().get_ref(), *config.agents().get_ref()),
        };
        let file = declared.as_ref();
        let file = file.map(|(file, nodes)| (file.as_str(), fingerprint::of([&*nodes.says])));
        let plan = Plan {
            name: self.name,
            servers,
            agents,
            file: file.as_ref().map(|(file, says)| (*file, says.as_str())),
            image: &config.node_image,
            ports: &ports,
            owner: (&us.id, &us.folder.to_string_lossy()),
        };
        let cmd = self.k3d(k3d::create(&plan))?.limit(wait::CLUSTER);
        let cmd = match &declared {
            Some(_) => self.in_the_checkout(cmd),
            None => cmd,
        };
        let nodes = plan.nodes();
        let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
        if self.ctx.exec.dry_run() {
            self.without_switching(|| self.ctx.exec.run(&cmd))?;
            return self.shorten_conntrack(&nodes);
        }
        let step = self.ctx.ui.step(format!("cluster {}", self.name));
        self.ctx.workspace.create()?;
        workspace::write_file(&self.creation_mark(), "k3d was asked for this cluster\n")?;
        let created = self.without_switching(|| self.ctx.exec.run(&cmd));
        created.map_err(|error| known_errors::explain(error, KNOWN_ERRORS))?;
        std::fs::remove_file(self.creation_mark())?;
        self.shorten_conntrack(&nodes)?;
        step.done(tr!("created", "créé"));
        Ok(())
    }

    /// Present from before the creation until it succeeded.
    fn creation_mark(&self) -> PathBuf {
        let name = format!("creating-{}", self.name);
        self.ctx.workspace.state().join(name)
    }

    /// Whether a creation was cut off before there was a cluster. One that
    /// answers is whole, and may be in use since, also by another checkout.
    fn is_half_created(&self, cluster: &Cluster) -> Result<bool> {
        if !cluster.has_server() {
            return Ok(true);
        }
        let mark = self.creation_mark();
        if !mark.exists() {
            return Ok(false);
        }
        if self.owner()? == Owner::Unknown
            && let Err(error) = self.wake(cluster)
        {
            wait::check_interrupt()?;
            self.ctx.ui.warn(&format!("{error:#}"));
            return Ok(true);
        }
        if !self.ctx.exec.dry_run() {
            std::fs::remove_file(&mark)?;
        }
        Ok(false)
    }

    /// What does not answer may be somebody's all the same. Without the load
    /// balancer, which k3d makes last, it never answered anybody.
    fn recreate(&self, cluster: &Cluster) -> Result<()> {
        let name = self.name;
        let owner = match cluster.has_load_balancer() {
            true => self.owner()?,
            false => self.creator()?,
        };
        if owner != Owner::Us {
            self.ctx.confirm(&tr!(
                "The cluster {name} is only half there, {owner}. Delete it and create it anew?",
                "Le cluster {name} n'est là qu'à moitié, {owner}. Le supprimer et le recréer ?",
            ))?;
        }
        let step = self.ctx.ui.step(tr!(
            "half-created cluster {name}",
            "cluster {name}, créé à moitié",
        ));
        self.delete_cluster()?;
        step.done(tr!("deleted", "supprimé"));
        self.create_cluster()
    }

    /// The API answers under the lab's context, written anew where it is
    /// missing.
    pub(super) fn ensure_answers(&self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        let cmd = self.kube.kubectl()?.cmd(["get", "--raw", "/readyz"]);
        let merge = self.k3d(k3d::merge_kubeconfig(self.name))?;
        wait::until(wait::API_UP, || {
            let output = self.ctx.exec.probe(&cmd)?;
            if output.status.success() {
                return Ok(Some(()));
            }
            if output.stderr.contains("does not exist") {
                self.without_switching(|| self.ctx.exec.run(&merge))?;
            }
            Ok(None)
        })
    }

    fn free_ports(&self) -> Result<Vec<(u16, u16)>> {
        let ports = self.kube.workload.ports.iter();
        ports
            .map(|port| Ok((free_port(port.host)?, port.node)))
            .collect()
    }
}

/// Why a cluster that runs cannot be used, and what helps: setup alone would meet the same.
pub(super) fn not_answering(cluster: &Cluster, said: &str) -> Failure {
    let name = &cluster.name;
    // kubectl says the same once for each of its tries.
    let said = said.lines().last().unwrap_or_default();
    let (lacks, next) = if cluster.has_load_balancer() {
        (
            Both::same(""),
            format!("k3d cluster stop {name} && cargo xtask setup"),
        )
    } else {
        (
            both(
                "it has no load balancer (any more), which k3d cannot make anew: ",
                "il n'a pas (ou plus) de répartiteur de charge, que k3d ne sait pas recréer : ",
            ),
            tr!(
                "k3d cluster delete {name}, which removes the volumes too, then cargo xtask setup",
                "k3d cluster delete {name}, qui supprime aussi les volumes, puis cargo xtask setup",
            ),
        )
    };
    let said = tr!(
        "the cluster {name} runs, but does not answer: {lacks}{said}",
        "le cluster {name} tourne mais ne répond pas : {lacks}{said}",
    );
    Failure::tool(said).next(next)
}

/// Why k3d fails to create a cluster.
const KNOWN_ERRORS: &[KnownError] = &[
    known_errors::RATE_LIMIT,
    KnownError {
        said: &["too many open files", "inotify"],
        plain: both(
            "the nodes ran out of inotify watches (k3s#10020)",
            "les nœuds n'ont plus d'inotify watches (k3s#10020)",
        ),
        next: Both::same(
            "sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=524288",
        ),
    },
    KnownError {
        said: &["port is already allocated", "address already in use"],
        plain: both(
            "a port of the cluster is taken by another program",
            "un port du cluster est pris par un autre programme",
        ),
        next: both(
            "set another port in lab.toml (0 takes any free one), then cargo xtask setup",
            "indiquez un autre port dans lab.toml (0 en prend un libre), puis cargo xtask setup",
        ),
    },
    KnownError {
        said: &["no space left on device"],
        plain: both("Docker's disk is full", "le disque de Docker est plein"),
        next: both(
            "docker system df, and docker system prune to free space",
            "docker system df, et docker system prune pour libérer de la place",
        ),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};

    #[test]
    fn a_cluster_that_does_not_answer_is_told_what_it_lacks() {
        let list = r#"[{"name":"pra","nodes":[{"name":"k3d-pra-server-0","role":"server",
            "State":{"Running":true}},{"name":"k3d-pra-serverlb","role":"loadbalancer",
            "State":{"Running":true}}]}]"#;
        let whole = k3d::find(list, "pra").unwrap().unwrap();
        let cut_off = k3d::find(&list.replace("loadbalancer", "gone"), "pra").unwrap();
        let refused = "connection refused\nconnection refused\n";
        let cases = [
            (whole, "k3d cluster stop pra && cargo xtask setup"),
            (cut_off.unwrap(), "k3d cluster delete pra"),
        ];
        for (cluster, helps) in cases {
            let error = not_answering(&cluster, refused);
            assert_eq!(error.to_string().matches("refused").count(), 1, "{error}");
            assert!(next(&error.into()).unwrap().starts_with(helps));
        }
    }

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
            let error = known_errors::explain(
                Failure::tool("`k3d` failed").printed(said).into(),
                KNOWN_ERRORS,
            );
            assert_eq!(kind(&error), Kind::Preflight, "{said}");
            assert!(error.to_string().contains(plain), "{error}");
            assert!(next(&error).is_some());
        }
        let other = known_errors::explain(
            Failure::tool("`k3d` failed")
                .printed("something else")
                .into(),
            KNOWN_ERRORS,
        );
        assert_eq!(kind(&other), Kind::Tool);
    }
}
