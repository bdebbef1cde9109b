//! The second workshop (`--lab image`): Mario from a public image, then Nginx
//! with a page of one's own, from `index.html` to the browser.

use anyhow::{Context as _, Result};
use serde_json::json;
use terms::lang::both;
use terms::tr;

use super::{reset, stages};
use crate::cli::Command;
use crate::context::Context;
use crate::engine::k3d::site::{Blueprint, Site};
use crate::failure::Failure;
use crate::http;
use crate::kube::image::docker;
use crate::wait;

const PAGE: &str = "packer/nginx/index.html";

pub fn run(ctx: &Context, command: &Command) -> Result<()> {
    let site = Site::new(ctx, Blueprint::image_workshop(ctx));
    match command {
        Command::Setup { existing: false } => setup(ctx, &site),
        Command::Status => status(ctx, &site),
        Command::Teardown { copies: false } => teardown(ctx, &site),
        Command::Cluster
        | Command::Image
        | Command::Import
        | Command::Push
        | Command::Deploy
        | Command::Forward { .. } => stages::run(ctx, command),
        Command::Reset => Err(reset::refuse_for_image(ctx)),
        _ => Err(Failure::usage(tr!(
            "the image workshop has setup, status, teardown and the stages, and nothing else",
            "l'atelier de l'image a setup, status, teardown et les étapes, et rien d'autre",
        ))
        .next("cargo xtask --lab image setup")
        .into()),
    }
}

fn setup(ctx: &Context, site: &Site) -> Result<()> {
    let _lock = ctx.lock("setup")?;
    docker::insist(ctx)?;
    site.up()?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    let step = ctx
        .ui
        .step(tr!("the page that is served", "la page servie"));
    let urls = urls(site)?;
    let wanted = own_page(site)?;
    wait::until(wait::PAGE_SHOWN, || {
        let served = http::page(&urls.nginx).ok();
        Ok(served.filter(|page| *page == wanted).map(drop))
    })?;
    step.done(tr!("exactly {PAGE}", "exactement {PAGE}"));
    let step = ctx.ui.step("Mario");
    wait::until(wait::PAGE_SHOWN, || Ok(http::page(&urls.mario).ok()))?;
    step.done(tr!("answers", "répond"));
    ctx.ui.timings();
    if ctx.ui.json() {
        return ctx
            .ui
            .document(&json!({"nginx": urls.nginx, "mario": urls.mario, "verified": true}));
    }
    ctx.ui.say(&tr!(
        "Your page: {url}",
        "Votre page : {url}",
        url = urls.nginx
    ));
    ctx.ui.say(&format!("Mario:     {}", urls.mario));
    ctx.ui.say(&tr!(
        "  next: edit {PAGE}, then cargo xtask --lab image setup",
        "  ensuite : modifiez {PAGE}, puis cargo xtask --lab image setup",
    ));
    Ok(())
}

fn status(ctx: &Context, site: &Site) -> Result<()> {
    // Before the first setup there may be no k3d to ask.
    let cluster = match site.has_k3d()? {
        true => site.cluster()?,
        false => None,
    };
    let running = cluster.as_ref().is_some_and(|cluster| cluster.is_running());
    let urls = match running {
        true => Some(urls(site)?),
        false => None,
    };
    let answer = |url: &str| http::page(url).ok();
    let nginx = urls.as_ref().and_then(|urls| answer(&urls.nginx));
    let mario = urls
        .as_ref()
        .is_some_and(|urls| answer(&urls.mario).is_some());
    let own = nginx.is_some() && nginx == own_page(site).ok();
    if ctx.ui.json() {
        return ctx.ui.document(&json!({
            "running": running, "exists": cluster.is_some(),
            "nginx": urls.as_ref().map(|urls| &urls.nginx), "serves_own_page": own,
            "mario": urls.as_ref().map(|urls| &urls.mario), "mario_answers": mario,
        }));
    }
    let Some(urls) = urls else {
        ctx.ui.say(
            both(
                "The image workshop is down.",
                "L'atelier de l'image est arrêté.",
            )
            .text(),
        );
        ctx.ui.say(
            both(
                "  next: cargo xtask --lab image setup",
                "  ensuite : cargo xtask --lab image setup",
            )
            .text(),
        );
        return Ok(());
    };
    let said = |good: bool, yes: &str, no: &str| if good { yes.into() } else { String::from(no) };
    let rows = [
        vec![
            "nginx".to_owned(),
            urls.nginx,
            said(
                own,
                both("serves exactly index.html", "sert exactement index.html").text(),
                both(
                    "does not serve index.html as it is now",
                    "ne sert pas index.html tel qu'il est maintenant",
                )
                .text(),
            ),
        ],
        vec![
            "mario".to_owned(),
            urls.mario,
            said(
                mario,
                both("answers", "répond").text(),
                both("does not answer", "ne répond pas").text(),
            ),
        ],
    ];
    ctx.ui.table(&["", "", ""], &rows);
    Ok(())
}

fn teardown(ctx: &Context, site: &Site) -> Result<()> {
    let _lock = ctx.lock("teardown")?;
    let exists = site.cluster()?.is_some();
    if exists {
        ctx.confirm(
            both(
                "This deletes the cluster lab and the image made for it.",
                "Ceci supprime le cluster lab et l'image faite pour lui.",
            )
            .text(),
        )?;
    }
    let step = ctx.ui.step(tr!("teardown", "démontage"));
    site.remove()?;
    if exists {
        step.done(tr!("removed", "supprimé"));
    } else {
        step.found(tr!("nothing was there", "il n'y avait rien"));
    }
    if ctx.ui.json() && !ctx.exec.dry_run() {
        return ctx
            .ui
            .document(&json!({"status": "removed", "lab": "image"}));
    }
    Ok(())
}

struct Urls {
    mario: String,
    nginx: String,
}

fn urls(site: &Site) -> Result<Urls> {
    let urls = site.urls()?;
    let of = |service: &str| {
        let mut all = site.kube.workload.ports.iter().zip(&urls);
        let found = all.find(|(port, _)| port.service == service);
        let url = found.and_then(|(_, url)| url.clone());
        url.with_context(|| {
            tr!(
                "{service} is reached on no port",
                "{service} n'est joignable sur aucun port",
            )
        })
    };
    Ok(Urls {
        mario: of("mario")?,
        nginx: of("nginx")?,
    })
}

fn own_page(site: &Site) -> Result<String> {
    let path = site.kube.path(PAGE);
    std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
}
