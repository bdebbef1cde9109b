//! The only module that prints. Results go to standard output; progress,
//! notes and errors to standard error. With `--json` standard output carries
//! one document and nothing else.

mod onlooker;
pub mod screen;
mod step;
mod table;
mod typed;

pub use onlooker::{Onlooker, Told};
pub use typed::Options;

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::MultiProgress;
use serde::Serialize;
use serde_json::json;
use terms::lang::{both, fixed};
use terms::tr;

use crate::failure::{self, Failure, Kind};
use crate::wait;

/// The output mode of an invocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutputMode {
    pub json: bool,
    /// Standard output is for an exported copy: all messages go to standard error.
    pub aside: bool,
    pub verbose: bool,
}

/// Whether a file's name means standard output.
pub fn is_standard_output(named: &Path) -> bool {
    [Path::new("-"), Path::new("/dev/stdout")].contains(&named)
}

struct Inner {
    mode: OutputMode,
    quiet: bool,
    start: Instant,
    /// Present on a terminal only: indicatif prints nothing elsewhere.
    bars: Option<MultiProgress>,
    timings: Mutex<Vec<(String, Duration)>>,
    output: Mutex<Output>,
    options: Mutex<Options>,
    /// Who is told of steps, beside the reader.
    onlooker: Mutex<Option<Onlooker>>,
}

/// What became of standard output.
#[derive(Default)]
struct Output {
    /// The one document of `--json` was written.
    documented: bool,
    /// The shell of a dry run, for that document.
    shell: Vec<String>,
    /// The first write that failed, a reader that went away aside.
    lost: Option<std::io::Error>,
}

/// The printer of one invocation; cheap to clone.
#[derive(Clone)]
pub struct Ui {
    inner: Arc<Inner>,
    /// A dry run: standard output carries shell alone.
    shown_only: bool,
}

impl Ui {
    pub fn new(mode: OutputMode) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self::printing(mode, false, terminal.then(MultiProgress::new))
    }

    fn printing(mode: OutputMode, quiet: bool, bars: Option<MultiProgress>) -> Self {
        Self {
            inner: Arc::new(Inner {
                mode,
                quiet,
                start: Instant::now(),
                bars,
                timings: Mutex::default(),
                output: Mutex::default(),
                options: Mutex::default(),
                onlooker: Mutex::default(),
            }),
            shown_only: false,
        }
    }

    /// The same printer for what is shown and not done.
    pub fn shown_only(&self) -> Self {
        Self {
            shown_only: true,
            ..self.clone()
        }
    }

    /// A printer that says nothing: for what is not to be told.
    pub fn hushed(&self) -> Self {
        Self::printing(self.inner.mode, true, None)
    }

    /// Sets the options that commands named in messages need to mean the same lab.
    pub fn name_commands_with(&self, options: Options) {
        *self.lock_options() = options;
    }

    fn lock_options(&self) -> MutexGuard<'_, Options> {
        let options = self.inner.options.lock();
        options.unwrap_or_else(PoisonError::into_inner)
    }

    /// The commands in a text, with the options that they need.
    fn typed(&self, text: &str) -> String {
        self.lock_options().put_into(text)
    }

    /// A printer that says nothing, for tests.
    #[cfg(test)]
    pub fn quiet() -> Self {
        Self::printing(OutputMode::default(), true, None)
    }

    pub fn json(&self) -> bool {
        self.inner.mode.json
    }

    /// A line of the result, for people.
    pub fn say(&self, line: &str) {
        let line = &self.typed(line);
        if self.shown_only {
            self.err(line);
        } else {
            self.result(line);
        }
    }

    fn result(&self, line: &str) {
        if self.json() || self.inner.mode.aside {
            self.err(line);
        } else {
            self.out(line);
        }
    }

    /// A remark, on standard error.
    pub fn note(&self, line: &str) {
        self.err(&self.typed(line));
    }

    /// A warning.
    pub fn warn(&self, line: &str) {
        self.err(&self.typed(&tr!("warning: {line}", "attention : {line}")));
    }

    /// The one document of `--json`.
    pub fn document(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.raw(&serde_json::to_string(value)?);
        Ok(())
    }

    /// Ends a command that went well: with `--json` a dry run's shell is its
    /// document.
    ///
    /// # Errors
    /// What was written did not arrive (a full disk).
    pub fn finish(&self) -> anyhow::Result<()> {
        let (documented, shell) = {
            let output = self.output();
            (output.documented, output.shell.clone())
        };
        if self.json() && !documented && !shell.is_empty() {
            self.document(&json!({"dry_run": shell}))?;
        }
        match self.output().lost.take() {
            Some(error) => Err(error).context("writing to standard output"),
            None => Ok(()),
        }
    }

    /// Text that is itself the result, in every mode (shell completions, a
    /// script to paste).
    pub fn raw(&self, text: &str) {
        self.output().documented = true;
        self.out(text.trim_end_matches('\n'));
    }

    /// A command as shell: on standard output when it is the result of a dry
    /// run, as a remark with `-v`.
    pub fn command(&self, shell: &str, dry_run: bool) {
        if dry_run {
            // Only a command of ours: in others the words may be data.
            let shell = match shell.starts_with(typed::COMMAND) {
                true => self.typed(shell),
                false => shell.to_owned(),
            };
            self.result(&shell);
            self.output().shell.push(shell);
        } else if self.inner.mode.verbose {
            self.err(&format!("  $ {shell}"));
        }
    }

    /// An error, its causes and the command that comes next, with `--json` also
    /// as the document.
    pub fn error(&self, error: &anyhow::Error) {
        self.note(&tr!("error: {error:#}", "erreur : {error:#}"));
        if let Some(next) = failure::next(error) {
            self.note(&tr!("  next: {next}", "  ensuite : {next}"));
        }
        self.complain(error);
    }

    /// An error as the document of `--json`, where the command had none of its own.
    pub fn complain(&self, error: &anyhow::Error) {
        if self.json() && !self.output().documented {
            let code = failure::kind(error) as u8;
            let said = self.typed(&format!("{error:#}"));
            let next = failure::next(error).map(|next| self.typed(next));
            let document =
                json!({"status": "error", "error": said, "next": next, "exit_code": code});
            self.raw(&document.to_string());
        }
    }

    /// Asks a question on a terminal; true for yes. Elsewhere, with nobody to
    /// answer, false.
    pub fn ask(&self, question: &str) -> anyhow::Result<bool> {
        if !self.has_reader() {
            return Ok(false);
        }
        self.print(|| {
            let _ = write!(std::io::stderr(), "{question}");
        });
        let answer = read_line(wait::ANSWER)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "o" | "oui"))
    }

    /// Whether somebody sits at a terminal, who can press a key.
    pub fn has_reader(&self) -> bool {
        std::io::stdin().is_terminal()
    }

    /// Waits until the reader wants to go on.
    ///
    /// # Errors
    /// Interrupted, also where nobody can say so: standard input has ended.
    pub fn wait_for_reader(&self) -> anyhow::Result<()> {
        let told = tr!(
            "[Enter] goes on, ctrl-C stops: ",
            "[Entrée] pour continuer, ctrl-C pour arrêter : "
        );
        self.print(|| {
            let _ = write!(std::io::stderr(), "{told}");
        });
        if !read_line(wait::READER)?.is_empty() {
            return Ok(());
        }
        let said = tr!(
            "nobody can press Enter: standard input has ended",
            "personne ne peut appuyer sur Entrée : l'entrée standard est fermée"
        );
        self.warn(&said);
        let next = tr!(
            "the same command on a terminal, or without --step",
            "la même commande dans un terminal, ou sans --step"
        );
        Err(Failure::new(Kind::Interrupted, said).next(next).into())
    }

    /// A table, as wide as the terminal at most, without a heading where all
    /// headers are empty.
    pub fn table(&self, headers: &[&str], rows: &[Vec<String>]) {
        let terminal = if self.json() {
            console::Term::stderr()
        } else {
            console::Term::stdout()
        };
        for line in table::lines(headers, rows, width(&terminal)) {
            self.say(&line);
        }
    }

    /// The closing table: what took how long.
    pub fn timings(&self) {
        let timings = self.lock_timings().clone();
        if timings.len() < 2 {
            return;
        }
        let mut rows: Vec<Vec<String>> = timings
            .iter()
            .map(|(what, took)| vec![what.clone(), fixed(took.as_secs_f64(), 2)])
            .collect();
        rows.push(vec![tr!("in all", "en tout"), fixed(self.elapsed(), 2)]);
        let width = width(&console::Term::stderr());
        for line in table::lines(
            &[
                both("what", "quoi").text(),
                both("seconds", "secondes").text(),
            ],
            &rows,
            width,
        ) {
            self.err(&line);
        }
    }

    fn elapsed(&self) -> f64 {
        self.inner.start.elapsed().as_secs_f64()
    }

    fn lock_timings(&self) -> std::sync::MutexGuard<'_, Vec<(String, Duration)>> {
        self.inner
            .timings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn out(&self, line: &str) {
        self.print(|| {
            let written = writeln!(std::io::stdout(), "{line}");
            if let Err(error) = written {
                // A reader that went away (`| head`) is no error of ours.
                if error.kind() != ErrorKind::BrokenPipe {
                    self.output().lost.get_or_insert(error);
                }
            }
        });
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.inner
            .output
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn err(&self, line: &str) {
        self.print(|| {
            let _ = writeln!(std::io::stderr(), "{line}");
        });
    }

    fn print(&self, write: impl FnOnce()) {
        if self.inner.quiet {
            return;
        }
        match &self.inner.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// Standard output itself, for what is no text.
pub fn standard_output() -> std::io::Result<File> {
    Ok(File::from(std::io::stdout().as_fd().try_clone_to_owned()?))
}

pub fn standard_output_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// How wide a terminal is; `None` for a file or a pipe, where nothing is wrapped.
fn width(terminal: &console::Term) -> Option<usize> {
    let (_, columns) = terminal.size_checked()?;
    Some(usize::from(columns))
}

/// A line of standard input. A read goes on after ctrl-C, so it must not be this
/// thread's.
fn read_line(wait: wait::Wait) -> anyhow::Result<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        // Nobody listens any more after ctrl-C.
        let _ = tell.send(read.map(|_| line));
    });
    let line = wait::until(wait, || Ok(told.try_recv().ok()))?;
    line.context("reading from the terminal")
}
