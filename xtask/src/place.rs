//! Whether a folder is still where a process began in it. A process that lives
//! long knows its files by their paths; where the folder was moved, removed or
//! replaced, the same paths are nobody's, or another lab's.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A file that a process holds open, and where it was then.
#[derive(Clone, Debug)]
pub struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    /// `file` was opened at `path`.
    pub fn of(file: &File, path: &Path) -> Result<Self> {
        let found = file.metadata();
        let found = found.with_context(|| format!("looking at {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
        })
    }

    /// The path leads to that very file.
    pub fn holds(&self) -> bool {
        let found = fs::metadata(&self.path);
        found.is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_same_name_is_another_one() {
        let dir = std::env::temp_dir().join(format!("xtask-place-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("lock");
        let file = File::create(&path).unwrap();
        let place = Place::of(&file, &path).unwrap();
        assert!(place.holds());
        fs::rename(&path, dir.join("moved")).unwrap();
        assert!(!place.holds());
        fs::write(&path, "").unwrap();
        assert!(!place.holds(), "replaced");
        fs::rename(dir.join("moved"), &path).unwrap();
        assert!(place.holds(), "back again");
        fs::remove_dir_all(&dir).unwrap();
    }
}
