//! What `local` can be asked.

use clap::{Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum LocalAction {
    /// Show replicas, jobs, volumes and schedule, as the engine knows them
    Facts,
    /// Ask for so many replicas
    Scale { replicas: u32 },
    /// Suspend the backup schedule
    Suspend,
    /// Resume the backup schedule
    Resume,
    /// Create missing volumes, ask for the declared replicas, and replace those of another
    /// template, other settings or other code
    Apply,
    /// End and remove all jobs
    DeleteJobs,
    /// Delete a volume and everything on it
    DeleteVolume { claim: String },
    /// Run a job to its end and print its log
    Job {
        kind: JobKind,
        /// What the job is called; one that has ended is replaced
        #[arg(long)]
        name: Option<String>,
        /// Set a variable of the job's environment anew
        #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
        env: Vec<(String, String)>,
    },
    /// End a replica: `SIGTERM`, or `SIGKILL` with --force
    Kill {
        pod: String,
        #[arg(long)]
        force: bool,
    },
    /// Run Python as a replica does, with its settings and volumes, as `kubectl exec` would
    Python { script: String },
    /// Stop the supervisor and everything it runs; volumes stay
    Stop,
    /// Run the supervisor in the foreground (setup starts it by itself)
    #[command(hide = true)]
    Supervisor,
}

/// What `local job` can run.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum JobKind {
    /// The template of the backup cron job
    Backup,
    /// pra/50-job-restore.yaml
    Restore,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it has to be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
