//! Short commands whose output is read. xshell builds them, and the processes that
//! outlive us: it resolves the folder and hands on the environment.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use super::cmd::Cmd;
use super::limit::supervise;
use super::outcome::Output;
use super::pipe::{collect, drain};

pub(super) fn build(cmd: &Cmd) -> Result<Command> {
    let shell = xshell::Shell::new().context("reading the current directory")?;
    if let Some(dir) = &cmd.cwd {
        shell.change_dir(dir);
    }
    let command = shell.cmd(&cmd.program).args(&cmd.args);
    let mut command: Command = command.env_clear().envs(cmd.environment()).into();
    if let Some(name) = cmd.shown_as() {
        command.arg0(name);
    }
    Ok(command)
}

/// Runs a short command to its end, without showing it.
pub fn output(cmd: &Cmd) -> Result<Output> {
    let mut command = build(cmd)?;
    let stdin = match cmd.input {
        Some(_) => Stdio::piped(),
        None => Stdio::null(),
    };
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().map_err(|e| cmd.not_started(e))?;
    if let (Some(mut pipe), Some(text)) = (child.stdin.take(), cmd.input.clone()) {
        // One that does not read to the end has its reason, and says it.
        std::thread::spawn(move || pipe.write_all(text.as_bytes()));
    }
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let group = Some(child.id());
    let status = supervise(cmd, group, || Ok(child.try_wait()?))?;
    Ok(Output {
        status,
        stdout: collect(stdout)?,
        stderr: collect(stderr)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};
    use crate::wait;
    use std::time::Duration;

    #[test]
    fn a_hang_ends_at_its_limit_with_all_its_children() {
        let dir = std::env::temp_dir().join(format!("xtask-exec-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let pid_file = dir.join("grandchild");
        let script = format!("sleep 60 & echo $! > {}; wait", pid_file.display());
        let cmd = Cmd::new("sh")
            .args(["-c", &script])
            .limit(Duration::from_millis(300));
        let error = output(&cmd).unwrap_err();
        assert_eq!(kind(&error), Kind::Timeout);
        let pid = std::fs::read_to_string(&pid_file).unwrap();
        let pid = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
        let gone = || nix::sys::signal::kill(pid, None).is_err().then_some(());
        // An orphan waits for init to reap it.
        let zombie = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
            stat.is_ok_and(|s| s.contains(") Z")).then_some(())
        };
        wait::until(wait::ORPHANS_GONE, || Ok(gone().or_else(zombie))).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_missing_program_is_a_preflight_failure_that_names_it() {
        let error = output(&Cmd::new("no-such-tool")).unwrap_err();
        assert_eq!(kind(&error), Kind::Preflight);
        assert!(error.to_string().contains("no-such-tool"));
    }
}
