//! `preflight`: all that the lab needs of this machine, checked at once, each
//! failure with the command that repairs it.

use anyhow::Result;

use crate::check::{Check, parse_df};
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::local;
use crate::tools::python;

/// Volumes, packages and logs of the lab stay well below this.
const NEEDED_MIB: u64 = 500;

/// The command: shows the table whatever it says.
pub fn run(ctx: &Context) -> Result<()> {
    let engine = engine::select(ctx)?;
    let checks = all(ctx, engine.as_ref());
    if ctx.ui.json() {
        ctx.ui.document(&checks)?;
    } else {
        show(ctx, &checks);
    }
    fail_on(&checks)
}

/// Shows the table only when something is missing.
pub fn insist(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let checks = all(ctx, engine);
    if checks.iter().any(|check| !check.ok) && !ctx.ui.json() {
        show(ctx, &checks);
    }
    fail_on(&checks)
}

fn fail_on(checks: &[Check]) -> Result<()> {
    let failed: Vec<&Check> = checks.iter().filter(|check| !check.ok).collect();
    let Some(first) = failed.first() else {
        return Ok(());
    };
    let said: Vec<String> = failed
        .iter()
        .map(|check| format!("{}: {}", check.name, check.found))
        .collect();
    let failure = Failure::preflight(format!(
        "this machine is not ready for the lab:\n    {}",
        said.join("\n    ")
    ));
    Err(match &first.next {
        Some(next) => failure.next(next).into(),
        None => failure.into(),
    })
}

fn show(ctx: &Context, checks: &[Check]) {
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| {
            vec![
                if check.ok { "ok" } else { "FAILED" }.to_owned(),
                check.name.to_owned(),
                check.found.replace('\n', " "),
                check.next.clone().unwrap_or_default(),
            ]
        })
        .collect();
    ctx.ui.table(&["", "check", "found", "repair"], &rows);
}

fn all(ctx: &Context, engine: &dyn Engine) -> Vec<Check> {
    let mut checks = vec![
        Check::from("python", python_will_do(ctx)),
        Check::from("disk", disk_has_room(ctx)),
        Check::from("folder", folder_is_writable(ctx)),
    ];
    let own = engine.checks();
    // The engine can say whether it holds the port only where it is sound.
    let sound = own.iter().all(|check| check.ok);
    checks.extend(own);
    if sound {
        checks.push(Check::from("port", port_is_free(ctx, engine)));
    }
    checks
}

fn python_will_do(ctx: &Context) -> Result<String> {
    let python = python::find()?;
    let facts = python::ask(&ctx.exec, &python)?;
    let minimum = ctx.config.python.minimum();
    let shown = format!("{} at {}", facts.version(), python.display());
    if !facts.at_least(minimum) {
        return Err(Failure::preflight(format!(
            "{shown} is older than {}.{}",
            minimum.0, minimum.1
        ))
        .next(python::install_hint())
        .into());
    }
    if !facts.venv {
        return Err(
            Failure::preflight(format!("{shown} cannot make virtual environments"))
                .next(python::install_hint())
                .into(),
        );
    }
    Ok(shown)
}

/// A port that our own lab holds is as good as a free one.
fn port_is_free(ctx: &Context, engine: &dyn Engine) -> Result<String> {
    let port = ctx.config.service.port;
    if port == 0 {
        return Ok("any free one".into());
    }
    if engine.holds_port(port)? {
        return Ok(format!("{port}, in use by this lab"));
    }
    local::port_is_free(&ctx.lab, port).map(|()| format!("{port} is free"))
}

fn disk_has_room(ctx: &Context) -> Result<String> {
    let cmd = Cmd::new("df").args(["-Pk", &ctx.lab.root.to_string_lossy()]);
    let free = parse_df(&ctx.exec.read(&cmd)?)?;
    if free < NEEDED_MIB {
        return Err(Failure::preflight(format!(
            "{free} MiB free, {NEEDED_MIB} MiB needed for the lab's volumes and packages"
        ))
        .next(format!(
            "df -h {} and free some space",
            ctx.lab.root.display()
        ))
        .into());
    }
    Ok(format!("{free} MiB free"))
}

/// Looks at the permission without creating anything.
fn folder_is_writable(ctx: &Context) -> Result<String> {
    let home = ctx.lab.home();
    let place = if home.exists() { &home } else { &ctx.lab.root };
    let shown = place.display();
    match nix::unistd::access(place, nix::unistd::AccessFlags::W_OK) {
        Ok(()) => Ok(format!("{shown} is writable")),
        Err(error) => Err(
            Failure::preflight(format!("{shown} is not writable: {error}"))
                .next(format!(
                    "ls -ld {shown} and give yourself the right to write there"
                ))
                .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure;

    #[test]
    fn all_failures_are_told_at_once_with_a_way_out() {
        let bad = |name| Check::from(name, Err(Failure::preflight("broken").next("mend").into()));
        let checks = [
            bad("python"),
            Check::from("disk", Ok("fine".into())),
            bad("port"),
        ];
        let error = fail_on(&checks).unwrap_err();
        let said = error.to_string();
        assert!(
            said.contains("python: broken") && said.contains("port: broken"),
            "{said}"
        );
        assert!(!said.contains("disk"));
        assert_eq!(failure::next(&error), Some("mend"));
        assert_eq!(failure::kind(&error), failure::Kind::Preflight);
    }
}
