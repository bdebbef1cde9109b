//! `open`: the application in a browser.

use anyhow::{Context as _, Result};
use serde_json::json;
use terms::tr;

use crate::commands::setup;
use crate::context::Context;
use crate::exec::Cmd;
use crate::failure::Failure;

pub fn run(ctx: &Context) -> Result<()> {
    let lock = ctx.lock("open")?;
    let engine = setup::bring_up(ctx)?;
    drop(lock);
    let url = engine.facts()?.url;
    let url = url.or(ctx
        .exec
        .dry_run()
        .then(|| "http://127.0.0.1:8080".to_owned()));
    let url = url.context(tr!("the lab has no URL", "le lab n'a pas d'URL"))?;
    if !ctx.exec.dry_run() {
        if ctx.ui.json() {
            ctx.ui.document(&json!({"url": url}))?;
        } else {
            ctx.ui.say(&url);
        }
    }
    in_browser(ctx, &url)
}

/// Opens an address or a file.
///
/// # Errors
/// This machine has no browser to be found in the usual way.
pub fn in_browser(ctx: &Context, what: &str) -> Result<()> {
    let opener = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    ctx.exec
        .run(&Cmd::new(opener).args([what]))
        .map_err(|error| {
            let failure = Failure::preflight(tr!(
                "no browser could be opened",
                "aucun navigateur n'a pu être ouvert",
            ));
            error.context(failure.next(tr!(
                "open it by hand: {what}",
                "ouvrez-la à la main : {what}",
            )))
        })
}
