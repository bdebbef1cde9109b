//! Commands that read or write a whole file, piece by piece.

use std::fs::File;
use std::io::{self, PipeReader};
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use terms::tr;

use anyhow::{Context, Result};
use duct::Expression;

use super::long::{expression, fed, to_its_end};
use super::pipe::{collect, drain};
use super::{Cmd, Exec, Output, Piped};
use crate::failure::Failure;
use crate::wait;

impl Exec {
    /// Runs a command with a file as its standard input or output, and returns
    /// what it said otherwise; `None` in a dry run, which only shows it.
    ///
    /// # Errors
    /// The file cannot be read or written, whatever the command says.
    pub fn stream(&self, cmd: &Cmd) -> Result<Option<Output>> {
        let shown = match &cmd.file {
            // As what is written here is: for nobody else to read.
            Some(Piped::Into(_)) if self.dry_run() => format!("(umask 077 && {cmd})"),
            _ => cmd.to_string(),
        };
        if !self.change(&shown) {
            return Ok(None);
        }
        run(cmd).map(Some)
    }
}

fn run(cmd: &Cmd) -> Result<Output> {
    let (expression, printed, said) = piped(cmd)?;
    let target = match &cmd.file {
        Some(Piped::Into(path)) => Some((open_for_writing(path)?, path)),
        _ => None,
    };
    let stderr = drain(Some(said));
    let (written, stdout) = match target {
        Some((file, path)) => (Some((write_all(printed, file), path)), None),
        None => (None, Some(drain(Some(printed)))),
    };
    let status = to_its_end(cmd, expression)?;
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
        stdout: stdout.map(collect).transpose()?.unwrap_or_default(),
        stderr: collect(stderr)?,
    })
}

/// The command with its standard input, and the other ends of the pipes that it
/// prints to. They are ours, since duct would wait for a grandchild that holds its
/// own open; no end of a command that is over stays behind with us.
fn piped(cmd: &Cmd) -> Result<(Expression, PipeReader, PipeReader)> {
    let (printed, stdout) = io::pipe().context("making a pipe")?;
    let (said, stderr) = io::pipe().context("making a pipe")?;
    let expression = match &cmd.file {
        Some(Piped::From(path)) => expression(cmd).stdin_file(open_for_reading(path)?),
        _ => fed(cmd),
    };
    let expression = expression.stdout_file(stdout).stderr_file(stderr);
    Ok((expression, printed, said))
}

fn open_for_reading(path: &Path) -> Result<File> {
    File::open(path).with_context(|| format!("opening {}", path.display()))
}

fn open_for_writing(path: &Path) -> Result<File> {
    let opened = File::options().write(true).truncate(true).open(path);
    opened.map_err(|error| unwritable(path, &error))
}

/// Hands the file back once the pipe is closed.
fn write_all(mut pipe: PipeReader, mut file: File) -> Receiver<io::Result<File>> {
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
    Failure::tool(tr!(
        "`{program}` ended, and something that it started still holds its output: {file} may lack \
         its end",
        "`{program}` s'est terminé, et quelque chose qu'il a lancé tient encore sa sortie : la \
         fin de {file} peut manquer",
        program = cmd.name(),
        file = path.display(),
    ))
    .next(tr!("try it by hand: {cmd}", "essayez à la main : {cmd}"))
    .into()
}

fn unwritable(path: &Path, error: &io::Error) -> anyhow::Error {
    Failure::tool(tr!(
        "writing {file}: {error}",
        "écriture de {file} : {error}",
        file = path.display(),
    ))
    .next(tr!(
        "make room there, or name another place, then the same command again",
        "faites-y de la place, ou nommez un autre endroit, puis relancez la même commande",
    ))
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
