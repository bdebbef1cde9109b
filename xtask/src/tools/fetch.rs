//! Downloads: pinned, checked before they are used, put in place by rename,
//! resumed and retried, never half there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;
use terms::tr;

use anyhow::{Context as _, Result};

use super::python;
use crate::exec::{Cmd, Exec};
use crate::failure::Failure;
use crate::wait;
use crate::workspace;

/// Python's hashlib: the lab needs Python anyway, and it is the one program
/// that is the same on Linux and macOS (sha256sum and shasum are not).
const HASH: &str = "import hashlib, sys\n\
h = hashlib.sha256()\n\
with open(sys.argv[1], 'rb') as f:\n    \
for block in iter(lambda: f.read(1 << 20), b''):\n        h.update(block)\n\
print(h.hexdigest())";

/// How a file gets here.
pub struct Fetcher<'a> {
    pub exec: &'a Exec,
    /// Put before `host/path` of each address; empty for none.
    pub mirror: &'a str,
    /// Before the second try; doubled for each further one.
    pub pause: Duration,
    pub tries: u32,
}

/// The outcome of one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Whole,
    /// Worth another try: what is here already is kept.
    CutOff,
    /// What is here is of no use to the server; from the start again.
    NotResumable,
    /// The server is busy, or nobody answered.
    Busy,
    /// It will not be there next time either.
    Refused,
}

impl Fetcher<'_> {
    /// Downloads to `target` what has this checksum.
    ///
    /// # Errors
    /// Preflight, with what to try: nothing is at `target` then.
    pub fn file(&self, url: &str, sha256: &str, target: &Path) -> Result<()> {
        let url = mirrored(self.mirror, url);
        let part = target.with_extension("part");
        self.transfer(&url, &part)?;
        let found = hash(self.exec, &part)?;
        if !found.eq_ignore_ascii_case(sha256) {
            let _ = fs::remove_file(&part);
            return Err(Failure::preflight(tr!(
                "{url} has the wrong checksum: SHA-256 {found} instead of {sha256}; it was thrown \
                 away",
                "{url} n'a pas la bonne somme de contrôle : SHA-256 {found} au lieu de {sha256} ; \
                 le fichier a été jeté",
            ))
            .next(tr!(
                "run the same command again; if it persists, check the mirror or proxy in use",
                "relancez la même commande ; si cela persiste, vérifiez le miroir ou le proxy \
                 utilisé",
            ))
            .into());
        }
        File::open(&part)
            .and_then(|file| file.sync_all())
            .with_context(|| format!("keeping {}", part.display()))?;
        workspace::put_in_place(&part, target)
    }

    /// A short text, such as a file of checksums.
    pub fn text(&self, url: &str, aside: &Path) -> Result<String> {
        let url = mirrored(self.mirror, url);
        // Never continued: another version's file may lie there.
        let _ = fs::remove_file(aside);
        self.transfer(&url, aside)?;
        let text = fs::read_to_string(aside).with_context(|| format!("reading what {url} sent"))?;
        let _ = fs::remove_file(aside);
        Ok(text)
    }

    fn transfer(&self, url: &str, part: &Path) -> Result<()> {
        let mut last = String::new();
        for attempt in 0..self.tries {
            if attempt > 0 {
                wait::pause(self.pause * 2_u32.pow(attempt - 1))?;
            }
            let cmd = curl(url, part).limit(wait::DOWNLOAD);
            let output = self.exec.probe(&cmd)?;
            let code = output.status.code().unwrap_or(-1);
            let status = output.stdout.trim().parse().unwrap_or(0);
            match judge(code, status) {
                Outcome::Whole => return Ok(()),
                Outcome::Refused => return Err(refused(url, status, output.stderr.trim())),
                Outcome::NotResumable => {
                    let _ = fs::remove_file(part);
                }
                Outcome::CutOff | Outcome::Busy => {}
            }
            last = match status {
                0 => output.stderr.trim().to_owned(),
                status => format!("HTTP {status} {}", output.stderr.trim()),
            };
        }
        Err(Failure::preflight(tr!(
            "downloading {url} failed {count} times, at last with: {last}",
            "le téléchargement de {url} a échoué {count} fois, enfin avec : {last}",
            count = self.tries,
        ))
        .next(tr!(
            "check the network or the proxy (HTTPS_PROXY), or name a mirror in lab.toml, and run \
             the same command again: it goes on where it stopped",
            "vérifiez le réseau ou le proxy (HTTPS_PROXY), ou nommez un miroir dans lab.toml, et \
             relancez la même commande : elle reprend là où elle s'est arrêtée",
        ))
        .into())
    }
}

fn refused(url: &str, status: u32, said: &str) -> anyhow::Error {
    let why = if status >= 400 {
        format!("HTTP {status}")
    } else {
        said.to_owned()
    };
    Failure::preflight(tr!(
        "{url} cannot be downloaded: {why}",
        "{url} ne peut pas être téléchargé : {why}",
    ))
    .next(tr!(
        "check the version and the mirror in lab.toml",
        "vérifiez la version et le miroir dans lab.toml",
    ))
    .into()
}

/// One try. The status is printed, so that a busy server (429) can be told
/// from a missing file.
fn curl(url: &str, part: &Path) -> Cmd {
    Cmd::new("curl").args([
        "--silent",
        "--show-error",
        "--fail",
        "--location",
        "--connect-timeout",
        "15",
        "--speed-limit",
        "1000",
        "--speed-time",
        "30",
        "--continue-at",
        "-",
        "--write-out",
        "%{http_code}",
        "--output",
        &part.to_string_lossy(),
        url,
    ])
}

/// Reads curl's exit code and the HTTP status together.
fn judge(code: i32, status: u32) -> Outcome {
    match (code, status) {
        (0, _) => Outcome::Whole,
        // 416: there is nothing after what is here; 33: no ranges at all.
        (_, 416) | (33, _) => Outcome::NotResumable,
        (_, 408 | 425 | 429 | 500..=599) => Outcome::Busy,
        (_, 400..=499) | (1 | 3 | 23 | 60 | 77, _) => Outcome::Refused,
        (18 | 28 | 56 | 92, _) => Outcome::CutOff,
        _ => Outcome::Busy,
    }
}

fn mirrored(mirror: &str, url: &str) -> String {
    if mirror.is_empty() {
        return url.to_owned();
    }
    let path = url.split_once("://").map_or(url, |(_, path)| path);
    format!("{}/{path}", mirror.trim_end_matches('/'))
}

/// The SHA-256 of a file, in hexadecimal digits.
pub fn hash(exec: &Exec, path: &Path) -> Result<String> {
    let cmd =
        Cmd::new(python::any()?.to_string_lossy()).args(["-c", HASH, &path.to_string_lossy()]);
    Ok(exec.read(&cmd)?.trim().to_owned())
}

/// The checksum of a file in a list such as `sha256sum` writes, or the only
/// one of a list without names.
pub fn listed(list: &str, file: &str) -> Option<String> {
    let is_hash = |word: &&str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    let named = list.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let hash = words.next().filter(is_hash)?;
        let name = words.next()?.trim_start_matches(['*', '.', '/']);
        let last = name.rsplit('/').next().unwrap_or(name);
        (last == file).then_some(hash)
    });
    let alone = Some(list.trim()).filter(is_hash);
    named.or(alone).map(str::to_owned)
}

/// Takes one file out of a zip archive, beside its final place first.
pub fn unzip(exec: &Exec, archive: &Path, member: &str, target: &Path) -> Result<()> {
    let aside: PathBuf = target.with_extension("unpacked");
    let _ = fs::remove_dir_all(&aside);
    let cmd = Cmd::new(python::any()?.to_string_lossy())
        .args(["-m", "zipfile", "-e"])
        .args([archive.to_string_lossy(), aside.to_string_lossy()])
        .limit(wait::DOWNLOAD);
    exec.read(&cmd)?;
    let unpacked = aside.join(member);
    fs::rename(&unpacked, target)
        .with_context(|| format!("taking {member} out of {}", archive.display()))?;
    fs::remove_dir_all(&aside).with_context(|| format!("removing {}", aside.display()))?;
    fs::remove_file(archive).with_context(|| format!("removing {}", archive.display()))
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
