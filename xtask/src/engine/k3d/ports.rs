//! The stage `forward`: each service is reached on a port of this machine,
//! through the load balancer, or, where the cluster has none, through a forward
//! that is kept alive.

use terms::tr;

use anyhow::Result;

use super::site::Site;
use crate::balance::free_port;
use crate::exec::Cmd;
use crate::kube::Port;
use crate::tools::k3d::{self, Cluster};
use crate::wait;

impl Site {
    /// Every port of the plan leads to its service.
    pub fn ensure_forwarded(&self, cluster: &Cluster) -> Result<()> {
        for port in &self.kube.workload.ports {
            if let Some(host) = cluster.host_port(port.node) {
                self.remark_on_port(port, host);
                continue;
            }
            if self.kube.has_live_forward(port)? {
                continue;
            }
            let host = free_port(port.host)?;
            if cluster.has_load_balancer() {
                let Err(error) = self.map_port(port, host) else {
                    continue;
                };
                wait::check_interrupt()?;
                let said = tr!(
                    "the port cannot be mapped ({error:#}): it is forwarded",
                    "le port ne peut pas être publié ({error:#}) : il est redirigé",
                );
                self.ctx.ui.warn(&said);
            }
            self.kube.keep_forward(port, host)?;
        }
        Ok(())
    }

    fn remark_on_port(&self, port: &Port, host: u16) {
        if port.host != 0 && port.host != host {
            self.ctx.ui.warn(&tr!(
                "{service} is reached on port {host}, as the cluster was created; lab.toml says \
                 {port}: that takes effect with the next cluster",
                "{service} est joignable sur le port {host}, comme le cluster a été créé ; \
                 lab.toml dit {port} : cela vaudra pour le prochain cluster",
                service = port.service,
                port = port.host,
            ));
        }
    }

    /// Where the services are reached from this machine, in the plan's order.
    pub fn urls(&self) -> Result<Vec<Option<String>>> {
        let ports = self.kube.workload.ports.iter();
        let kept: Vec<Option<u16>> = ports.map(|port| self.kube.listening_port(port)).collect();
        let cluster = match kept.contains(&None) {
            true => self.cluster()?,
            false => None,
        };
        let mapped = |port: &Port| cluster.as_ref()?.host_port(port.node);
        let hosts = self.kube.workload.ports.iter().zip(kept);
        let hosts = hosts.map(|(port, kept)| kept.or_else(|| mapped(port)));
        let urls = hosts.map(|host| Some(format!("http://127.0.0.1:{}", host?)));
        Ok(urls.collect())
    }

    /// Whether this port of the machine is the lab's: its load balancer has it
    /// also while the nodes behind it are stopped.
    pub fn holds_port(&self, host: u16) -> Result<bool> {
        let mut ports = self.kube.workload.ports.iter();
        let kept = ports.any(|port| self.kube.kept_port(port) == Some(host));
        if kept || !self.has_k3d()? {
            return Ok(kept || self.has_container_on(host)?);
        }
        Ok(self.cluster()?.is_some_and(|one| one.holds_port(host)))
    }

    /// As Docker says it, where there is no k3d to ask yet.
    fn has_container_on(&self, host: u16) -> Result<bool> {
        let ours = format!("label=k3d.cluster={}", self.name);
        let there = format!("publish={host}");
        let cmd = Cmd::new("docker").args(["ps", "--quiet", "--filter", &ours, "--filter", &there]);
        Ok(!self.ctx.exec.read(&cmd)?.trim().is_empty())
    }

    fn map_port(&self, port: &Port, host: u16) -> Result<()> {
        let step = self.ctx.ui.step(tr!(
            "port {host} of {service}",
            "port {host} de {service}",
            service = port.service,
        ));
        let cmd = self.k3d(k3d::add_port(self.name, (host, port.node)))?;
        self.ctx.exec.run(&cmd.limit(wait::CLUSTER))?;
        self.ensure_answers()?;
        step.done(tr!(
            "mapped through the load balancer",
            "publié par le répartiteur de charge"
        ));
        Ok(())
    }
}
