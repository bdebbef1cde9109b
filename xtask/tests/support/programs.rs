//! Programs that tests make and run. This process has no program open for writing: another
//! thread may fork just then, and while its child holds the file the system refuses to run
//! it ("text file busy"). So others write them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A shell script at a path, without its first line.
pub fn script(path: &Path, script: &str) {
    let mut writer = Command::new("sh");
    writer.args(["-c", "cat > \"$0\" && chmod 755 \"$0\""]);
    let mut writer = writer.arg(path).stdin(Stdio::piped()).spawn().unwrap();
    let mut pipe = writer.stdin.take().unwrap();
    write!(pipe, "#!/bin/sh\n{script}\n").unwrap();
    drop(pipe);
    let wrote = writer.wait().unwrap();
    assert!(wrote.success(), "writing {}", path.display());
}

/// A copy of xtask: another file, so that it counts as another build.
pub fn copy_of_xtask(to: &Path) {
    let mut cp = Command::new("cp");
    let copied = cp.arg(env!("CARGO_BIN_EXE_xtask")).arg(to).status();
    assert!(copied.unwrap().success(), "copying to {}", to.display());
}
