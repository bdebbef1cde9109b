//! What each workshop has in a cluster, whichever engine it is on.

use super::{Port, Workload, monitoring};
use crate::context::Context;
use crate::manifests::substitute;
use crate::names;

/// What leads to the application in every lab.
pub const SERVICE: &str = "flask";

impl Workload {
    pub fn pra(ctx: &Context) -> Self {
        Self {
            namespace: "pra".to_owned(),
            playbook: "ansible/playbook.yml",
            manifests: substitute::FOLDER,
            deployment: names::DEPLOYMENT,
            database: None,
            ports: vec![port(ctx.config.service.port(), 30080, SERVICE)],
            watching: monitoring::ports(ctx.config.monitoring.ports()),
        }
    }

    /// The same application, with a database that is replicated over three nodes.
    pub fn ha(ctx: &Context) -> Self {
        Self {
            namespace: "ha".to_owned(),
            playbook: "ansible/ha.yml",
            manifests: "ha",
            deployment: names::DEPLOYMENT,
            database: Some(names::DATABASE),
            ports: vec![port(*ctx.config.ha.port().get_ref(), 30080, SERVICE)],
            watching: monitoring::ports(ctx.config.monitoring.ha_ports()),
        }
    }

    pub fn image_workshop(ctx: &Context) -> Self {
        Self {
            namespace: "image".to_owned(),
            playbook: "ansible/image.yml",
            manifests: "image",
            deployment: "nginx",
            database: None,
            ports: vec![
                port(
                    *ctx.config.image_workshop.mario_port().get_ref(),
                    30081,
                    "mario",
                ),
                port(
                    *ctx.config.image_workshop.nginx_port().get_ref(),
                    30082,
                    "nginx",
                ),
            ],
            watching: Vec::new(),
        }
    }
}

fn port(host: u16, node: u16, service: &'static str) -> Port {
    Port {
        host,
        node,
        service,
    }
}
