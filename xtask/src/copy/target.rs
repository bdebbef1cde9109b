//! Where an exported copy goes: a file, what takes bytes as they come, or
//! standard output.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use terms::lang::{Both, both};
use terms::tr;

use anyhow::Result;

use super::part::Part;
use super::path::{absolute, folder};
use crate::context::Context;
use crate::exec::quote_path;
use crate::failure::Failure;
use crate::ui;
use crate::wait;
use crate::workspace;

/// Where a copy goes; nothing is touched before it is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A regular file. A link is followed, and stays a link.
    File {
        path: PathBuf,
        replace: bool,
    },
    /// A pipe or a device that takes bytes: it is written into, not replaced.
    Stream(PathBuf),
    StandardOutput,
}

impl Target {
    /// A file of the lab's own, under a name that nobody else uses.
    pub fn new_file(path: &Path) -> Self {
        let path = path.to_owned();
        Self::File {
            path,
            replace: false,
        }
    }

    /// What a name stands for, after asking where something would be replaced.
    ///
    /// # Errors
    /// Usage, before anything else is done: nothing can or should be written there.
    pub fn choose(ctx: &Context, named: &Path) -> Result<Self> {
        if ui::is_standard_output(named) {
            return standard_output(ctx);
        }
        if named.as_os_str().is_empty() {
            return Err(refused(
                tr!("the copy is given no name", "la copie n'a pas de nom"),
                both(
                    "cargo xtask export FILE, or cargo xtask export - | ...",
                    "cargo xtask export FILE, ou cargo xtask export - | ...",
                ),
            ));
        }
        let name = named.display();
        match fs::metadata(named) {
            Ok(found) if found.is_file() => {
                let path = named.canonicalize()?;
                let led = if named.is_symlink() {
                    tr!(
                        " (a link to {to})",
                        " (un lien vers {to})",
                        to = path.display()
                    )
                } else {
                    String::new()
                };
                ctx.confirm(&tr!(
                    "{name}{led} exists and would be replaced.",
                    "{name}{led} existe et serait remplacé.",
                ))?;
                let path = absolute(&path)?;
                Ok(Self::File {
                    path,
                    replace: true,
                })
            }
            Ok(found) if found.is_dir() => Err(refused(
                tr!("{name} is a folder", "{name} est un dossier"),
                both(
                    "name a file in it: cargo xtask export FILE",
                    "nommez un fichier dedans : cargo xtask export FILE",
                ),
            )),
            Ok(found) if found.file_type().is_fifo() || found.file_type().is_char_device() => {
                Ok(Self::Stream(absolute(named)?))
            }
            Ok(_) => Err(refused(
                tr!(
                    "{name} is neither a file nor a pipe: what it holds would be overwritten",
                    "{name} n'est ni un fichier ni un tube : son contenu serait écrasé",
                ),
                both(
                    "name a file, or hand the copy on: cargo xtask export - | ...",
                    "nommez un fichier, ou transmettez la copie : cargo xtask export - | ...",
                ),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => new_file(named),
            Err(error) => Err(refused(
                format!("{name}: {error}"),
                both("name another file", "nommez un autre fichier"),
            )),
        }
    }

    /// The folder in which the copy is written and checked before it is handed over.
    pub fn scratch_folder(&self, ctx: &Context) -> Result<PathBuf> {
        if let Self::File { path, .. } = self {
            return Ok(folder(path).to_owned());
        }
        ctx.workspace.create()?;
        Ok(ctx.workspace.home())
    }

    /// As a shell would name it.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::File { path, .. } | Self::Stream(path) => path.clone(),
            Self::StandardOutput => "/dev/stdout".into(),
        }
    }

    /// How far a copy was checked: what was written to a pipe cannot be read back.
    pub fn proven(&self) -> Both {
        match self {
            Self::File { .. } => both("written, and read back whole", "écrite, et relue entière"),
            Self::Stream(_) | Self::StandardOutput => both(
                "read whole, and then handed on",
                "lue entière, puis transmise",
            ),
        }
    }

    /// Hands over a copy that is whole.
    pub fn take(&self, part: Part) -> Result<()> {
        match self {
            Self::File { path, replace } => {
                insist_on_the_same(path, *replace)?;
                workspace::put_in_place(&part.path, path)
            }
            Self::Stream(path) => {
                let path = path.clone();
                pass(part, move || File::options().write(true).open(path))
            }
            Self::StandardOutput => pass(part, ui::standard_output),
        }
    }
}

fn standard_output(ctx: &Context) -> Result<Target> {
    if ctx.ui.json() {
        return Err(refused(
            tr!(
                "standard output cannot hold the copy and the document of --json",
                "la sortie standard ne peut pas contenir la copie et le document de --json",
            ),
            both(
                "leave one of them out: cargo xtask export -",
                "renoncez à l'un des deux : cargo xtask export -",
            ),
        ));
    }
    if ui::standard_output_is_terminal() && !ctx.exec.dry_run() {
        return Err(refused(
            tr!(
                "standard output is a terminal, and a copy is no text",
                "la sortie standard est un terminal, et une copie n'est pas du texte",
            ),
            both(
                "cargo xtask export FILE, or cargo xtask export - | ...",
                "cargo xtask export FILE, ou cargo xtask export - | ...",
            ),
        ));
    }
    Ok(Target::StandardOutput)
}

fn new_file(named: &Path) -> Result<Target> {
    let name = named.display();
    if let Ok(to) = named.read_link() {
        return Err(refused(
            tr!(
                "{name} is a link to {to}, which is not there",
                "{name} est un lien vers {to}, qui n'existe pas",
                to = to.display(),
            ),
            both(
                "name the file itself: cargo xtask export FILE",
                "nommez le fichier lui-même : cargo xtask export FILE",
            ),
        ));
    }
    let folder = folder(named);
    if !folder.is_dir() {
        let next = format!("mkdir -p {}", quote_path(folder));
        return Err(refused(
            tr!(
                "there is no folder {folder}",
                "il n'y a pas de dossier {folder}",
                folder = folder.display(),
            ),
            next,
        ));
    }
    Ok(Target::new_file(&absolute(named)?))
}

/// Making a copy takes time, and others may use the name meanwhile.
fn insist_on_the_same(path: &Path, replace: bool) -> Result<()> {
    let as_it_was = match path.symlink_metadata() {
        Ok(found) => replace && found.is_file(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    if as_it_was {
        return Ok(());
    }
    let said = format!(
        "{} became something else meanwhile: nothing was written",
        path.display()
    );
    Err(refused(
        said,
        both(
            "run the same command again, or name another file",
            "relancez la même commande, ou nommez un autre fichier",
        ),
    ))
}

/// Writes into what `open` gives, in a thread: whoever reads at the other end
/// may never come, and ctrl-C ends the wait.
fn pass(part: Part, open: impl FnOnce() -> io::Result<File> + Send + 'static) -> Result<()> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let passed =
            File::open(&part.path).and_then(|mut whole| io::copy(&mut whole, &mut open()?));
        drop(part);
        // Nobody listens any more after ctrl-C.
        let _ = tell.send(passed);
    });
    let passed = wait::until(wait::COPY_TAKEN, || Ok(told.try_recv().ok()))?;
    passed.map_err(|error| {
        Failure::tool(tr!(
            "handing the copy on: {error}",
            "transmission de la copie : {error}"
        ))
        .next(tr!(
            "whoever reads it has to read to its end; then the same command again",
            "celui qui la lit doit la lire jusqu'au bout ; puis la même commande",
        ))
    })?;
    Ok(())
}

fn refused(said: String, next: impl Into<String>) -> anyhow::Error {
    Failure::usage(said).next(next).into()
}
