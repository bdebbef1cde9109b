//! The ports of the application's container: one for users, and maybe one for probes.

use super::model::{Container, Port};

/// The variable that tells the application where to answer probes apart from users.
pub const PROBE_PORT: &str = "PRA_PROBE_PORT";

impl Container {
    /// The number of one of its ports, given by name or number.
    pub fn port(&self, port: &Port) -> Option<u16> {
        let mut ports = self.ports.iter();
        let found = ports.find(|found| match port {
            Port::Number(number) => found.container_port == *number,
            Port::Name(name) => found.name.as_ref() == Some(name),
        });
        found.map(|found| found.container_port)
    }

    /// Whether it is told to answer probes on a port of their own.
    pub fn has_probe_port(&self) -> bool {
        self.env.iter().any(|variable| variable.name == PROBE_PORT)
    }

    /// Whether a port is the one for probes alone.
    pub fn is_for_probes(&self, port: &Port) -> bool {
        let number = self.port(port).map(|number| number.to_string());
        let mut env = self.env.iter();
        env.any(|variable| variable.name == PROBE_PORT && Some(&variable.value) == number.as_ref())
    }
}
