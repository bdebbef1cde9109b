//! How the measuring client is to ask.

use clap::Args;

use crate::config::Mode;

/// How the measuring client asks, beside what `lab.toml` says of it.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct ClientArgs {
    /// The measuring client keeps its connections, instead of opening one for each request
    #[arg(long)]
    keep_alive: bool,
    /// Each write of the measuring client carries a key and is sent again until it is answered, or
    /// given up after 30 s: only what was given up can be in doubt
    #[arg(long)]
    retry: bool,
}

impl ClientArgs {
    pub fn mode(self) -> Mode {
        Mode {
            keep_alive: self.keep_alive,
            retry: self.retry,
        }
    }
}
