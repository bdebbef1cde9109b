//! The provenance of a run: the commit, and the versions of everything that took part.
//! What cannot be found out is absent.

use std::collections::BTreeMap;

use crate::app;
use crate::context::Context;
use crate::engine::Engine;
use crate::exec::Cmd;

/// Names and versions, as in `versions` of a result.
pub type Versions = BTreeMap<String, String>;

/// Collects all versions. Takes a fraction of a second on k3d, so it is not called
/// while anything is measured.
pub fn collect(ctx: &Context, engine: &dyn Engine) -> Versions {
    let mut versions = Versions::from(
        [
            ("xtask", env!("CARGO_PKG_VERSION").to_owned()),
            (
                "system",
                format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Ok(cores) = std::thread::available_parallelism() {
        versions.insert("cores".to_owned(), cores.to_string());
    }
    versions.extend(commit(ctx).unwrap_or_default());
    versions.extend(engine.versions());
    // An application from before it could say this says nothing.
    versions.extend(app::about(engine).unwrap_or_default());
    versions
}

/// The commit of the checkout, and whether its files are those of that commit.
/// A copy of the project without its history has none, even inside another one.
fn commit(ctx: &Context) -> Option<Versions> {
    let git = |args: &[&str]| {
        let cmd = Cmd::new("git").args(args).cwd(&ctx.workspace.root);
        let output = ctx.exec.probe(&cmd).ok()?;
        output.status.success().then_some(output.stdout)
    };
    let said = git(&["rev-parse", "--show-toplevel", "HEAD"])?;
    let (top, commit) = said.trim().split_once('\n')?;
    if std::fs::canonicalize(top).ok()? != std::fs::canonicalize(&ctx.workspace.root).ok()? {
        return None;
    }
    let mut versions = Versions::from([("commit".to_owned(), commit.to_owned())]);
    let changed = git(&["status", "--porcelain"])?.lines().count();
    let dirty = match changed {
        0 => "no".to_owned(),
        1 => "1 file".to_owned(),
        _ => format!("{changed} files"),
    };
    versions.insert("dirty".to_owned(), dirty);
    Some(versions)
}
