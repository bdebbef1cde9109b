//! What `offsite` can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::values::text_path;

#[derive(Debug, Subcommand)]
pub enum OffsiteAction {
    /// Make the private key that opens copies, in .lab/keys; one that is there stays
    Keygen,
    /// List the copies by their names; needs no private key
    List,
    /// Copy what is not there yet: the newest verified point, and the journal
    Push {
        /// Each verified point, not the newest alone
        #[arg(long)]
        all_points: bool,
        /// Begin copies of their own for this volume, where those that are there are of another past
        #[arg(long)]
        anew: bool,
        /// Note that copies which do not say for which keys they are were made for these ones
        #[arg(long, conflicts_with = "anew")]
        same_keys: bool,
    },
    /// Prove that the key at hand opens the newest copy, and that it can be restored
    Verify {
        /// Every object and every point, not what the newest moment needs
        #[arg(long, conflicts_with = "sample")]
        all: bool,
        /// Besides what the newest moment needs: so many objects at random, and one more point
        #[arg(long, value_name = "N", default_value_t = 20)]
        sample: u32,
        #[command(flatten)]
        reading: Reading,
    },
    /// Remove the copies that retention no longer keeps (PRA_KEEP_... in k8s/05-config.yaml)
    ///
    /// It needs the private key, since which parts a point shares with others is encrypted, and
    /// credentials that may remove versions, which those of the lab should not. What a lock holds
    /// stays until its time.
    Prune {
        #[command(flatten)]
        reading: Reading,
    },
}

#[derive(Args, Debug)]
pub struct AdoptArgs {
    /// The file that `export` wrote, or `offsite:latest`, or `offsite:POINT` as `offsite list` names
    /// it; it is checked before anything is touched
    #[arg(value_parser = text_path, value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// With `offsite:latest`: this moment, as `restore --to` takes it
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    #[command(flatten)]
    pub reading: Reading,
    /// Only say what would be gained and lost
    #[arg(long)]
    pub plan: bool,
}

/// Which copies are read, and with which key.
#[derive(Args, Clone, Debug, Default)]
pub struct Reading {
    /// The private key, of age or of SSH; that of .lab/keys otherwise
    #[arg(long, value_name = "FILE", value_parser = text_path, value_hint = ValueHint::FilePath)]
    pub identity: Option<PathBuf>,
    /// Where copies of several labs are in one place: how the name of the one begins, as
    /// `offsite list` shows it
    #[arg(long, value_name = "NAME")]
    pub history: Option<String>,
}
