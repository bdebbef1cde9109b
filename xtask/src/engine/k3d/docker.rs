//! The Docker daemon: does it answer, and what does it say of itself.

use anyhow::Result;
use std::path::Path;
use terms::tr;

use crate::context::Context;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::tools::docker::{self, Info};
use crate::wait;

/// What the daemon says; `None` where none answers.
pub fn info(ctx: &Context) -> Option<Info> {
    let cmd = Cmd::new("docker")
        .args(docker::INFO)
        .limit(wait::DOCKER_ANSWER);
    // No client, a hang, a refusal: all the same to the caller.
    let output = ctx.exec.probe(&cmd).ok()?;
    Info::parse(&output.stdout)
}

/// The daemon, waited for where it is still starting.
pub fn insist(ctx: &Context) -> Result<Info> {
    if let Some(info) = info(ctx) {
        return Ok(info);
    }
    if which::which("docker").is_err() {
        return Err(Failure::preflight(tr!(
            "`docker` was not found on PATH",
            "`docker` est introuvable dans le PATH",
        ))
        .next(tr!(
            "install Docker (https://docs.docker.com/get-docker/), or use --engine local",
            "installez Docker (https://docs.docker.com/get-docker/), ou prenez --engine local",
        ))
        .into());
    }
    if !may_be_starting(ctx) {
        return Err(silent().into());
    }
    let step = ctx.ui.step(tr!("Docker is starting", "Docker démarre"));
    let info =
        wait::until(wait::DOCKER_UP, || Ok(info(ctx))).map_err(|error| error.context(silent()))?;
    step.done(tr!("it answers", "il répond"));
    Ok(info)
}

fn silent() -> Failure {
    Failure::preflight(tr!(
        "the Docker daemon does not answer",
        "le démon Docker ne répond pas",
    ))
    .next(if cfg!(target_os = "macos") {
        tr!(
            "start Docker Desktop, then run the same command again; or use --engine local",
            "démarrez Docker Desktop, puis relancez la même commande ; ou prenez --engine local",
        )
    } else {
        tr!(
            "sudo systemctl start docker, and be in the group docker; or use --engine local",
            "sudo systemctl start docker, et soyez du groupe docker ; ou prenez --engine local",
        )
    })
}

/// A socket that refuses, or a service that systemd is bringing up, is worth
/// the wait; a machine without either is not.
fn may_be_starting(ctx: &Context) -> bool {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host
        .strip_prefix("unix://")
        .unwrap_or("/var/run/docker.sock");
    if Path::new(socket).exists() {
        return true;
    }
    let cmd = Cmd::new("systemctl").args(["is-active", "docker"]);
    let said = ctx.exec.probe(&cmd);
    said.is_ok_and(|output| output.stdout.trim() == "activating")
}
