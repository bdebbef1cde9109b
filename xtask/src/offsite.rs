//! Encrypted copies elsewhere: their keys, and what `python -m pra offsite` is told of the place.

pub mod bucket;
pub mod pods;
pub mod store;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use terms::{LabName, tr};

use crate::config::{Destination, Offsite};
use crate::exec::{Cmd, quote_path};
use crate::failure::Failure;
use crate::workspace::{self, Workspace};
use store::Store;

/// What a file with a private key of age says of the public one.
const PUBLIC: &str = "# public key: ";
const MAKING: &str = "cargo xtask offsite keygen";

/// The setting that names the place.
pub const PLACE: &str = "PRA_OFFSITE";

/// Settings of the package, by their names.
pub type Settings = BTreeMap<String, String>;

/// Copies that outlive a lab.
pub struct Staying {
    pub place: String,
    pub kind: Kept,
}

/// Where that is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Elsewhere,
    /// In a store of this checkout's own, which `teardown --copies` removes.
    Embedded,
    /// In that store, which `lab.toml` names no more.
    EmbeddedBefore,
}

/// Those in the place that is configured, or else in the folder of an embedded store that ran.
pub fn staying(offsite: &Offsite, lab: LabName, embedded: Option<&Path>) -> Option<Staying> {
    if lab != LabName::Pra {
        return None;
    }
    let own = || Some(embedded?.display().to_string());
    let (place, kind) = match offsite.destination() {
        Some(Destination::Folder(folder)) => (folder.display().to_string(), Kept::Elsewhere),
        Some(Destination::Bucket(address)) => (address, Kept::Elsewhere),
        Some(Destination::Embedded) => (own()?, Kept::Embedded),
        None => (own()?, Kept::EmbeddedBefore),
    };
    Some(Staying { place, kind })
}

/// The private key that opens the copies of this checkout's labs.
pub fn key(workspace: &Workspace) -> PathBuf {
    workspace.keys().join("offsite.key")
}

/// Its public key, which stays where the private one is kept somewhere else.
pub fn file_of_public_key(workspace: &Workspace) -> PathBuf {
    key(workspace).with_extension("pub")
}

/// The public key that belongs to it; `None` where none was ever made.
///
/// # Errors
/// The file cannot be read, or does not say it.
pub fn public_key(workspace: &Workspace) -> Result<Option<String>> {
    let files = [key(workspace), file_of_public_key(workspace)];
    let Some(path) = files.into_iter().find(|file| file.exists()) else {
        return Ok(None);
    };
    let name = path.display();
    let text = fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
    stated_in(&text).map(Some).ok_or_else(|| {
        Failure::usage(tr!(
            "{name} does not say which public key belongs to it ({PUBLIC}age1...)",
            "{name} ne dit pas quelle clé publique lui correspond ({PUBLIC}age1...)",
        ))
        .next(tr!(
            "state it in lab.toml: recipients of [offsite]",
            "indiquez-la dans lab.toml : recipients de [offsite]",
        ))
        .into()
    })
}

/// Notes it beside the private key, which may be moved to where this machine cannot be lost with
/// it.
///
/// # Errors
/// The file cannot be written.
pub fn keep_public_key(workspace: &Workspace, public: &str) -> Result<()> {
    let (file, text) = (file_of_public_key(workspace), format!("{PUBLIC}{public}\n"));
    if fs::read_to_string(&file).is_ok_and(|there| there == text) {
        return Ok(());
    }
    workspace::write_file(&file, &text)
}

/// The same of a private key that is there, and may be moved: who brings a lab up counts on it.
///
/// # Errors
/// A file cannot be read or written.
pub fn keep_public_half(workspace: &Workspace) -> Result<()> {
    let file = key(workspace);
    if !file.is_file() {
        return Ok(());
    }
    let name = file.display();
    let text = fs::read_to_string(&file).with_context(|| format!("reading {name}"))?;
    match stated_in(&text) {
        Some(public) => keep_public_key(workspace, &public),
        None => Ok(()),
    }
}

/// What reads copies is told: where they are.
///
/// # Errors
/// `lab.toml` names no place, or the embedded store of a lab that has none.
pub fn place(config: &Offsite, embedded: Option<&Store>) -> Result<Settings> {
    let destination = config.destination().ok_or_else(no_place)?;
    let stated = config.credentials();
    let (place, credentials) = match destination {
        Destination::Folder(folder) => (folder.display().to_string(), None),
        Destination::Bucket(address) => (address, stated),
        Destination::Embedded => {
            let store = embedded.ok_or_else(no_store)?;
            (store.address.clone(), Some(store.credentials.as_path()))
        }
    };
    let credentials = credentials.map(|file| file.display().to_string());
    Ok(Settings::from([
        (PLACE.to_owned(), place),
        // Stated also where it is empty: that of somebody's environment is another store's.
        (
            "PRA_OFFSITE_CREDENTIALS".to_owned(),
            credentials.unwrap_or_default(),
        ),
    ]))
}

fn is_within(folder: &Path, above: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(folder).starts_with(real(above))
}

/// Refuses a folder that is not there: one that is made here would hide that a disk is not
/// mounted.
///
/// # Errors
/// As it says.
pub fn insist_on_folder(config: &Offsite, workspace: &Workspace) -> Result<()> {
    match config.destination() {
        Some(Destination::Folder(folder)) if is_within(&folder, &workspace.volumes()) => {
            Err(Failure::usage(tr!(
                "the folder for copies elsewhere is on a volume of the lab, and would be lost with \
                 it: {folder}",
                "le dossier des copies ailleurs est sur un volume du lab, et serait perdu avec lui : \
                 {folder}",
                folder = folder.display(),
            ))
            .next(tr!(
                "state a folder on another disk in lab.toml, to of [offsite]",
                "indiquez dans lab.toml, to de [offsite], un dossier sur un autre disque",
            ))
            .into())
        }
        Some(Destination::Folder(folder)) if !folder.is_dir() => Err(Failure::usage(tr!(
            "the folder for copies elsewhere is not there: {folder}",
            "le dossier des copies ailleurs n'existe pas : {folder}",
            folder = folder.display(),
        ))
        .next(tr!(
            "mount the disk, or mkdir -p {folder}",
            "montez le disque, ou mkdir -p {folder}",
            folder = quote_path(&folder),
        ))
        .into()),
        _ => Ok(()),
    }
}

/// What makes copies is told: also for whom they are encrypted.
///
/// # Errors
/// There is no place, or nobody could ever read them.
pub fn copying(
    config: &Offsite,
    workspace: &Workspace,
    embedded: Option<&Store>,
) -> Result<Settings> {
    let mut settings = place(config, embedded)?;
    let recipients = recipients(config, workspace)?;
    settings.insert("PRA_OFFSITE_RECIPIENTS".to_owned(), recipients);
    Ok(settings)
}

/// The public keys that copies are encrypted for.
///
/// # Errors
/// There are none.
fn recipients(config: &Offsite, workspace: &Workspace) -> Result<String> {
    let stated = config.recipients();
    if !stated.is_empty() {
        return Ok(stated.join(","));
    }
    public_key(workspace)?.ok_or_else(|| no_key().into())
}

/// Nobody said where copies go.
pub fn no_place() -> Failure {
    Failure::usage(tr!(
        "lab.toml names no place for copies elsewhere",
        "lab.toml ne nomme aucun endroit pour des copies ailleurs",
    ))
    .next(tr!(
        "state one in lab.toml, to of [offsite], then the same command again",
        "indiquez-en un dans lab.toml, to de [offsite], puis relancez la même commande",
    ))
}

fn no_store() -> Failure {
    Failure::usage(tr!(
        "this engine runs no store for copies of its own (embedded)",
        "ce moteur ne lance pas de stockage de copies à lui (embedded)",
    ))
    .next(tr!(
        "state a bucket in lab.toml, to of [offsite], or --engine local",
        "indiquez un bucket dans lab.toml, to de [offsite], ou --engine local",
    ))
}

fn no_key() -> Failure {
    Failure::usage(tr!(
        "copies elsewhere are encrypted, and there is no key for them: neither in .lab/keys nor \
         under recipients of [offsite] in lab.toml",
        "les copies ailleurs sont chiffrées, et il n'y a pas de clé pour elles : ni dans \
         .lab/keys, ni sous recipients de [offsite] dans lab.toml",
    ))
    .next(tr!(
        "{MAKING} where there never was one; else put it into .lab/keys/offsite.key, or state its \
         public key as recipients: copies for another key are of no use to whoever has that one",
        "{MAKING} s'il n'y en a jamais eu ; sinon remettez-la dans .lab/keys/offsite.key, ou \
         indiquez sa clé publique dans recipients : des copies pour une autre clé ne servent à \
         rien à qui a celle-là",
    ))
}

/// Has copies made for the key that others were just read with, where nobody stated any and this
/// checkout has none; returns its public half.
///
/// # Errors
/// The file cannot be read, or the key not noted.
pub fn adopt_key(
    config: &Offsite,
    workspace: &Workspace,
    identity: &Path,
) -> Result<Option<String>> {
    if !config.recipients().is_empty() || public_key(workspace)?.is_some() {
        return Ok(None);
    }
    let text =
        fs::read_to_string(identity).with_context(|| format!("reading {}", identity.display()))?;
    let Some(public) = stated_in(&text) else {
        return Ok(None);
    };
    workspace.create_private_folder(&workspace.keys())?;
    keep_public_key(workspace, &public)?;
    Ok(Some(public))
}

/// The public key that a file of keys states.
fn stated_in(text: &str) -> Option<String> {
    let stated = text.lines().find_map(|line| line.strip_prefix(PUBLIC));
    stated.map(|key| key.trim().to_owned())
}

/// `python -m pra offsite ARGS` on this machine, by the Python that has its packages.
pub fn on_this_machine<S: AsRef<str>>(
    python: &Path,
    workspace: &Workspace,
    settings: &Settings,
    args: &[S],
) -> Cmd {
    Cmd::new(python.to_string_lossy())
        .args(["-m", "pra", "offsite"])
        .args(args)
        .envs(settings)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .cwd(workspace.root.join("app"))
}

/// The private key that is read with: the one that is named, or that of this checkout.
///
/// # Errors
/// There is no such file.
pub fn identity(workspace: &Workspace, named: Option<PathBuf>) -> Result<PathBuf> {
    let path = named.unwrap_or_else(|| key(workspace));
    if path.is_file() {
        return std::path::absolute(&path).with_context(|| format!("finding {}", path.display()));
    }
    Err(Failure::usage(tr!(
        "there is no private key in {file}, which alone opens the copies",
        "il n'y a pas de clé privée dans {file}, qui seule ouvre les copies",
        file = path.display(),
    ))
    .next(tr!(
        "put the key there from where it is kept, or name its file: --identity FILE",
        "remettez-y la clé depuis l'endroit où elle est gardée, ou nommez son fichier : \
         --identity FILE",
    ))
    .into())
}
