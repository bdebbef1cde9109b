//! What `guide` can be asked.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum GuideAction {
    /// Write the measured figures into the guide's text
    Figures {
        /// Only say where text and measurements differ
        #[arg(long)]
        check: bool,
    },
    /// Take figures of runs into docs/atelier/mesures, from which the text is written
    Collect {
        /// Names, as `runs list` shows them, or folders of runs
        #[arg(required = true)]
        runs: Vec<String>,
    },
    /// Measure the original workshop's way on k3d: `cp` each minute, restored by typed commands
    Original {
        /// How many disasters
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
        runs: u32,
        /// What the moments are drawn from, as in a drill
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Take the guide's screenshots in a real browser, of the lab that is up
    Screenshots,
}
