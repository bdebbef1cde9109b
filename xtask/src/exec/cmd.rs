//! An external command as data, and as shell.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use terms::tr;

use anyhow::{Context, Result};

use super::{environment, variable};
use crate::failure::Failure;
use crate::wait;

/// An external command. Its `Display` is shell that a person can paste.
#[derive(Clone, Debug)]
pub struct Cmd {
    pub program: String,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    /// The same for what is never shown: somebody's credentials.
    secrets: BTreeMap<String, String>,
    pub cwd: Option<PathBuf>,
    pub limit: Duration,
    /// Nothing of our own environment is passed on.
    pub only_env: bool,
    /// Text for its standard input, for [`super::output`] alone.
    pub input: Option<String>,
    /// The file that it reads, or writes, as [`super::Exec::stream`] runs it.
    pub file: Option<Piped>,
    /// What a list of processes calls it, where that is not the program's path.
    shown_as: Option<String>,
}

/// A file on one side of a command.
#[derive(Clone, Debug)]
pub enum Piped {
    /// It is the standard input.
    From(PathBuf),
    /// It becomes what the command writes to its standard output.
    Into(PathBuf),
}

impl Cmd {
    /// This very program, also when a build has put another one in its place, or
    /// none yet.
    pub fn ourselves() -> Result<Self> {
        let path = std::env::current_exe().context("finding our own program")?;
        let name = path.to_string_lossy().into_owned();
        if !cfg!(target_os = "linux") {
            return Ok(Self::new(name));
        }
        let mut cmd = Self::new("/proc/self/exe");
        cmd.shown_as = Some(name.trim_end_matches(" (deleted)").to_owned());
        Ok(cmd)
    }

    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            cwd: None,
            limit: wait::SHORT_COMMAND,
            only_env: false,
            input: None,
            file: None,
            shown_as: None,
        }
    }

    #[must_use]
    pub fn args<S: AsRef<str>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn env(mut self, key: &str, value: impl Into<String>) -> Self {
        self.env.insert(key.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn envs(mut self, env: &BTreeMap<String, String>) -> Self {
        self.env
            .extend(env.iter().map(|(k, v)| (k.clone(), v.clone())));
        self
    }

    /// Variables that no message, log or dry run shows.
    #[must_use]
    pub fn secrets(mut self, env: BTreeMap<String, String>) -> Self {
        self.secrets.extend(env);
        self
    }

    #[must_use]
    pub fn cwd(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cwd = Some(dir.into());
        self
    }

    /// With the stated environment and nothing else, as in a container.
    #[must_use]
    pub fn only_env(mut self) -> Self {
        self.only_env = true;
        self
    }

    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    #[must_use]
    pub fn input(mut self, text: impl Into<String>) -> Self {
        self.input = Some(text.into());
        self
    }

    #[must_use]
    pub fn file(mut self, file: Piped) -> Self {
        self.file = Some(file);
        self
    }

    /// The last part of the program's path: what people call it.
    pub(super) fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or(&self.program)
    }

    pub(super) fn shown_as(&self) -> Option<&str> {
        self.shown_as.as_deref()
    }

    /// Its whole environment: the person's without foreign variables, then what the lab
    /// sets for every command, then what this command states.
    pub(super) fn environment(&self) -> BTreeMap<OsString, OsString> {
        let mut all = BTreeMap::new();
        if !self.only_env {
            all.extend(std::env::vars_os().filter(|(name, _)| !environment::is_foreign(name)));
            let added = environment::added().into_iter();
            all.extend(added.map(|(name, value)| (OsString::from(name), value)));
        }
        let own = self.env.iter().chain(&self.secrets);
        all.extend(own.map(|(name, value)| (name.into(), value.into())));
        all
    }

    pub(super) fn not_started(&self, error: std::io::Error) -> anyhow::Error {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let failure = if missing {
            Failure::preflight(tr!(
                "`{program}` was not found",
                "`{program}` est introuvable",
                program = self.program,
            ))
        } else {
            Failure::tool(tr!(
                "`{program}` could not be started: {error}",
                "`{program}` n'a pas pu être lancé : {error}",
                program = self.name(),
            ))
        };
        failure.next("cargo xtask preflight").into()
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = &self.cwd {
            write!(f, "cd {} && ", quote(&dir.to_string_lossy()))?;
        }
        if self.only_env {
            f.write_str("env -i ")?;
        }
        for (key, value) in &self.env {
            write!(f, "{key}={} ", quote(value))?;
        }
        f.write_str(&quote(&self.program))?;
        for arg in &self.args {
            write!(f, " {}", quote(arg))?;
        }
        if let Some(text) = &self.input {
            write!(f, " {}", here_document(text.trim_end()))?;
        }
        match &self.file {
            Some(Piped::From(path)) => write!(f, " < {}", quote(&path.to_string_lossy())),
            Some(Piped::Into(path)) => write!(f, " > {}", quote(&path.to_string_lossy())),
            None => Ok(()),
        }
    }
}

/// A text as the standard input of a command.
fn here_document(text: &str) -> String {
    if !variable::is_in(text) {
        return format!("<<'END'\n{text}\nEND");
    }
    let escape = |c: char| match c {
        '\\' | '$' | '`' => format!("\\{c}"),
        c => c.to_string(),
    };
    let text = variable::shown(text, "", |piece| piece.chars().map(escape).collect());
    format!("<<END\n{text}\nEND")
}

/// Quotes one word for a POSIX shell, only where it needs it.
pub fn quote(word: &str) -> String {
    if variable::is_in(word) {
        return variable::shown(word, "\"", quote);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A path as a person types it in a shell.
pub fn quote_path(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::output;

    #[test]
    fn the_display_of_a_command_can_be_pasted() {
        let cmd = Cmd::new("echo")
            .args(["it's", "a b", "plain-1.0", ""])
            .env("MESSAGE", "x y");
        let shown = cmd.to_string();
        assert_eq!(shown, r"MESSAGE='x y' echo 'it'\''s' 'a b' plain-1.0 ''");
        let pasted = output(&Cmd::new("sh").args(["-c", &shown])).unwrap();
        assert_eq!(pasted.stdout, "it's a b plain-1.0 \n");
    }

    #[test]
    fn a_secret_reaches_the_command_and_is_not_shown() {
        let secret = BTreeMap::from([("KEY".to_owned(), "hidden".to_owned())]);
        let cmd = Cmd::new("sh").args(["-c", "echo $KEY"]).secrets(secret);
        assert_eq!(cmd.to_string(), "sh -c 'echo $KEY'");
        assert_eq!(output(&cmd.only_env()).unwrap().stdout, "hidden\n");
    }

    #[test]
    fn a_shell_variable_is_filled_where_it_is_pasted_or_stops_the_shell() {
        let seq = variable::variable("SEQ");
        let word = Cmd::new("echo").args([format!("it's before:{seq} $HOME")]);
        let text = Cmd::new("cat").input(format!("{{\"a\\n$b`\": \"before:{seq}\"}}"));
        let paste = |set: &str, shown: &Cmd| {
            let script = format!("{set}\n{shown}\necho after");
            output(&Cmd::new("sh").args(["-c", &script])).unwrap()
        };
        let filled = |shown| paste("SEQ=7", shown).stdout;
        assert_eq!(filled(&word), "it's before:7 $HOME\nafter\n");
        assert_eq!(filled(&text), "{\"a\\n$b`\": \"before:7\"}\nafter\n");
        for shown in [&word, &text] {
            let stopped = paste("set -e", shown);
            assert!(
                !stopped.status.success() && stopped.stdout.is_empty(),
                "{stopped:?}"
            );
        }
    }
}
