//! A student's fork of the original workshop, in a repository of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{copy_files, project};

pub struct Fork {
    pub root: PathBuf,
}

impl Fork {
    /// The work that is right.
    pub fn new(root: &Path) -> Self {
        Self::of("fork", root)
    }

    /// One of the works of `tests/data`.
    pub fn of(data: &str, root: &Path) -> Self {
        copy_files(&project().join("xtask/tests/data").join(data), root);
        let fork = Self {
            root: root.to_path_buf(),
        };
        fork.git(&["init", "--quiet", "--initial-branch=main"]);
        fork
    }

    pub fn git(&self, args: &[&str]) {
        let status = Command::new("git")
            .args([
                "-c",
                "user.email=x@example.org",
                "-c",
                "commit.gpgsign=false",
            ])
            .args(args)
            .current_dir(&self.root)
            .status()
            .unwrap();
        assert!(status.success(), "{args:?}");
    }

    pub fn commit(&self, author: &str, subject: &str) {
        self.git(&["add", "--all"]);
        let name = format!("user.name={author}");
        self.git(&["-c", &name, "commit", "--quiet", "-m", subject]);
    }

    /// Plants a defect.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.root.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }
}
