//! The guide's screenshots: the lab's pages in a real browser without a window.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use terms::lang::{Lang, speaking};
use terms::tr;

use super::committed::measurements;
use crate::commands::report;
use crate::context::Context;
use crate::engine;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::wait;
use crate::workspace;

/// What is shown, and how large the window is.
const PAGES: [(&str, &str, &str); 4] = [
    ("accueil.png", "/", "1000,640"),
    ("status.png", "/status", "1000,160"),
    ("consultation.png", "/consultation", "820,200"),
    ("rapport.png", "", "1000,590"),
];
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];
/// A picture in the repository is no larger, in bytes.
const LARGEST: u64 = 100_000;

pub fn run(ctx: &Context) -> Result<()> {
    let browser = browser()?;
    let engine = engine::select(ctx)?;
    let url = engine.facts()?.url.ok_or_else(|| {
        let said = tr!("the lab is not up", "le laboratoire n'est pas démarré");
        Failure::usage(said).next("cargo xtask setup")
    })?;
    let run = report::find(ctx, None)?;
    // The guide's language, whatever the person's is.
    speaking(Lang::French, || report::draw(ctx, &run))?;
    let page = std::path::absolute(run.join(report::PAGE)).context("reading the current folder")?;
    let folder = measurements(&ctx.workspace.root).with_file_name("captures");
    for (name, path, size) in PAGES {
        let shown = match path {
            "" => format!("file://{}", page.display()),
            path => format!("{url}{path}"),
        };
        let step = ctx.ui.step(name);
        let picture = folder.join(name);
        if ctx.exec.change(&format!("# {}", picture.display())) {
            take(ctx, &browser, &shown, size, &picture)?;
        }
        step.done(shown);
    }
    Ok(())
}

fn browser() -> Result<String> {
    let found = BROWSERS.iter().find_map(|name| which::which(name).ok());
    let found = found.ok_or_else(|| {
        let all = BROWSERS.join(", ");
        let said = tr!(
            "there is no browser on PATH: none of {all}",
            "aucun navigateur dans PATH : ni {all}"
        );
        Failure::preflight(said).next("sudo apt-get install -y chromium")
    })?;
    Ok(found.display().to_string())
}

/// With a profile of its own, and nothing that asks the network for more than the page; the
/// tests of the page start a browser likewise (`app/tests/browser.py`).
fn take(ctx: &Context, browser: &str, shown: &str, size: &str, picture: &Path) -> Result<()> {
    let profile = ctx.workspace.home().join("guide/browser");
    let _ = fs::remove_dir_all(&profile);
    let part = ctx.workspace.home().join("guide/picture.png");
    fs::create_dir_all(&profile).context("creating a profile for the browser")?;
    let (own, file) = (profile.display(), part.display());
    let cmd = Cmd::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--lang=fr",
            "--accept-lang=fr",
            // So long in its own time, which does not pass while it waits: the application's
            // page asks for what it shows.
            "--virtual-time-budget=3000",
            "--force-device-scale-factor=1",
        ])
        .args([
            format!("--user-data-dir={own}"),
            format!("--window-size={size}"),
            format!("--screenshot={file}"),
            shown.to_owned(),
        ])
        .limit(wait::REPORT);
    ctx.exec.run(&cmd)?;
    let bytes = fs::metadata(&part)
        .with_context(|| format!("no picture of {shown}"))?
        .len();
    anyhow::ensure!(
        bytes <= LARGEST,
        "the picture of {shown} has {bytes} bytes, more than {LARGEST}"
    );
    workspace::put_in_place(&part, picture)?;
    let _ = fs::remove_dir_all(&profile);
    Ok(())
}
