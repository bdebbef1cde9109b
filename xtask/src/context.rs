//! The context of one invocation: options, configuration, printer, tools.

use std::path::Path;

use anyhow::Result;
use terms::{LabName, lang, tr};

use crate::checkout;
use crate::chosen_engines;
use crate::cli::Options;
use crate::config::{self, Config, EngineChoice};
use crate::exec::{Exec, quote_path};
use crate::failure::Failure;
use crate::game;
use crate::identity;
use crate::tools::toolbox::Toolbox;
use crate::tools::venv::Venv;
use crate::ui::{self, OutputMode, Ui};
use crate::workspace::{Lock, Workspace};

/// The lab, its configuration, the printer and the options of one invocation.
#[derive(Clone)]
pub struct Context {
    pub workspace: Workspace,
    pub config: Config,
    pub ui: Ui,
    pub exec: Exec,
    pub options: Options,
    /// Where k3d, kubectl and Packer are.
    pub tools: Toolbox,
}

impl Context {
    pub fn output_mode(options: &Options) -> OutputMode {
        OutputMode {
            json: options.json,
            verbose: options.verbose,
            aside: false,
        }
    }

    /// Loads `lab.toml` of the checkout.
    pub fn load(options: Options, ui: Ui) -> Result<Self> {
        let root = checkout::find(options.root.clone())?;
        // Commands, settings and results name it as text.
        insist_on_text(&root)?;
        let config = config::load(&root.join("lab.toml"))?;
        if let (None, Some(fixed)) = (options.lang, config.lang.fixed()) {
            lang::choose(fixed);
        }
        let workspace = Workspace::of(root, options.lab);
        workspace.check_version()?;
        let ui = if options.dry_run { ui.shown_only() } else { ui };
        let exec = Exec::new(ui.clone(), workspace.logs(), options.dry_run);
        let tools = Toolbox::new(&config.tools, workspace.tools(), exec.clone(), ui.clone());
        let ctx = Self {
            tools,
            workspace,
            config,
            ui,
            exec,
            options,
        };
        ctx.name_commands();
        Ok(ctx)
    }

    /// Makes the commands that messages name carry `--root`, `--lab` and `--engine`, where
    /// they would mean another lab without.
    pub fn name_commands(&self) {
        let root = self.options.root.as_deref();
        self.ui.name_commands_with(ui::Options {
            root: root.map(|root| format!("--root {}", quote_path(root))),
            // The image workshop's texts say it themselves.
            lab: (self.options.lab == LabName::Ha).then(|| format!("--lab {}", LabName::Ha)),
            engine: chosen_engines::option(
                &self.workspace,
                self.config.engine,
                self.options.engine,
            ),
        });
    }

    /// The same lab, with every change shown and none carried out.
    pub fn shown_only(&self) -> Self {
        let ui = self.ui.shown_only();
        let exec = Exec::new(ui.clone(), self.workspace.logs(), true);
        let tools = &self.config.tools;
        let mut shown = Self {
            tools: Toolbox::new(tools, self.workspace.tools(), exec.clone(), ui.clone()),
            exec,
            ui,
            ..self.clone()
        };
        shown.options.dry_run = true;
        shown
    }

    /// The same lab, with nothing told of what is done.
    pub fn hushed(&self) -> Self {
        let ui = self.ui.hushed();
        let exec = Exec::new(ui.clone(), self.workspace.logs(), self.options.dry_run);
        let tools = &self.config.tools;
        Self {
            tools: Toolbox::new(tools, self.workspace.tools(), exec.clone(), ui.clone()),
            exec,
            ui,
            ..self.clone()
        }
    }

    /// Takes the lab for a command that changes it; `None` in a dry run, which
    /// changes nothing.
    pub fn lock(&self, command: &str) -> Result<Option<Lock>> {
        if self.exec.dry_run() {
            return Ok(None);
        }
        let lock = self.workspace.lock(command, |holder| {
            self.ui.note(&tr!(
                "Waiting for {holder}, which has the lab.",
                "Attente de {holder}, qui occupe le lab.",
            ));
        })?;
        if let Some(original) = identity::disown(&self.workspace)? {
            self.ui.note(&tr!(
                "This folder is a copy of {original}: it is a lab of its own, and no cluster is \
                 its.",
                "Ce dossier est une copie de {original} : c'est un lab à part, et aucun cluster \
                 n'est à lui.",
                original = original.display(),
            ));
        }
        self.workspace.bound_logs(self.config.keep.logs())?;
        if self.options.lab == LabName::Pra {
            let named = self.options.engine.and_then(EngineChoice::named);
            game::note_command(&self.workspace, command, named);
        }
        Ok(Some(lock))
    }

    /// Installs packages for a command that leaves the lab alone: it has the
    /// lab's lock no longer than that takes.
    pub fn packages(&self, command: &str, venv: &Venv) -> Result<()> {
        let _lock = self.lock(command)?;
        venv.ensure(&self.exec, &self.ui)
    }

    /// The environment that the application runs in on this machine.
    pub fn venv(&self) -> Venv {
        Venv {
            dir: self.workspace.venv(),
            lock: self.workspace.root.join("app/requirements.txt"),
            minimum: self.config.python.minimum(),
            modules: &["apsw", "flask", "granian"],
            compile: true,
            script: None,
        }
    }

    /// The environment with the embedded store's program.
    pub fn store_venv(&self) -> Venv {
        Venv {
            dir: self.workspace.home().join("venv-store"),
            lock: self.workspace.root.join("app/requirements-store.txt"),
            minimum: self.config.python.minimum(),
            modules: &[],
            compile: false,
            script: None,
        }
    }

    /// The environment that Ansible runs in.
    pub fn ansible(&self) -> Venv {
        Venv {
            dir: self.workspace.home().join("ansible"),
            lock: self.workspace.root.join("ansible/requirements.txt"),
            minimum: self.config.python.minimum(),
            modules: &["ansible", "ansible_collections", "kubernetes"],
            compile: false,
            script: Some("ansible-playbook"),
        }
    }

    /// The port of this machine that the lab's users come to, as lab.toml says it.
    pub fn port(&self) -> u16 {
        match self.options.lab {
            LabName::Pra | LabName::Image => self.config.service.port(),
            LabName::Ha => *self.config.ha.port().get_ref(),
        }
    }

    /// Asks before something is deleted or taken over.
    ///
    /// # Errors
    /// The answer is no, or there is nobody to ask and no `--yes`.
    pub fn confirm(&self, what: &str) -> Result<()> {
        match self.exec.dry_run() {
            true => Ok(()),
            false => self.confirm_even_shown(what),
        }
    }

    /// The same in a dry run too.
    ///
    /// # Errors
    /// As those of [`Context::confirm`].
    pub fn confirm_even_shown(&self, what: &str) -> Result<()> {
        if self.options.yes {
            return Ok(());
        }
        let question = tr!("{what} Go on? [y/N] ", "{what} Continuer ? [o/N] ");
        if self.ui.ask(&question)? {
            return Ok(());
        }
        let said = tr!(
            "nothing was done without a yes: {what}",
            "rien n'a été fait, faute d'un oui : {what}"
        );
        let next = tr!(
            "add --yes to the same command",
            "la même commande, avec --yes"
        );
        Err(Failure::usage(said).next(next).into())
    }
}

/// # Errors
/// Usage, where a path cannot be said as text: what is named instead, with the
/// bytes replaced that are none, would be another one.
pub fn insist_on_text(path: &Path) -> Result<()> {
    if path.to_str().is_some() {
        return Ok(());
    }
    Err(Failure::usage(tr!(
        "the path {path:?} is not UTF-8 text",
        "le chemin {path:?} n'est pas du texte UTF-8",
    ))
    .next(tr!(
        "rename or move what is named so, then the same command again",
        "renommez ou déplacez ce qui porte ce nom, puis relancez la même commande",
    ))
    .into())
}
