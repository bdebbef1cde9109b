//! What pods are told of the place of copies elsewhere, and what they are given to get in.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use terms::tr;

use super::store::Store;
use super::{Settings, copying};
use crate::config::{Destination, Offsite};
use crate::exec::{environment, quote_path};
use crate::failure::Failure;
use crate::workspace::Workspace;

/// Variables of who asks, and what the file of boto3 calls them.
const ASKED: [(&str, &str, bool); 3] = [
    ("AWS_ACCESS_KEY_ID", "aws_access_key_id", true),
    ("AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", true),
    ("AWS_SESSION_TOKEN", "aws_session_token", false),
];

/// Where copies of pods go, and what they need for that.
pub struct ForPods {
    /// Without what the bucket asks for.
    pub settings: Settings,
    /// `None` where nothing here has them: those that the cluster was given stay.
    pub credentials: Option<Credentials>,
}

/// What a bucket asks for, in the form of the file that boto3 reads.
pub struct Credentials {
    pub text: String,
    /// The command that prints it, for who types it.
    pub shown: String,
}

/// Refuses what could not be brought about, before anything is; `given` says whether the cluster
/// has credentials for the bucket of an address already.
///
/// # Errors
/// As those of [`wanted`], or nothing has the bucket's credentials.
pub fn insist(
    config: &Offsite,
    workspace: &Workspace,
    given: impl FnOnce(&str) -> Result<bool>,
) -> Result<()> {
    let Some(destination) = config.destination() else {
        return Ok(());
    };
    super::recipients(config, workspace)?;
    match destination {
        Destination::Folder(folder) => Err(out_of_reach(&folder).into()),
        Destination::Bucket(address) => match credentials(config.credentials())? {
            None if !given(&address)? => Err(no_credentials().into()),
            Some(_) | None => Ok(()),
        },
        Destination::Embedded => Ok(()),
    }
}

/// What pods need; `None` where no copies are to be made.
///
/// # Errors
/// Pods cannot reach the place, nobody could read the copies, or the file of the bucket's
/// credentials cannot be read.
pub fn wanted(
    config: &Offsite,
    workspace: &Workspace,
    embedded: Option<&Store>,
) -> Result<Option<ForPods>> {
    if config.destination().is_none() {
        return Ok(None);
    }
    insist(config, workspace, |_| Ok(true))?;
    let mut settings = copying(config, workspace, embedded)?;
    settings.remove("PRA_OFFSITE_CREDENTIALS");
    let file = embedded.map(|store| store.credentials.as_path());
    Ok(Some(ForPods {
        settings,
        credentials: credentials(file.or(config.credentials()))?,
    }))
}

fn out_of_reach(folder: &Path) -> Failure {
    Failure::usage(tr!(
        "pods do not reach the folder {folder} of this machine, where copies elsewhere are to go",
        "les pods n'atteignent pas le dossier {folder} de cette machine, où doivent aller les \
         copies ailleurs",
        folder = folder.display(),
    ))
    .next(tr!(
        "state a bucket in lab.toml, to of [offsite] (on k3d also \"embedded\"), or --engine local",
        "indiquez un bucket dans lab.toml, to de [offsite] (sur k3d aussi « embedded »), ou \
         --engine local",
    ))
}

fn credentials(file: Option<&Path>) -> Result<Option<Credentials>> {
    let Some(file) = file else {
        return Ok(of_environment());
    };
    let text = fs::read_to_string(file).with_context(|| {
        tr!(
            "reading the credentials in {file}",
            "lecture des identifiants dans {file}",
            file = file.display(),
        )
    })?;
    let shown = format!(
        "sed -n '/^\\[default\\]/,/^\\[/{{/^\\[[^d]/!p;}}' {}",
        quote_path(file)
    );
    let text = default_section(&text);
    Ok(Some(Credentials { text, shown }))
}

/// Other sections are somebody's other accounts, which no pod needs.
fn default_section(text: &str) -> String {
    let is_header = |line: &str| line.trim_start().starts_with('[');
    let lines = text.lines();
    let from = lines.skip_while(|line| line.trim() != "[default]");
    let kept = from
        .enumerate()
        .take_while(|(at, line)| *at == 0 || !is_header(line));
    kept.map(|(_, line)| format!("{line}\n")).collect()
}

/// Pods do not have the environment of who brings the lab up, and the next one who does may not
/// have it either.
fn of_environment() -> Option<Credentials> {
    let set = environment::of_the_store();
    let (mut lines, mut shown) = (vec!["[default]".to_owned()], Vec::new());
    for (variable, name, needed) in ASKED {
        match set.get(variable) {
            Some(value) => lines.push(format!("{name} = {value}")),
            None if needed => return None,
            None => continue,
        }
        shown.push(format!("\"{name} = ${variable}\""));
    }
    Some(Credentials {
        text: lines.join("\n") + "\n",
        shown: format!("printf '%s\\n' '[default]' {}", shown.join(" ")),
    })
}

/// The cluster has none either.
pub fn no_credentials() -> Failure {
    Failure::usage(tr!(
        "nothing says what the bucket for copies asks for: neither credentials of [offsite] in \
         lab.toml nor the environment",
        "rien ne dit ce que demande le bucket des copies : ni credentials de [offsite] dans \
         lab.toml, ni l'environnement",
    ))
    .next(tr!(
        "name a file in lab.toml, credentials of [offsite], or set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY, then the same command again",
        "nommez un fichier dans lab.toml, credentials de [offsite], ou définissez \
         AWS_ACCESS_KEY_ID et AWS_SECRET_ACCESS_KEY, puis relancez la même commande",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";

    #[test]
    fn pods_get_the_credentials_apart_from_the_place() {
        let root = std::env::temp_dir().join(format!("xtask-for-pods-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let file = root.join("s3");
        let theirs = "[work]\naws_access_key_id = other\n";
        let text = format!("{theirs}[default]\naws_access_key_id = hidden\n{theirs}");
        fs::write(&file, text).unwrap();
        let of = |to: &str| {
            let text = format!("to = {to:?}\nrecipients = [{KEY:?}]\ncredentials = {file:?}");
            let config: Offsite = toml::from_str(&text).unwrap();
            wanted(&config, &Workspace::at(root.clone()), None)
        };
        let found = of("s3://copies/lab").unwrap().unwrap();
        let given = found.credentials.unwrap().text;
        assert!(given.contains("hidden") && !given.contains("other"));
        assert!(!format!("{:?}", found.settings).contains("hidden"));
        assert_eq!(found.settings[crate::offsite::PLACE], "s3://copies/lab");
        assert!(of("off").unwrap().is_none());
        // A file of its own is not asked about twice, whatever the cluster was given.
        let named =
            format!("to = \"s3://copies/lab\"\nrecipients = [{KEY:?}]\ncredentials = {file:?}");
        let config: Offsite = toml::from_str(&named).unwrap();
        let workspace = Workspace::at(root.clone());
        insist(&config, &workspace, |_| panic!("nobody asks")).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(insist(&config, &workspace, |_| Ok(true)).is_err());
        let refused = of("/mnt/disk").err().unwrap().to_string();
        assert!(refused.contains("/mnt/disk"), "{refused}");
        fs::remove_dir_all(&root).unwrap();
    }
}
