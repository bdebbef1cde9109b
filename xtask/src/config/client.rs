//! `[client]` in `lab.toml`: the load that measures, and how it asks.

use serde::{Deserialize, Serialize};
use toml::Spanned;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    pub(super) rate: Spanned<u32>,
    pub(super) connections: Spanned<u32>,
    pub(super) reads: Spanned<u32>,
    /// Absent in a file from before there was a choice.
    #[serde(default)]
    keep_alive: bool,
    #[serde(default)]
    retry: bool,
}

impl Client {
    /// Writes a second, whatever the answers do.
    pub fn rate(&self) -> u32 {
        *self.rate.get_ref()
    }

    /// Writers that are started with the client.
    pub fn connections(&self) -> u32 {
        *self.connections.get_ref()
    }

    /// Reads a second.
    pub fn reads(&self) -> u32 {
        *self.reads.get_ref()
    }

    /// How it asks: what is declared, and what was asked for beside that.
    pub fn mode(&self, asked: Mode) -> Mode {
        Mode {
            keep_alive: self.keep_alive || asked.keep_alive,
            retry: self.retry || asked.retry,
        }
    }
}

/// How a measuring client asks.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
pub struct Mode {
    /// Connections are kept from one request to the next; else each has its own.
    pub keep_alive: bool,
    /// Each write has a key and is sent again until it is answered or given up.
    pub retry: bool,
}

impl Mode {
    /// The options that ask for it.
    pub fn options(self) -> impl Iterator<Item = &'static str> {
        let all = [(self.keep_alive, "--keep-alive"), (self.retry, "--retry")];
        all.into_iter().filter(|(on, _)| *on).map(|(_, word)| word)
    }
}
