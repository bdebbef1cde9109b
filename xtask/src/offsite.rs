//! Encrypted copies elsewhere: their keys, and what `python -m pra offsite` is told of the place.

pub mod bucket;
pub mod pods;
pub mod store;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use terms::tr;

use crate::config::{Destination, Offsite};
use crate::exec::{Cmd, quote_path};
use crate::failure::Failure;
use crate::workspace::Workspace;
use store::Store;

/// What a file with a private key of age says of the public one.
const PUBLIC: &str = "# public key: ";
const MAKING: &str = "cargo xtask offsite keygen";

/// The setting that names the place.
pub const PLACE: &str = "PRA_OFFSITE";

/// Settings of the package, by their names.
pub type Settings = BTreeMap<String, String>;

/// The private key that opens the copies of this checkout's labs.
pub fn key(workspace: &Workspace) -> PathBuf {
    workspace.keys().join("offsite.key")
}

/// The public key that belongs to it; `None` where there is no private one.
///
/// # Errors
/// The file cannot be read, or does not say it.
pub fn public_key(workspace: &Workspace) -> Result<Option<String>> {
    let path = key(workspace);
    if !path.exists() {
        return Ok(None);
    }
    let name = path.display();
    let text = fs::read_to_string(&path).with_context(|| format!("reading {name}"))?;
    let stated = text.lines().find_map(|line| line.strip_prefix(PUBLIC));
    let stated = stated.map(|key| key.trim().to_owned());
    stated.map(Some).ok_or_else(|| {
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

/// What reads copies is told: where they are.
///
/// # Errors
/// `lab.toml` names no place, or the embedded store of a lab that has none.
pub fn place(config: &Offsite, embedded: Option<&Store>) -> Result<Settings> {
    let Some(destination) = config.destination() else {
        return Err(Failure::usage(tr!(
            "lab.toml names no place for copies elsewhere",
            "lab.toml ne nomme aucun endroit pour des copies ailleurs",
        ))
        .next(tr!(
            "state one in lab.toml, to of [offsite], then the same command again",
            "indiquez-en un dans lab.toml, to de [offsite], puis relancez la même commande",
        ))
        .into());
    };
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

/// What makes copies is told: also for whom they are encrypted.
///
/// # Errors
/// There is no place, a folder is not there, or nobody could ever read them.
pub fn copying(
    config: &Offsite,
    workspace: &Workspace,
    embedded: Option<&Store>,
) -> Result<Settings> {
    let mut settings = place(config, embedded)?;
    if let Some(Destination::Folder(folder)) = config.destination()
        && !folder.is_dir()
    {
        // One that is made here would hide that a disk is not mounted.
        return Err(Failure::usage(tr!(
            "the folder for copies elsewhere is not there: {folder}",
            "le dossier des copies ailleurs n'existe pas : {folder}",
            folder = folder.display(),
        ))
        .next(tr!(
            "mount the disk, or mkdir -p {folder}",
            "montez le disque, ou mkdir -p {folder}",
            folder = quote_path(&folder),
        ))
        .into());
    }
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
    match (stated.is_empty(), public_key(workspace)?) {
        (false, _) => Ok(stated.join(",")),
        (true, Some(own)) => Ok(own),
        (true, None) => Err(no_key().into()),
    }
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
    .next(MAKING)
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
