//! How much room a file system has: space and files.

use std::path::Path;

use anyhow::{Context as _, Result};
use terms::tr;

use crate::exec::{Cmd, Exec};
use crate::failure::Failure;

/// The room on a file system, in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    pub size: u64,
    pub free: u64,
}

impl Disk {
    /// # Errors
    /// `df` cannot look at the place, or says something unexpected.
    pub fn at(exec: &Exec, place: &Path) -> Result<Self> {
        parse_df(&exec.read(&Cmd::new("df").args(["-Pk", &place.to_string_lossy()]))?)
    }

    /// The share that stays free once so many MiB more are used, in percent.
    pub fn percent_free_beside(&self, mib: u64) -> f64 {
        self.free.saturating_sub(mib) as f64 * 100.0 / self.size.max(1) as f64
    }
}

/// POSIX `df -Pk`.
fn parse_df(text: &str) -> Result<Disk> {
    let line = text.lines().nth(1).unwrap_or_default();
    let mut words = line.split_whitespace().skip(1);
    let mut mib = |skip| {
        let kib: Option<u64> = words.nth(skip).and_then(|word| word.parse().ok());
        kib.map(|kib| kib / 1024)
    };
    let found = mib(0).zip(mib(1));
    let (size, free) = found.ok_or_else(|| {
        Failure::tool(tr!(
            "`df -Pk` said something unexpected: {text:?}",
            "`df -Pk` a dit quelque chose d'inattendu : {text:?}",
        ))
    })?;
    Ok(Disk { size, free })
}

/// Files that can still be made on the file system of a place; `None` where it
/// has no limit of its own.
pub fn files_left(place: &Path) -> Result<Option<u64>> {
    let found = nix::sys::statvfs::statvfs(place)
        .with_context(|| format!("looking at the file system of {}", place.display()))?;
    Ok(limited(found.files(), found.files_available()))
}

/// File systems that make room for files as they come state none at all.
/// How wide the numbers are differs between systems.
fn limited(files: impl Into<u64>, left: impl Into<u64>) -> Option<u64> {
    (files.into() > 0).then(|| left.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn df_is_read_in_mebibytes() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                    /dev/vda 263174212 14000000 2048000 16% /\n";
        let disk = parse_df(text).unwrap();
        assert_eq!((disk.size, disk.free), (257_006, 2000));
        assert!(parse_df("df: no such file\n").is_err());
    }

    #[test]
    fn the_share_that_stays_is_of_the_whole_disk() {
        let disk = Disk {
            size: 100_000,
            free: 9_000,
        };
        assert_eq!(disk.percent_free_beside(4_000), 5.0);
        assert_eq!(disk.percent_free_beside(10_000), 0.0);
    }

    #[test]
    fn a_file_system_without_a_number_of_files_has_no_limit() {
        assert_eq!(limited(0_u64, 0_u64), None);
        assert_eq!(limited(1000_u64, 3_u32), Some(3));
        assert!(
            files_left(Path::new("/"))
                .unwrap()
                .is_none_or(|left| left > 0)
        );
    }
}
