//! The stage `forward`: each service is reached on a port of this machine,
//! through the load balancer, or, where the cluster has none, through a forward
//! that is kept alive.

use std::net::{Ipv4Addr, TcpListener};

use anyhow::Result;

use super::site::Site;
use crate::failure::Failure;
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
            if self.kube.kept_port(port).is_some() {
                let service = port.service;
                self.ctx
                    .ui
                    .note(&format!("the forward to {service} is alive"));
                continue;
            }
            let host = free_port(port.host)?;
            if cluster.has_load_balancer() {
                let Err(error) = self.map_port(port, host) else {
                    continue;
                };
                wait::check_interrupt()?;
                let said = format!("the port cannot be mapped ({error:#}): it is forwarded");
                self.ctx.ui.warn(&said);
            }
            self.kube.keep_forward(port, host)?;
        }
        Ok(())
    }

    fn remark_on_port(&self, port: &Port, host: u16) {
        if port.host != 0 && port.host != host {
            self.ctx.ui.warn(&format!(
                "{} is reached on port {host}, as the cluster was created; lab.toml says {}: \
                 that takes effect with the next cluster",
                port.service, port.host
            ));
        }
    }

    /// Where the services are reached from this machine, in the plan's order.
    pub fn urls(&self) -> Result<Vec<Option<String>>> {
        let ports = self.kube.workload.ports.iter();
        let kept: Vec<Option<u16>> = ports.map(|port| self.kube.kept_port(port)).collect();
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
        Ok(kept || self.cluster()?.is_some_and(|one| one.holds_port(host)))
    }

    fn map_port(&self, port: &Port, host: u16) -> Result<()> {
        let step = self.ctx.ui.step(format!("port {host} of {}", port.service));
        let cmd = self.k3d(k3d::add_port(self.name, (host, port.node)))?;
        self.ctx.exec.run(&cmd.limit(wait::CLUSTER))?;
        self.ensure_answers()?;
        step.done("mapped through the load balancer");
        Ok(())
    }
}

/// The port itself, or any free one for 0.
pub fn free_port(port: u16) -> Result<u16> {
    let taken = |error| {
        Failure::preflight(format!("port {port} of this machine: {error}"))
            .next("set another port in lab.toml (0 takes any free one)")
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(taken)?;
    Ok(listener.local_addr()?.port())
}
