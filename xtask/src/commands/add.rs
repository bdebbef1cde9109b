//! `add`: write a message as a user does.

use anyhow::Result;
use serde_json::json;
use terms::lang::moment;
use terms::tr;

use crate::commands::setup;
use crate::context::Context;
use crate::exec::quote;
use crate::http;

pub fn run(ctx: &Context, message: &str) -> Result<()> {
    add(ctx, message).map(drop)
}

/// Returns the id of the row; `None` in a dry run.
pub fn add(ctx: &Context, message: &str) -> Result<Option<i64>> {
    let _lock = ctx.lock("add")?;
    let engine = setup::bring_up(ctx)?;
    let facts = engine.facts()?;
    let url = facts.url.unwrap_or_else(|| "http://127.0.0.1:8080".into());
    let body = json!({ "message": message });
    let shell = format!(
        "curl -H 'Content-Type: application/json' -d {} {url}/add",
        quote(&body.to_string())
    );
    if !ctx.exec.change(&shell) {
        return Ok(None);
    }
    let added = http::post_ok(&url, "/add", &body)?;
    let id = added["id"].as_i64();
    if ctx.ui.json() {
        return ctx.ui.document(&added).map(|()| id);
    }
    ctx.ui.say(&tr!(
        "Added as row {id} at {time}",
        "Ajouté : ligne {id}, {time}",
        id = added["id"],
        time = moment(added["timestamp"].as_str().unwrap_or_default()),
    ));
    Ok(id)
}
