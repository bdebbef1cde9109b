//! The options of `check`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::values::text_path;

#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Folders of works, clones of students' forks for instance; this checkout otherwise
    #[arg(value_name = "DIR", value_parser = text_path, value_hint = ValueHint::DirPath)]
    pub works: Vec<PathBuf>,
    /// Where the page for the teacher is written, with a table (CSV) and JSON beside it; under
    /// .lab/marks otherwise
    #[arg(long, value_name = "FILE", value_parser = text_path, value_hint = ValueHint::FilePath)]
    pub page: Option<PathBuf>,
    /// The last commit of the workshop itself, from which the forks went on; found by who made
    /// the first commit otherwise
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    pub base: Option<String>,
}

fn commit(text: &str) -> Result<String, &'static str> {
    let hash = text.len() >= 7 && text.len() <= 64 && text.chars().all(|c| c.is_ascii_hexdigit());
    let lower = text.to_ascii_lowercase();
    hash.then_some(lower)
        .ok_or("it has to be the hash of a commit, seven digits at least")
}
