//! `preflight`: all that the lab needs of this machine, checked at once, each
//! failure with the command that repairs it.

use std::path::PathBuf;

use anyhow::Result;
use terms::lang::{Both, both};
use terms::tr;

use crate::check::Check;
use crate::check::disk::{self, Disk};
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::exec::{environment, quote_path};
use crate::failure::Failure;
use crate::local;
use crate::tools::python;

/// Volumes, packages and logs of the lab stay well below this.
const NEEDED_MIB: u64 = 500;
/// The packages are some thousands of files.
const NEEDED_FILES: u64 = 10_000;

/// The command: shows the table whatever it says.
pub fn run(ctx: &Context, download: bool) -> Result<()> {
    let engine = engine::select(ctx)?;
    let checks = all(ctx, engine.as_ref());
    if ctx.ui.json() {
        ctx.ui.document(&checks)?;
    } else {
        show(ctx, &checks);
    }
    fail_on(&checks)?;
    if !download {
        return Ok(());
    }
    let _lock = ctx.lock("preflight --download")?;
    // The local engine is at hand on every machine, whichever is chosen.
    ctx.venv().ensure(&ctx.exec, &ctx.ui)?;
    engine.fetch()
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
        .map(|check| {
            tr!(
                "{name}: {found}",
                "{name} : {found}",
                name = check.label(),
                found = check.found,
            )
        })
        .collect();
    let failure = Failure::preflight(tr!(
        "this machine is not ready for the lab:\n    {failed}",
        "cette machine n'est pas prête pour le lab :\n    {failed}",
        failed = said.join("\n    "),
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
                if check.ok {
                    Both::same("ok")
                } else {
                    both("FAILED", "ÉCHEC")
                }
                .into(),
                check.label().to_owned(),
                check.found.replace('\n', " "),
                check.next.clone().unwrap_or_default(),
            ]
        })
        .collect();
    ctx.ui.table(
        &[
            "",
            both("check", "contrôle").text(),
            both("found", "trouvé").text(),
            both("repair", "réparer").text(),
        ],
        &rows,
    );
}

fn all(ctx: &Context, engine: &dyn Engine) -> Vec<Check> {
    let mut checks = vec![
        Check::from("python", python_will_do(ctx)),
        Check::from("disk", disk_has_room(ctx)),
        Check::from("files", disk_has_room_for_files(ctx)),
        Check::from("folder", folder_is_writable(ctx)),
    ];
    checks.extend(environment());
    let own = engine.checks();
    // The engine can say whether it holds the port only where it is sound.
    let sound = own.iter().all(|check| check.ok);
    checks.extend(own);
    if sound && engine.needs_port() {
        checks.push(Check::from("port", port_is_free(ctx, engine)));
    }
    checks
}

fn python_will_do(ctx: &Context) -> Result<String> {
    let python = python::find(&ctx.exec, ctx.config.python.minimum())?;
    let (version, path) = (python.facts.version(), python.path.display());
    Ok(tr!("{version} at {path}", "{version} dans {path}"))
}

/// A port counts as free where our own lab holds it.
fn port_is_free(ctx: &Context, engine: &dyn Engine) -> Result<String> {
    let port = ctx.port();
    if port == 0 {
        return Ok(tr!("any free one", "n'importe lequel de libre"));
    }
    if engine.holds_port(port)? {
        return Ok(match engine.insist_on_ownership() {
            Ok(()) => tr!("{port}, in use by this lab", "{port}, utilisé par ce lab"),
            Err(error) => tr!("{port}, in use: {error}", "{port}, utilisé : {error}"),
        });
    }
    local::port_is_free(&ctx.workspace, port).map(|()| tr!("{port} is free", "{port} est libre"))
}

fn disk_has_room(ctx: &Context) -> Result<String> {
    let free = Disk::at(&ctx.exec, &ctx.workspace.root)?.free;
    if free >= NEEDED_MIB {
        return Ok(tr!("{free} MiB free", "{free} Mio libres"));
    }
    Err(Failure::preflight(tr!(
        "{free} MiB free, {NEEDED_MIB} MiB needed for the lab's volumes and packages",
        "{free} Mio libres, il faut {NEEDED_MIB} Mio pour les volumes et les paquets du lab",
    ))
    .next(tr!(
        "df -h {place} and free some space",
        "df -h {place} et libérez de la place",
        place = quote_path(&ctx.workspace.root),
    ))
    .into())
}

fn disk_has_room_for_files(ctx: &Context) -> Result<String> {
    match disk::files_left(&ctx.workspace.root)? {
        None => Ok(tr!(
            "as many as there is space for",
            "autant qu'il y a de place"
        )),
        Some(left) if left >= NEEDED_FILES => Ok(tr!(
            "{left} more can be made",
            "{left} peuvent encore être créés",
        )),
        Some(left) => Err(Failure::preflight(tr!(
            "the file system has room for {left} more files (inodes), {NEEDED_FILES} are needed",
            "le système de fichiers a de la place pour {left} fichiers (inodes), il en faut \
             {NEEDED_FILES}",
        ))
        .next(tr!(
            "df -i {place} and remove files",
            "df -i {place} et supprimez des fichiers",
            place = quote_path(&ctx.workspace.root),
        ))
        .into()),
    }
}

/// Looks at the permission without creating anything, also of what an earlier
/// command made, which may have been somebody else's.
fn folder_is_writable(ctx: &Context) -> Result<String> {
    let workspace = &ctx.workspace;
    let home = workspace.home();
    let own = [
        workspace.state(),
        workspace.logs(),
        workspace.runs(),
        workspace.volumes(),
        workspace.tools(),
    ];
    let mut places: Vec<PathBuf> = own.into_iter().filter(|place| place.exists()).collect();
    places.insert(
        0,
        if home.exists() {
            home
        } else {
            workspace.root.clone()
        },
    );
    for place in &places {
        let shown = place.display();
        nix::unistd::access(place, nix::unistd::AccessFlags::W_OK).map_err(|error| {
            Failure::preflight(tr!(
                "{shown} is not writable: {error}",
                "{shown} n'est pas accessible en écriture : {error}",
            ))
            .next(tr!(
                "ls -ld {place} and give yourself the right to write there",
                "ls -ld {place} et donnez-vous le droit d'y écrire",
                place = quote_path(place),
            ))
        })?;
    }
    Ok(tr!(
        "{place} is writable",
        "{place} est accessible en écriture",
        place = places[0].display(),
    ))
}

/// Environment variables that could change what tools do, and what is done about them.
fn environment() -> Vec<Check> {
    let mut checks = Vec::new();
    let left_out = environment::left_out();
    if !left_out.is_empty() {
        let said = tr!(
            "left out of what is run: {names}",
            "retirées de ce qui est exécuté : {names}",
            names = left_out.join(", "),
        );
        checks.push(Check::from("environment", Ok(said)));
    }
    if let Some(name) = environment::proxy() {
        let said = tr!(
            "{name} is used for downloads; this machine is asked directly",
            "{name} sert aux téléchargements ; cette machine est interrogée directement",
        );
        checks.push(Check::from("proxy", Ok(said)));
    }
    checks
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
