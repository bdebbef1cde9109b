//! How users reach the application, and at which address.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::site::Site;
use crate::balance::free_port;
use crate::config::Reach;
use crate::failure::Failure;
use crate::kube::workshops::SERVICE;
use crate::names::PART_OF;
use crate::wait;

impl Site {
    /// The way that is declared leads to the service.
    pub fn ensure_reached(&self) -> Result<()> {
        let service = self.settings().service;
        // Applying what is declared now removes nothing that was declared before.
        if service != Reach::Ingress && self.has_any("ingresses")? {
            let delete = ["delete", "ingresses", "-l", PART_OF];
            self.ctx.exec.run(&self.kube.kubectl()?.cmd(delete))?;
        }
        match service {
            Reach::PortForward => self.ensure_forwarded(),
            // What runs on from an earlier declaration would hold the port.
            _ => {
                self.kube.stop_forward()?;
                self.ensure_address()
            }
        }
    }

    fn ensure_forwarded(&self) -> Result<()> {
        for port in &self.kube.workload.ports {
            if self.kube.has_live_forward(port)? {
                continue;
            }
            let host = match self.ctx.exec.dry_run() {
                // Whether it is free is asked where it is pasted.
                true if port.host != 0 => port.host,
                _ => free_port(port.host)?,
            };
            self.kube.keep_forward(port, host)?;
        }
        Ok(())
    }

    /// Waits for the address of a service that a provider has to give one.
    fn ensure_address(&self) -> Result<()> {
        if self.ctx.exec.dry_run() {
            return Ok(());
        }
        let step = self
            .ctx
            .ui
            .step(tr!("address of {SERVICE}", "adresse de {SERVICE}",));
        let found = wait::until(wait::ADDRESS, || self.url());
        let url = found.map_err(|error| {
            wait::check_interrupt().err().unwrap_or_else(|| {
                error.context(
                    Failure::tool(tr!(
                        "the service has no address that users could reach",
                        "le service n'a pas d'adresse que des utilisateurs pourraient joindre",
                    ))
                    .next(self.kube.typed(&format!("describe service {SERVICE}"))),
                )
            })
        })?;
        step.done(url);
        Ok(())
    }

    /// Where users reach the application; `None` where that is not known (yet).
    pub fn url(&self) -> Result<Option<String>> {
        let settings = self.settings();
        match settings.service {
            Reach::PortForward => {
                let mut ports = self.kube.workload.ports.iter();
                let kept = ports.find_map(|port| self.kube.listening_port(port));
                Ok(kept.map(|port| format!("http://127.0.0.1:{port}")))
            }
            Reach::Ingress => Ok(Some(format!("http://{}", settings.host()))),
            Reach::LoadBalancer => Ok(self.service()?.as_ref().and_then(balanced)),
            Reach::NodePort => {
                let Some(port) = self.service()?.as_ref().and_then(node_port) else {
                    return Ok(None);
                };
                let host = match settings.host() {
                    "" => self.node_address()?,
                    stated => Some(stated.to_owned()),
                };
                Ok(host.map(|host| format!("http://{}:{port}", bracketed(&host))))
            }
        }
    }

    fn service(&self) -> Result<Option<Value>> {
        self.objects(&["get", "service", SERVICE, "-o", "json"])
    }

    /// The address of a node: of any where this account may look at nodes, else of one that
    /// a pod of the lab is or was on.
    fn node_address(&self) -> Result<Option<String>> {
        let nodes = self.objects(&["get", "nodes", "-o", "json"])?;
        let known = nodes.as_ref().and_then(address_of_node);
        if known.is_some() {
            return Ok(known);
        }
        let pods = self.objects(&["get", "pods", "-l", PART_OF, "-o", "json"])?;
        Ok(pods.as_ref().and_then(address_of_pod))
    }

    /// `None` where it is not there, or not for this account to see.
    fn objects(&self, words: &[&str]) -> Result<Option<Value>> {
        let cmd = self.kube.kubectl()?.cmd(words).limit(LOOK);
        let output = self.ctx.exec.probe(&cmd)?;
        if !output.status.success() {
            return Ok(None);
        }
        serde_json::from_str(&output.stdout)
            .context("reading the answer of kubectl")
            .map(Some)
    }
}

const LOOK: Duration = wait::FIRST_LOOK;

/// An address of version 6 stands in brackets before a port.
fn bracketed(host: &str) -> String {
    match host.contains(':') {
        true => format!("[{host}]"),
        false => host.to_owned(),
    }
}

fn balanced(service: &Value) -> Option<String> {
    let given = &service["status"]["loadBalancer"]["ingress"][0];
    let host = given["ip"].as_str().or(given["hostname"].as_str())?;
    let port = service["spec"]["ports"][0]["port"].as_u64()?;
    let port = match port {
        80 => String::new(),
        port => format!(":{port}"),
    };
    Some(format!("http://{}{port}", bracketed(host)))
}

fn node_port(service: &Value) -> Option<u64> {
    service["spec"]["ports"][0]["nodePort"].as_u64()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// One that is reached from outside comes first.
fn address_of_node(nodes: &Value) -> Option<String> {
    let of = |kind: &str| {
        let mut all = list(&nodes["items"]).flat_map(|node| list(&node["status"]["addresses"]));
        let found = all.find(|one| one["type"] == kind)?;
        found["address"].as_str().map(str::to_owned)
    };
    of("ExternalIP").or_else(|| of("InternalIP"))
}

fn address_of_pod(pods: &Value) -> Option<String> {
    let mut all = list(&pods["items"]);
    all.find_map(|pod| pod["status"]["hostIP"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_balanced_service_is_reached_where_its_provider_says() {
        let service = |given: Value| {
            json!({"spec": {"ports": [{"port": 80}]},
                   "status": {"loadBalancer": {"ingress": [given]}}})
        };
        let url = |given| balanced(&service(given));
        assert_eq!(url(json!({"ip": "10.0.0.7"})).unwrap(), "http://10.0.0.7");
        let named = json!({"hostname": "a.elb.example"});
        assert_eq!(url(named).unwrap(), "http://a.elb.example");
        assert_eq!(url(json!({"ip": "fd00::7"})).unwrap(), "http://[fd00::7]");
        assert_eq!(url(json!({})), None);
        assert_eq!(balanced(&json!({"status": {"loadBalancer": {}}})), None);
    }

    #[test]
    fn a_node_is_asked_at_its_outer_address_where_it_has_one() {
        let node = |addresses: Value| json!({"items": [{"status": {"addresses": addresses}}]});
        let inner = json!({"type": "InternalIP", "address": "10.0.0.1"});
        let outer = json!({"type": "ExternalIP", "address": "192.0.2.1"});
        let name = json!({"type": "Hostname", "address": "n1"});
        let of = |addresses| address_of_node(&node(addresses));
        assert_eq!(of(json!([name, inner, outer])).unwrap(), "192.0.2.1");
        assert_eq!(of(json!([name, inner])).unwrap(), "10.0.0.1");
        assert_eq!(of(json!([])), None);
        let pods = json!({"items": [{"status": {}}, {"status": {"hostIP": "10.0.0.3"}}]});
        assert_eq!(address_of_pod(&pods).unwrap(), "10.0.0.3");
    }
}
