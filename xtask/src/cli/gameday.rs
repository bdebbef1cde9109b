//! What `gameday` can be asked.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueHint};
use terms::FaultName;

use super::client::ClientArgs;
use super::values::text_path;

#[derive(Debug, Subcommand)]
pub enum GamedayAction {
    /// Begin one: something breaks, and the clock runs (also without this word)
    Start(GamedayArgs),
    /// Show what users see now, the clock, and the hints that were bought
    Status,
    /// Say that something is wrong, and what you take it for: the time until then counts
    Noticed {
        /// What you think it is
        diagnosis: Option<String>,
    },
    /// Buy a hint; each costs time
    Hint,
    /// Have the recovery verified; where all is well, the truth and the score are told
    Done {
        /// End it as it is, also where something is still broken, and put the lab back
        #[arg(long)]
        give_up: bool,
    },
    /// End it without a result, and put the lab back
    Abort,
    /// Be the client that writes and keeps the ledger
    #[command(hide = true)]
    Client,
}

#[derive(Args, Debug)]
pub struct GamedayArgs {
    /// 1: one fault; 2: two at once; 3: one fault and damaged restore points
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub level: u8,
    /// What is drawn from; the same seed draws the same
    #[arg(long)]
    pub seed: Option<u64>,
    /// Teacher against class: tells the truth here, before it breaks
    #[arg(long)]
    pub teacher: bool,
    /// The teacher chooses what breaks, instead of the lot
    #[arg(long, value_delimiter = ',', value_parser = faults(), conflicts_with_all = ["level", "seed"])]
    pub fault: Vec<FaultName>,
    /// Where the teacher is told the truth: into this file, and not here
    #[arg(long, value_name = "FILE", value_parser = text_path, value_hint = ValueHint::FilePath)]
    pub truth: Option<PathBuf>,
    #[command(flatten)]
    pub client: ClientArgs,
}

fn faults() -> impl TypedValueParser<Value = FaultName> {
    let words = FaultName::ALL.iter().map(|one| one.word());
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}
