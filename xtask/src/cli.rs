//! The commands and options, as a person types them.

mod check;
mod client;
mod gameday;
mod guide;
pub mod help;
mod local;
mod offsite;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueHint};

use crate::config::EngineChoice;
use crate::facts::LogSource;
use crate::ui;
use terms::lang::Lang;
use terms::{LabName, Protection};

pub use check::CheckArgs;
pub use client::ClientArgs;
pub use gameday::{GamedayAction, GamedayArgs};
pub use guide::GuideAction;
pub use local::{JobKind, LocalAction};
pub use offsite::{AdoptArgs, OffsiteAction, Reading};
pub use values::{BenchPart, CompletedShell, TestPart};
use values::{engines, labs, languages, operator_delay, protections, text_path};

const EXIT_CODES: &str = "Exit codes: 0 done · 1 the lab ran and a promise was broken · \
2 wrong use or configuration · 3 this machine lacks something (preflight) · 4 a tool failed · \
5 a wait ran out · 130 interrupted.";

/// A disaster-recovery workshop: cause a disaster, recover, and see what was lost and for how long.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where the lab runs; `lab.toml` says it otherwise
    #[arg(long, global = true, value_parser = engines())]
    pub engine: Option<EngineChoice>,
    /// Which lab: disaster recovery, from an image to a page, or high availability
    #[arg(long, global = true, value_name = "LAB", default_value = "pra", value_parser = labs())]
    pub lab: LabName,
    /// The language of texts; `lab.toml` says it otherwise, and else the environment
    #[arg(long, global = true, value_name = "LANG", value_parser = languages())]
    pub lang: Option<Lang>,
    /// Show each change as shell that can be pasted into bash -e; change nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    /// One JSON document on standard output, everything else on standard error
    #[arg(long, global = true)]
    pub json: bool,
    /// Answer yes to every question
    #[arg(long, global = true)]
    pub yes: bool,
    /// Show the commands that are run
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// The folder that holds lab.toml, k8s/, pra/ and app/; the checkout around the current one otherwise
    #[arg(long, global = true, hide = true)]
    pub root: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check this machine for all that the lab needs
    Preflight {
        /// Then download and build what setup needs, as far as that needs no lab
        #[arg(long)]
        download: bool,
    },
    /// Bring the lab up, or to what was changed since
    Setup {
        /// Only what was there already, on each engine that has a lab
        #[arg(long)]
        existing: bool,
    },
    /// Show what runs, what is stored and how well it is protected
    Status,
    /// Write a message through the application's URL
    Add {
        /// What to write
        message: String,
    },
    /// Take a restore point now
    Backup {
        /// After the backup volume was lost: take the empty one in its place
        #[arg(long)]
        new_volume: bool,
        /// Take the database as it is, also if most rows are gone or somebody
        /// else changed some
        #[arg(long, conflicts_with = "new_volume")]
        accept: bool,
    },
    /// Bring a moment back: a point, the latest, a time, before a transaction
    Restore(RestoreArgs),
    /// Bring back what was there before the last restore
    Undo {
        /// Only say what would be gained and lost
        #[arg(long)]
        plan: bool,
    },
    /// Remove the restore points that retention no longer keeps
    Prune,
    /// Write a checked copy of the whole database into one file, to be kept elsewhere
    Export {
        /// Which file, or `-` for standard output; a file that exists is replaced only after a
        /// yes, a pipe or a device is written into, and a link is followed
        #[arg(value_parser = text_path, value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Make an exported copy the database: of a new lab, or in the place of what is there
    Adopt(AdoptArgs),
    /// Encrypted copies in another place, as [offsite] of lab.toml says
    #[command(subcommand)]
    Offsite(OffsiteAction),
    /// A guided first run: what the lab is, one disaster, one restore, in five minutes
    Tour,
    /// Cause a disaster, recover from it, measure what was lost and how long it took
    Scenario {
        /// Describe the scenarios instead
        #[arg(long, conflicts_with = "name")]
        list: bool,
        /// Name or number, or `all` for one after the other
        #[arg(required_unless_present = "list")]
        name: Option<String>,
        /// Pause before each part, and show its changes as shell
        #[arg(long, conflicts_with = "list")]
        step: bool,
        /// Wait so long between the first failed request and the first step of the recovery: the
        /// time in which a person decides, a phase of the RTO
        #[arg(long, value_name = "SECONDS", value_parser = operator_delay, conflicts_with = "list")]
        operator_delay: Option<f64>,
        /// Let the servers restore by themselves (PRA_AUTO_RESTORE=latest), for this run alone
        #[arg(long, conflicts_with_all = ["list", "operator_delay"])]
        auto: bool,
        /// Serve a page on this machine that draws the disaster while it happens, on a port that is
        /// free or on this one; the address is printed
        #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true,
              default_missing_value = "0", conflicts_with = "list")]
        live: Option<u16>,
        #[command(flatten)]
        client: ClientArgs,
    },
    /// Recover by hand, against the clock, from a disaster that is not told
    #[command(args_conflicts_with_subcommands = true)]
    Gameday {
        #[command(subcommand)]
        action: Option<GamedayAction>,
        #[command(flatten)]
        start: GamedayArgs,
    },
    /// Repeat disasters at random moments, and tell the spread of what they cost
    Drill(DrillArgs),
    /// Be users of the lab while you do something to it by hand, and tell what they saw
    Measure(ClientArgs),
    /// Draw the page of a run (the newest by default) and the history of all
    Report {
        /// A folder under .lab/runs/, or its name
        run: Option<String>,
        /// Open it in the browser
        #[arg(long)]
        open: bool,
    },
    /// List the runs of scenarios and drills, or remove some
    Runs {
        #[command(subcommand)]
        action: RunsAction,
    },
    /// Watch the lab: Prometheus with rules for what a person must know, and where to look
    Monitor {
        /// Remove it again, with all that it has seen
        #[arg(long)]
        off: bool,
        /// With Grafana, which draws what Prometheus has seen; it stays until --off
        #[arg(long, conflicts_with = "off")]
        dashboards: bool,
    },
    /// Look at the lab again and again, also while a scenario runs, until q or ctrl-C
    ///
    /// Replicas, rows, requests a second, the newest restore point, the journal, alerts, and what
    /// a scenario or a drill is doing. Off a terminal it prints a line a second, with --json a
    /// document a line.
    Watch {
        /// End after so many pictures, or lines
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,
    },
    /// Print what the pods wrote
    Logs(LogsArgs),
    /// Open the application in the browser
    Open,
    /// k3d, one stage: the cluster exists, runs and is the lab's
    Cluster,
    /// One stage: the image is built from what is in the checkout
    Image,
    /// k3d, one stage: every node holds that image
    Import,
    /// kubernetes, one stage: the registry has that image
    Push,
    /// One stage: the cluster holds the manifests, through Ansible
    Deploy,
    /// One stage: the services are reached as declared
    Forward {
        /// Be the process that keeps the forward to this service alive
        #[arg(long, hide = true, requires = "port")]
        keep: Option<String>,
        /// On this port
        #[arg(long, hide = true, requires = "keep")]
        port: Option<u16>,
    },
    /// The lab as after setup, in seconds: rows, restore points and journal are deleted
    Reset,
    /// Remove the lab with its data and restore points; the results of scenarios stay
    Teardown {
        /// Also the copies in the embedded store (.lab/offsite), of every lab that it had: nothing
        /// brings these back then
        #[arg(long)]
        copies: bool,
    },
    /// Lints, unit tests and end-to-end tests
    Test(TestArgs),
    /// Mark works against the workshops' schemes: tried on a lab of their own, with reasons
    Check(CheckArgs),
    /// Break backup, journal and restore at every step, and show that nothing is lost
    Faults {
        /// Which suites; all where none is named
        suites: Vec<String>,
        /// Every case instead of a sample (takes long)
        #[arg(long)]
        long: bool,
        /// Seed of the sample and its details
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Measure what should be fast
    Bench {
        /// What to measure; everything but the parts on k3d where nothing is named
        #[arg(value_enum)]
        what: Vec<BenchPart>,
        /// How many recoveries on k3d
        #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..))]
        recoveries: u8,
    },
    /// Keep the French guide true: figures from measurements, screenshots from a browser
    Guide {
        #[command(subcommand)]
        action: GuideAction,
    },
    /// Look into the local engine, or act on its parts
    Local {
        #[command(subcommand)]
        action: LocalAction,
    },
    /// Print a completion script for a shell
    Completions {
        /// For which shell
        #[arg(required_unless_present = "index")]
        shell: Option<CompletedShell>,
        /// Print instead what can stand at this place of a command line
        #[arg(long, hide = true, requires = "words")]
        index: Option<usize>,
        /// The command line, from `xtask` on
        #[arg(last = true, hide = true, requires = "index")]
        words: Vec<OsString>,
    },
}

#[derive(Args, Debug, Default)]
#[group(skip)]
#[command(group(ArgGroup::new("what").required(true)))]
pub struct RestoreArgs {
    /// A point's name; `latest`: the latest verified point with the journal replayed onto it;
    /// or `current`: the database that is there, as it is, becomes the live history
    #[arg(group = "what")]
    pub point: Option<String>,
    /// List the points instead: time, age, rows, size, verified or not, and the journal's reach
    #[arg(long, group = "what")]
    pub list: bool,
    /// List the journal's transactions instead: number, time, rows added, changed, deleted
    #[arg(long, group = "what")]
    pub log: bool,
    /// This moment, included: `2026-11-21T10:15:00Z`, `2026-11-21T11:15:00+01:00`, what `date`
    /// writes, `10 min ago`, `il y a 2 heures`
    #[arg(long, group = "what", value_name = "TIME")]
    pub to: Option<String>,
    /// Just before this transaction; `--log` lists them
    #[arg(long, group = "what", value_name = "SEQ")]
    pub to_before: Option<u64>,
    /// Only say what would be gained and lost
    #[arg(long, conflicts_with_all = ["list", "log"])]
    pub plan: bool,
    /// Also what is quarantined or has gaps
    #[arg(long, conflicts_with_all = ["list", "log"])]
    pub force: bool,
    /// Into a data volume without a mark also while another one is served: its writes are
    /// refused from then on
    #[arg(long, conflicts_with_all = ["list", "log", "plan"])]
    pub take_over: bool,
    /// With --log: those that touched most rows first
    #[arg(long, requires = "log")]
    pub largest: bool,
    /// With --log: at most so many
    #[arg(long, requires = "log", default_value_t = 50)]
    pub limit: u32,
}

#[derive(Args, Debug)]
pub struct LogsArgs {
    /// Whose words
    #[arg(value_enum, default_value = "app")]
    pub of: LogSource,
    /// So many of the last lines of each pod
    #[arg(long, short = 'n', default_value_t = 100)]
    pub lines: u32,
    /// Go on with what is written from now on, until ctrl-C
    #[arg(long, short, conflicts_with = "json")]
    pub follow: bool,
}

#[derive(Debug, Subcommand)]
pub enum RunsAction {
    /// The newest first: what was run, what was lost, how long it took
    List,
    /// Remove runs with their results and ledgers
    #[command(group(ArgGroup::new("which").required(true).multiple(false)))]
    Rm {
        /// Names, as `runs list` shows them
        #[arg(group = "which")]
        runs: Vec<String>,
        /// All but so many of the newest
        #[arg(long, group = "which", value_name = "N")]
        keep: Option<usize>,
    },
}

#[derive(Args, Debug)]
pub struct DrillArgs {
    /// Which scenarios, by name or number; they alternate
    #[arg(default_value = "volume-loss")]
    pub scenarios: Vec<String>,
    /// How often each of them is run under each protection
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub runs: u32,
    /// Which protections are compared, under the same moments; the declared one by default
    #[arg(long, value_delimiter = ',', value_parser = protections())]
    pub protection: Vec<Protection>,
    /// What the moments are drawn from; the same seed draws the same moments
    #[arg(long)]
    pub seed: Option<u64>,
    /// Seconds between two backups, over which the moments are drawn; the longest time between two
    /// runs of the lab's own schedule by default
    #[arg(long, value_name = "SECONDS")]
    pub interval: Option<f64>,
    /// In each run, wait so long before the recovery begins, as a person would who decides
    #[arg(long, value_name = "SECONDS", value_parser = operator_delay)]
    pub operator_delay: Option<f64>,
    /// Play the same moments once more, and let the servers restore by themselves
    #[arg(long, conflicts_with_all = ["operator_delay", "until_failure"])]
    pub auto: bool,
    /// Go on until a promise is broken (a soak, with several scenarios)
    #[arg(long, conflicts_with = "runs")]
    pub until_failure: bool,
    #[command(flatten)]
    pub client: ClientArgs,
}

#[derive(Args, Debug)]
pub struct TestArgs {
    /// The tests on k3d too: needs Docker, and some minutes
    #[arg(long)]
    pub cluster: bool,
    /// These parts and nothing else
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "cluster")]
    pub only: Vec<TestPart>,
}

impl Command {
    /// Whether the command writes data to standard output, where no message may go
    /// then.
    pub fn fills_standard_output(&self) -> bool {
        matches!(self, Self::Export { file } if ui::is_standard_output(file))
    }

    /// Whether this is the supervisor of the local engine, which goes on when its
    /// terminal is closed.
    pub fn is_supervisor(&self) -> bool {
        matches!(
            self,
            Self::Local {
                action: LocalAction::Supervisor
            }
        )
    }
}

#[cfg(test)]
mod typed_tests;
