//! Scenario 11: rows are deleted in a `sqlite3` that is not the application's,
//! past its journal. Python's stands in for the shell.

use anyhow::Result;

use crate::context::Context;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::measure::result::ScenarioResult;
use crate::scenario::outage::{self, Disaster};
use crate::scenario::run::Run;

/// The guards refuse it.
const DELETE: &str = r#"import os, sqlite3
shell = sqlite3.connect(os.path.realpath(os.environ["PRA_DATA_DIR"] + "/app.db"))
try:
    shell.execute("DELETE FROM events")
    shell.commit()
    print("deleted")
except sqlite3.Error as error:
    print("refused:", error)
"#;

/// Who removes the guards first gets his way.
const DELETE_WITHOUT_GUARDS: &str = r#"import os, sqlite3
shell = sqlite3.connect(os.path.realpath(os.environ["PRA_DATA_DIR"] + "/app.db"))
for name in ("insert", "update", "delete"):
    shell.execute(f"DROP TRIGGER pra_guard_{name}")
shell.execute("DELETE FROM events")
shell.commit()
"#;

const DISASTER: Disaster = Disaster {
    prepare: outage::verified_backup,
    breaks: "a foreign sqlite3 removes the write guards and deletes every row",
    strike,
    restore: outage::restore_latest,
    untouched: false,
    points_lost: 0,
    lesson: |_, report| {
        format!(
            "The first DELETE was refused: triggers of the database ask for a function that only \
             the application has. Without them it went through, unseen by the journal; the next \
             write found them gone and was refused, since nothing was certain any more. What the \
             restore replaced is kept as {}.",
            report.safety_point.as_deref().unwrap_or("a safety point")
        )
    },
};

pub fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    outage::play(&DISASTER, run, engine)
}

pub fn show(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::show(&DISASTER, ctx, engine)
}

fn strike(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    if let Some(said) = engine.python(DELETE)? {
        ctx.ui.note(&format!("a foreign DELETE is {}", said.trim()));
        insist_on_refusal(&said)?;
    }
    engine.python(DELETE_WITHOUT_GUARDS).map(drop)
}

fn insist_on_refusal(said: &str) -> Result<()> {
    if said.starts_with("refused: no such function") {
        return Ok(());
    }
    let said = format!(
        "the write guards did not refuse a foreign DELETE: {}",
        said.trim()
    );
    Err(Failure::promise(said)
        .next("cargo xtask restore latest")
        .into())
}
