//! The original workshop's way, measured as a drill measures the lab's own: a copy by `cp`,
//! the loss of the volume at a random moment of the minute after it, and the workshop's
//! typed commands, one after the other. Its manifests are in `docs/atelier/origine`; they run
//! in a namespace of their own beside the lab. The same client writes and keeps the ledger.

mod cost;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use terms::{EngineName, tr};

use cost::{Disaster, Look, Times, figures, group};

use crate::commands::setup;
use crate::context::Context;
use crate::engine::k3d::site::{Blueprint, Site};
use crate::engine::{self, Engine};
use crate::failure::Failure;
use crate::measure::client::{Client, Load};
use crate::measure::compare::{Rows, parse_dump};
use crate::measure::figures::milliseconds;
use crate::measure::ledger::Ledger;
use crate::measure::observed::Mode;
use crate::measure::writing::Form;
use crate::measure::{result_file, schedule};
use crate::provenance;
use crate::runs;
use crate::tools::kubectl::Kubectl;
use crate::wait;

const FOLDER: &str = "docs/atelier/origine";
const NAMESPACE: &str = "origine";
const NODE_PORT: u16 = 30090;
/// Acknowledgements before the copy, and after the recovery.
const ACKNOWLEDGED: usize = 60;

/// The original workshop's commands, up to and from the moment when it looks at the damage.
const STRIKE: [&[&str]; 4] = [
    &["scale", "deployment", "flask", "--replicas=0"],
    &[
        "patch",
        "cronjob",
        "sqlite-backup",
        "-p",
        r#"{"spec":{"suspend":true}}"#,
    ],
    &["delete", "job", "--all"],
    &["delete", "pvc", "pra-data"],
];
const RESUME: &[&str] = &[
    "patch",
    "cronjob",
    "sqlite-backup",
    "-p",
    r#"{"spec":{"suspend":false}}"#,
];

/// Every row, and how many of the copies are no sound database.
const LOOK: &str = r#"
import glob, json, sqlite3
def sound(path):
    try:
        return sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        return False
copies = glob.glob("/backup/*.db")
print(json.dumps({"copies": len(copies), "unsound": sum(not sound(one) for one in copies)}))
try:
    for row in sqlite3.connect("/data/app.db").execute("SELECT id, ts, message FROM events"):
        print(json.dumps({"id": row[0], "timestamp": row[1], "message": row[2]}))
except sqlite3.DatabaseError as error:
    print(json.dumps({"unreadable": str(error)}))
"#;

pub fn run(ctx: &Context, count: u32, seed: Option<u64>) -> Result<()> {
    let _lock = ctx.lock("guide original")?;
    let engine = engine::select(ctx)?;
    if engine.name() != EngineName::K3d {
        let said = tr!(
            "the original workshop runs on Kubernetes alone",
            "l'atelier d'origine ne tourne que sur Kubernetes"
        );
        return Err(Failure::usage(said)
            .next("cargo xtask --engine k3d guide original")
            .into());
    }
    setup::ensure_as_declared(ctx, engine.as_ref())?;
    let site = Site::new(ctx, Blueprint::pra(ctx));
    let kubectl = site.kube.kubectl()?;
    let original = Original {
        ctx,
        url: url(ctx, &kubectl)?,
        kubectl: kubectl.within(NAMESPACE),
        folder: ctx.workspace.root.join(FOLDER),
    };
    if ctx.exec.dry_run() {
        ctx.exec.show(&format!("kubectl apply -f {FOLDER}/k8s"));
        return Ok(());
    }
    let result = original.measure(engine.as_ref(), count, seed);
    // Also after an interrupt: what was put beside the lab goes.
    wait::begin_anew();
    let removed = original.remove();
    let result = result?;
    removed?;
    let (_, folder) = runs::create(ctx, "original")?;
    result_file::write(&folder, &result)?;
    if ctx.ui.json() {
        return ctx.ui.document(&result);
    }
    ctx.ui.say(&folder.display().to_string());
    Ok(())
}

/// The service by a node's own address: the lab's port of this machine leads to the lab.
fn url(ctx: &Context, kubectl: &Kubectl) -> Result<String> {
    let path = "jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}";
    let address = ctx.exec.read(&kubectl.cmd(["get", "nodes", "-o", path]))?;
    Ok(format!("http://{}:{NODE_PORT}", address.trim()))
}

struct Original<'a> {
    ctx: &'a Context,
    kubectl: Kubectl,
    folder: PathBuf,
    url: String,
}

impl Original<'_> {
    fn measure(&self, engine: &dyn Engine, count: u32, seed: Option<u64>) -> Result<Value> {
        let began = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        let seed = seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
        let schedule = engine.facts()?.schedule;
        let interval = schedule::interval(&schedule).context("a schedule without an interval")?;
        let mut draws = fastrand::Rng::with_seed(seed);
        let step = self.ctx.ui.step("the original workshop beside the lab");
        self.kubectl(&["apply", "-f", &self.path("k8s")])?;
        self.kubectl(&["rollout", "status", "deployment", "flask", "--timeout=180s"])?;
        step.done("up");
        let mut disasters = Vec::new();
        for number in 1..=count {
            let moment = milliseconds(draws.f64() * interval);
            let what = format!("disaster {number} of {count}, {moment:.1} s after its copy");
            let step = self.ctx.ui.step(what);
            let one = self.disaster(number, moment)?;
            let (lost, rto) = (one.lost, one.rto_seconds);
            step.done(format!("lost {lost} of {}, RTO {rto} s", one.acknowledged));
            disasters.push(one);
        }
        Ok(json!({
            "began": began,
            "passed": disasters.iter().all(|one| one.passed),
            "what": "the original workshop's way: cp each minute, restored by typed commands",
            "seed": seed,
            "interval_seconds": interval,
            "groups": [group(&disasters)],
            "versions": provenance::collect(self.ctx, engine),
        }))
    }

    fn disaster(&self, number: u32, moment: f64) -> Result<Disaster> {
        let prefix = format!("origine-{number}-{}", fastrand::u32(..));
        let before = self.look()?.rows;
        let client = &self.ctx.config.client;
        let load = Load {
            rate: client.rate(),
            connections: client.connections(),
            reads: client.reads(),
            mode: Mode::default(),
            form: Form::Get,
        };
        let folder = self.ctx.workspace.home().join("guide");
        std::fs::create_dir_all(&folder).context("creating a folder for the ledgers")?;
        let path = folder.join(format!("origine-{number}.jsonl"));
        let client = Client::start(&self.url, &prefix, load, &path)?;
        let times = self.outage(client.ledger(), moment)?;
        let observed = client.finish()?;
        let seen = self.look()?;
        figures(number, moment, &before, &observed, &times, seen)
    }

    /// What a person does, in seconds of the ledger's clock.
    fn outage(&self, ledger: &Ledger, moment: f64) -> Result<Times> {
        acknowledged(ledger, 0.0)?;
        let copy = format!("copie-{}", fastrand::u32(..));
        self.kubectl(&["create", "job", &copy, "--from=cronjob/sqlite-backup"])?;
        let job = format!("job/{copy}");
        self.kubectl(&["wait", "--for=condition=complete", &job, "--timeout=120s"])?;
        // As in a drill: the moment stands for the schedule.
        self.kubectl(STRIKE[1])?;
        wait::until_moment(Instant::now() + Duration::from_secs_f64(moment))?;
        let struck = ledger.now();
        for command in STRIKE {
            self.kubectl(command)?;
        }
        let gone = ledger.now();
        self.kubectl(&["apply", "-f", &self.path("k8s")])?;
        let provisioned = ledger.now();
        self.kubectl(&["apply", "-f", &self.path("pra/50-job-restore.yaml")])?;
        let done = [
            "wait",
            "--for=condition=complete",
            "job/sqlite-restore",
            "--timeout=180s",
        ];
        self.kubectl(&done)?;
        let restored = ledger.now();
        self.kubectl(RESUME)?;
        acknowledged(ledger, ledger.now())?;
        Ok(Times {
            struck,
            gone,
            provisioned,
            restored,
        })
    }

    fn look(&self) -> Result<Look> {
        let args = ["exec", "deploy/flask", "--", "python", "-c", LOOK];
        let said = self
            .ctx
            .exec
            .read(&self.kubectl.cmd(args).limit(wait::COPY))?;
        let (first, rows) = said.split_once('\n').context("no word of the copies")?;
        let copies: Value = serde_json::from_str(first)?;
        let of = |key: &str| copies[key].as_u64().unwrap_or_default();
        let unreadable = rows
            .lines()
            .find(|line| line.starts_with("{\"unreadable\""));
        Ok(Look {
            copies: of("copies"),
            unsound: of("unsound"),
            rows: match unreadable {
                Some(_) => Rows::new(),
                None => parse_dump(rows)?,
            },
            unreadable: unreadable.map(str::to_owned),
        })
    }

    fn remove(&self) -> Result<()> {
        self.kubectl(&["delete", "namespace", NAMESPACE])
    }

    fn kubectl(&self, args: &[&str]) -> Result<()> {
        self.ctx.exec.run(&self.kubectl.cmd(args).limit(wait::COPY))
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(Path::new(name)).display().to_string()
    }
}

fn acknowledged(ledger: &Ledger, since: f64) -> Result<()> {
    wait::until(wait::APP_SERVES, || {
        Ok((ledger.acknowledged_since(since) >= ACKNOWLEDGED).then_some(()))
    })
}
