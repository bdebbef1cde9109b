//! Commands that read or write a whole file, piece by piece.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use anyhow::{Context, Result};

use super::{Cmd, Exec, Output, Piped, collect, drain, supervise};
use crate::failure::Failure;
use crate::wait;

impl Exec {
    /// Runs a command with a file as its standard input or output, and returns
    /// what it said otherwise; `None` in a dry run, which only shows it.
    ///
    /// # Errors
    /// The file cannot be read or written, whatever the command says.
    pub fn stream(&self, cmd: &Cmd) -> Result<Option<Output>> {
        if !self.change(&cmd.to_string()) {
            return Ok(None);
        }
        run(cmd).map(Some)
    }
}

fn run(cmd: &Cmd) -> Result<Output> {
    let mut command = cmd.command()?;
    command
        .stdin(standard_input(cmd)?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let target = match &cmd.file {
        Some(Piped::Into(path)) => Some((open_for_writing(path)?, path)),
        _ => None,
    };
    let mut child = command.spawn().map_err(|e| cmd.not_started(e))?;
    let stderr = drain(child.stderr.take());
    let stdout = child.stdout.take().context("a pipe that was asked for")?;
    let (written, said) = match target {
        Some((file, path)) => (Some((write_all(stdout, file), path)), None),
        None => (None, Some(drain(Some(stdout)))),
    };
    let group = Some(child.id());
    let status = supervise(cmd, group, || Ok(child.try_wait()?))?;
    if let Some((written, path)) = written {
        let file = written
            .recv_timeout(wait::FILE_WRITTEN)
            .map_err(|_| held_open(cmd, path))?;
        // The command's own complaint would only be that nobody read on.
        file.and_then(make_durable)
            .map_err(|error| unwritable(path, &error))?;
    }
    Ok(Output {
        status,
        stdout: said.map(collect).transpose()?.unwrap_or_default(),
        stderr: collect(stderr)?,
    })
}

fn standard_input(cmd: &Cmd) -> Result<Stdio> {
    let Some(Piped::From(path)) = &cmd.file else {
        return Ok(Stdio::null());
    };
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    Ok(file.into())
}

fn open_for_writing(path: &Path) -> Result<File> {
    let opened = File::options().write(true).truncate(true).open(path);
    opened.map_err(|error| unwritable(path, &error))
}

/// Hands the file back once the pipe is closed.
fn write_all(mut pipe: ChildStdout, mut file: File) -> Receiver<io::Result<File>> {
    let (sender, written) = mpsc::channel();
    thread::spawn(move || {
        let copied = io::copy(&mut pipe, &mut file).map(|_| file);
        // Nobody listens any more when the caller gave up.
        let _ = sender.send(copied);
    });
    written
}

fn make_durable(file: File) -> io::Result<()> {
    // A device cannot be made durable, and need not.
    if file.metadata()?.is_file() {
        file.sync_all()?;
    }
    Ok(())
}

fn held_open(cmd: &Cmd, path: &Path) -> anyhow::Error {
    Failure::tool(format!(
        "`{}` ended, and something that it started still holds its output: {} may lack its end",
        cmd.name(),
        path.display()
    ))
    .next(format!("try it by hand: {cmd}"))
    .into()
}

fn unwritable(path: &Path, error: &io::Error) -> anyhow::Error {
    Failure::tool(format!("writing {}: {error}", path.display()))
        .next("make room there, or name another place, then the same command again")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec() -> Exec {
        Exec::new(crate::ui::Ui::quiet(), std::env::temp_dir(), false)
    }

    fn sh(script: &str, file: Piped) -> Cmd {
        Cmd::new("sh").args(["-c", script]).file(file)
    }

    #[test]
    fn bytes_go_through_a_command_as_they_are() {
        let dir = std::env::temp_dir().join(format!("xtask-stream-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let (from, to) = (dir.join("from"), dir.join("to"));
        let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&from, &bytes).unwrap();
        std::fs::write(&to, "older, and longer than nothing").unwrap();
        let read = sh("wc -c", Piped::From(from.clone()));
        let output = exec().stream(&read).unwrap().unwrap();
        assert_eq!(output.stdout.trim(), "3000000");
        let write = sh("cat \"$0\"; echo said >&2", Piped::Into(to.clone()));
        let write = write.args([from.to_string_lossy()]);
        let output = exec().stream(&write).unwrap().unwrap();
        assert!(output.status.success());
        assert_eq!((output.stdout.as_str(), output.stderr.trim()), ("", "said"));
        assert_eq!(std::fs::read(&to).unwrap(), bytes);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_as_such() {
        let cmd = sh("yes", Piped::Into("/dev/full".into()));
        let error = exec().stream(&cmd).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("/dev/full") && said.contains("No space"),
            "{said}"
        );
    }

    #[test]
    fn a_grandchild_that_holds_the_output_is_told_and_not_waited_for() {
        let to = std::env::temp_dir().join(format!("xtask-held-{}", std::process::id()));
        std::fs::write(&to, "").unwrap();
        let cmd = sh("echo said; sleep 30 & exit 0", Piped::Into(to.clone()));
        let error = exec().stream(&cmd).unwrap_err();
        assert!(error.to_string().contains("may lack its end"), "{error}");
        std::fs::remove_file(&to).unwrap();
    }

    #[test]
    fn a_dry_run_shows_the_file() {
        let cmd = sh("cat", Piped::From("/a b".into()));
        assert_eq!(cmd.to_string(), "sh -c cat < '/a b'");
        let cmd = sh("cat", Piped::Into("/c".into()));
        assert_eq!(cmd.to_string(), "sh -c cat > /c");
    }
}
