//! One row of the preflight table: what was looked at, what was found, and the
//! command that repairs it.

use anyhow::Result;
use serde::Serialize;

use crate::failure::{self, Failure};

#[derive(Debug, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    /// What was found.
    pub found: String,
    /// The command that repairs it, where it is not well.
    pub next: Option<String>,
}

impl Check {
    pub fn from(name: &'static str, found: Result<String>) -> Self {
        match found {
            Ok(found) => Self {
                name,
                ok: true,
                found,
                next: None,
            },
            Err(error) => Self {
                name,
                ok: false,
                found: format!("{error:#}"),
                next: failure::next(&error).map(str::to_owned),
            },
        }
    }

    /// Good enough to go on, and better repaired.
    pub fn advice(name: &'static str, found: &str, next: String) -> Self {
        Self {
            name,
            ok: true,
            found: found.to_owned(),
            next: Some(next),
        }
    }
}

/// MiB available, from POSIX `df -Pk`.
pub fn parse_df(text: &str) -> Result<u64> {
    let line = text.lines().nth(1).unwrap_or_default();
    let available = line.split_whitespace().nth(3).unwrap_or_default();
    let kib: u64 = available
        .parse()
        .map_err(|_| Failure::tool(format!("`df -Pk` said something unexpected: {text:?}")))?;
    Ok(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn df_is_read_in_mebibytes() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                    /dev/vda 263174212 14000000 2048000 16% /\n";
        assert_eq!(parse_df(text).unwrap(), 2000);
        assert!(parse_df("df: no such file\n").is_err());
    }
}
