//! `[offsite]`: where encrypted copies of the lab go, and for whom they are encrypted.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use terms::tr;
use toml::Spanned;

use super::check::{Complaint, in_range};

const HTTP: u16 = 80;
const HTTPS: u16 = 443;
/// The options of a bucket's address, as the package knows them.
const OPTIONS: [&str; 2] = ["endpoint", "region"];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Offsite {
    to: Spanned<String>,
    recipients: Vec<Spanned<String>>,
    credentials: Spanned<String>,
    rpo_seconds: Spanned<f64>,
    lock_days: Spanned<u32>,
}

/// Where copies go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A store that speaks S3, which the lab runs beside itself and which outlives it.
    Embedded,
    /// A folder of this machine: a disk that is mounted, for instance.
    Folder(PathBuf),
    /// A part of a bucket, as the package reads it; there is no secret in it.
    Bucket(String),
}

impl Default for Offsite {
    fn default() -> Self {
        let text = |text: &str| Spanned::new(0..0, text.to_owned());
        Self {
            to: text("off"),
            recipients: Vec::new(),
            credentials: text(""),
            rpo_seconds: Spanned::new(0..0, 10.0),
            lock_days: Spanned::new(0..0, 7),
        }
    }
}

impl Offsite {
    /// Where copies go; `None` where there are to be none.
    pub fn destination(&self) -> Option<Destination> {
        match self.to.get_ref().as_str() {
            "off" => None,
            "embedded" => Some(Destination::Embedded),
            folder if folder.starts_with('/') => Some(Destination::Folder(folder.into())),
            bucket => Some(Destination::Bucket(bucket.to_owned())),
        }
    }

    /// The public keys that are stated; none for that of `.lab/keys`.
    pub fn recipients(&self) -> Vec<&str> {
        let stated = self.recipients.iter();
        stated.map(|key| key.get_ref().as_str()).collect()
    }

    /// The file with what the bucket asks for; `None` where the environment has it.
    pub fn credentials(&self) -> Option<&Path> {
        let stated = self.credentials.get_ref();
        (!stated.is_empty()).then(|| Path::new(stated))
    }

    /// For how many days nobody removes what goes to the embedded store.
    pub fn lock_days(&self) -> u32 {
        *self.lock_days.get_ref()
    }

    /// Seconds' worth of acknowledged writes that may be lost with the whole lab.
    pub fn rpo_seconds(&self) -> f64 {
        *self.rpo_seconds.get_ref()
    }

    /// What is wrong never repeats what was stated, which may be a secret in the wrong place.
    pub(super) fn check(&self) -> Result<(), Complaint> {
        let place = match self.destination() {
            Some(Destination::Bucket(address)) => bucket_is_possible(&address),
            Some(Destination::Folder(_) | Destination::Embedded) | None => Ok(()),
        };
        place.map_err(|what| (self.to.span().start, format!("offsite.to: {what}")))?;
        for key in &self.recipients {
            if !is_public(key.get_ref()) {
                let what = tr!(
                    "offsite.recipients: one of them is no public key, of age (age1…) or of SSH \
                     (ssh-…)",
                    "offsite.recipients : l'une n'est pas une clé publique, d'age (age1…) ou de \
                     SSH (ssh-…)",
                );
                return Err((key.span().start, what));
            }
        }
        if self.credentials().is_some_and(|file| !file.is_absolute()) {
            let what = tr!(
                "offsite.credentials is neither empty nor the absolute path of a file",
                "offsite.credentials n'est ni vide ni le chemin absolu d'un fichier",
            );
            return Err((self.credentials.span().start, what));
        }
        in_range("offsite.lock_days", &self.lock_days, 1..=36_500)?;
        in_range("offsite.rpo_seconds", &self.rpo_seconds, 0.0..=86_400.0)
    }
}

/// As `app/pra/base/offsite_place.py` reads it.
fn bucket_is_possible(address: &str) -> Result<(), String> {
    let rest = address.strip_prefix("s3://").ok_or_else(|| {
        tr!(
            "neither \"off\" nor \"embedded\" nor an absolute path nor an address that begins with \
             s3://",
            "ni « off », ni « embedded », ni un chemin absolu, ni une adresse qui commence par s3://",
        )
    })?;
    let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    if !is_bucket(bucket) {
        return Err(tr!(
            "no name of a bucket follows s3://, or more than that",
            "aucun nom de bucket ne suit s3://, ou plus que cela",
        ));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let part = |part: &str| !part.is_empty() && part != ".." && part.chars().all(plain);
    let prefix = prefix.trim_matches('/');
    if !prefix.is_empty() && !prefix.split('/').all(part) {
        return Err(tr!(
            "the prefix is not of letters, digits, dots, dashes, underscores and slashes",
            "le préfixe n'est pas fait de lettres, chiffres, points, tirets, tirets bas et barres \
             obliques",
        ));
    }
    let mut stated = options.split('&').filter(|one| !one.is_empty());
    let known = |option: &str| {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match name {
            "endpoint" => is_endpoint(value),
            _ => OPTIONS.contains(&name),
        }
    };
    if stated.all(known) {
        return Ok(());
    }
    Err(tr!(
        "its options are endpoint=https://HOST:PORT and region=NAME alone",
        "ses seules options sont endpoint=https://HÔTE:PORT et region=NOM",
    ))
}

fn is_bucket(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.chars().all(|c| edge(c) || ".-".contains(c))
        && name.starts_with(edge)
        && name.ends_with(edge)
}

fn is_endpoint(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    let host = rest.unwrap_or_default().trim_end_matches('/');
    !host.is_empty()
        && !host.contains(['/', '@', '#', '?'])
        && !host.starts_with(':')
        && port_of_endpoint(url).is_some()
}

/// The port at which a bucket answers, by its address.
pub fn bucket_port(address: &str) -> u16 {
    let options = address.split_once('?').map_or("", |(_, options)| options);
    let mut options = options.split('&');
    let endpoint = options.find_map(|one| one.strip_prefix("endpoint="));
    endpoint.and_then(port_of_endpoint).unwrap_or(HTTPS)
}

/// `None` where what is stated is none.
fn port_of_endpoint(url: &str) -> Option<u16> {
    let (scheme, host) = url.split_once("://")?;
    let host = host.trim_end_matches('/');
    // The colons of an IPv6 address are within brackets.
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    match after.rsplit_once(':') {
        Some((_, stated)) => stated.parse().ok().filter(|port| *port > 0),
        None if scheme == "http" => Some(HTTP),
        None => Some(HTTPS),
    }
}

fn is_public(key: &str) -> bool {
    let of_age = key.strip_prefix("age1");
    let small = |rest: &str| {
        rest.chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    of_age.is_some_and(|rest| rest.len() == 58 && small(rest)) || key.starts_with("ssh-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint_about(text: &str) -> Option<String> {
        let settings: Offsite = toml::from_str(text).unwrap();
        settings.check().err().map(|(_, said)| said)
    }

    #[test]
    fn nothing_stated_is_nowhere() {
        let settings: Offsite = toml::from_str("").unwrap();
        assert_eq!(settings.destination(), None);
        assert_eq!(complaint_about(""), None);
    }

    #[test]
    fn a_place_is_checked_as_the_package_reads_it() {
        for good in [
            "off",
            "embedded",
            "/mnt/disk",
            "s3://bucket",
            "s3://a-bucket/labs/one",
            "s3://bucket/x?endpoint=https://store.example:9000&region=eu",
        ] {
            assert_eq!(complaint_about(&format!("to = {good:?}")), None, "{good}");
        }
        for bad in [
            "somewhere",
            "s3://",
            "s3://Bucket",
            "s3://key:secret@bucket/x",
            "s3://bucket/../x",
            "s3://bucket?endpoint=store.example",
            "s3://bucket?endpoint=https://store.example:no",
            "s3://bucket?endpoint=https://store.example:70000",
            "s3://bucket?endpoint=https://key:secret@store.example",
            "s3://bucket?secret=x",
        ] {
            let said = complaint_about(&format!("to = {bad:?}")).expect(bad);
            assert!(!said.contains("secret@"), "{said}");
        }
    }

    #[test]
    fn a_bucket_answers_at_the_port_of_its_endpoint() {
        for (address, port) in [
            ("s3://bucket", 443),
            ("s3://bucket/x?region=eu", 443),
            ("s3://bucket?endpoint=http://store.example", 80),
            ("s3://bucket?region=eu&endpoint=https://store.example/", 443),
            ("s3://bucket?endpoint=http://store.example:9000/", 9000),
            ("s3://bucket?endpoint=https://[2001:db8::1]", 443),
            ("s3://bucket?endpoint=https://[2001:db8::1]:8333", 8333),
        ] {
            assert_eq!(bucket_port(address), port, "{address}");
        }
    }

    #[test]
    fn a_private_key_among_the_public_ones_is_refused_and_not_repeated() {
        let said = complaint_about("recipients = [\"AGE-SECRET-KEY-1QQQ\"]").unwrap();
        assert!(
            said.contains("recipients") && !said.contains("1QQQ"),
            "{said}"
        );
        let public = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        let both = format!("recipients = [{public:?}, \"ssh-ed25519 AAAA me\"]");
        assert_eq!(complaint_about(&both), None);
    }

    #[test]
    fn a_file_of_credentials_is_named_whole() {
        assert!(complaint_about("credentials = \"here\"").is_some());
        assert_eq!(complaint_about("credentials = \"/etc/pra/s3\""), None);
        assert!(complaint_about("rpo_seconds = -1.0").is_some());
        assert!(complaint_about("lock_days = 0").is_some());
    }
}
