//! What watches a lab, as every engine has it.

use anyhow::Result;

use crate::facts::monitoring::Watched;

/// Prometheus with the rules of `monitoring/`, and what goes with it.
pub trait Monitoring {
    /// All of it runs as it is declared and can be looked at, whatever there was before; with
    /// the dashboards where they are asked for, or are there.
    fn start(&self, dashboards: bool) -> Result<()>;

    /// Removes it with all that it has seen; whether there was any.
    fn stop(&self) -> Result<bool>;

    /// What there is of it; `None` where nothing watches the lab.
    fn watched(&self) -> Result<Option<Watched>>;

    /// Has it know these rules of past runs, in place of those that it had.
    fn tell_runs(&self, rules: &str) -> Result<()>;
}
