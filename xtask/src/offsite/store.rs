//! The embedded store: SeaweedFS, a program that speaks S3, with its data in `.lab/offsite`.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::exec::Cmd;
use crate::workspace::{self, Workspace};

/// Of its S3, its metadata, its volumes and what leads them, for HTTP and for gRPC each.
pub const PORTS: usize = 8;
const BUCKET: &str = "copies";
/// Whose the bucket is: it alone may change what holds for it.
const OWNER: &str = "owner";
/// Who writes and reads copies.
const COPIER: &str = "copier";
/// What the copier may do, in the bucket alone.
const ACTIONS: [&str; 6] = [
    "Read",
    "List",
    "Write",
    "GetBucketObjectLockConfiguration",
    "GetObjectRetention",
    "PutObjectRetention",
];

/// How a store is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// As `PRA_OFFSITE` names it.
    pub address: String,
    pub credentials: PathBuf,
}

/// A store that is wanted to run.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Wanted {
    pub program: String,
    pub ports: [u16; PORTS],
}

impl Wanted {
    /// Where its S3 answers.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Where what leads it answers.
    pub fn leader(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[6])
    }

    fn reached_by(&self, workspace: &Workspace, who: &str) -> Store {
        Store {
            address: format!("s3://{BUCKET}/labs?endpoint={}", self.endpoint()),
            credentials: credentials(workspace, who),
        }
    }

    /// As copies are written and read.
    pub fn store(&self, workspace: &Workspace) -> Store {
        self.reached_by(workspace, COPIER)
    }

    /// As the bucket is made.
    pub fn owned(&self, workspace: &Workspace) -> Store {
        self.reached_by(workspace, OWNER)
    }

    /// The program with its arguments; everything of it listens on this machine alone.
    pub fn command(&self, workspace: &Workspace) -> Cmd {
        let folder = folder(workspace);
        let [
            s3,
            s3_grpc,
            filer,
            filer_grpc,
            volume,
            volume_grpc,
            master,
            master_grpc,
        ] = self.ports;
        Cmd::new(&self.program).cwd(&folder).args([
            "server".to_owned(),
            format!("-dir={}", data(workspace).display()),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            "-filer".to_owned(),
            "-s3".to_owned(),
            format!("-s3.config={}", identities(workspace).display()),
            format!("-s3.port={s3}"),
            format!("-s3.port.grpc={s3_grpc}"),
            // What listens on a port of its own unless it is told not to.
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            format!("-filer.port={filer}"),
            format!("-filer.port.grpc={filer_grpc}"),
            format!("-volume.port={volume}"),
            format!("-volume.port.grpc={volume_grpc}"),
            // Nobody has to be led elsewhere before it ends.
            "-volume.preStopSeconds=0".to_owned(),
            // Files of this size, as many as there is room for.
            "-master.volumeSizeLimitMB=256".to_owned(),
            "-volume.max=0".to_owned(),
            format!("-master.port={master}"),
            format!("-master.port.grpc={master_grpc}"),
            "-master.telemetry=false".to_owned(),
        ])
    }
}

impl Store {
    /// The same as whoever owns the bucket reaches it, who may remove what no lock holds.
    #[must_use]
    pub fn by_owner(self, workspace: &Workspace) -> Self {
        Self {
            credentials: credentials(workspace, OWNER),
            ..self
        }
    }
}

/// What outlives every lab of the checkout: the data, and who may do what.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.home().join("offsite")
}

fn data(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("data")
}

fn identities(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("s3.json")
}

fn credentials(workspace: &Workspace, who: &str) -> PathBuf {
    folder(workspace).join(format!("{who}.credentials"))
}

/// Whether there ever was one.
pub fn exists(workspace: &Workspace) -> bool {
    identities(workspace).exists()
}

/// Makes its folder and its credentials where there are none.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    let data = data(workspace);
    workspace.insist_on_own_folder(&data.join("any"))?;
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&data);
    made.with_context(|| format!("making {}", data.display()))?;
    if exists(workspace) {
        return Ok(());
    }
    let mut all = Vec::new();
    for (who, actions) in [
        (OWNER, vec!["Admin".to_owned()]),
        (
            COPIER,
            ACTIONS.map(|one| format!("{one}:{BUCKET}")).to_vec(),
        ),
    ] {
        let (key, secret) = (drawn()?, drawn()?);
        let text =
            format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
        workspace::write_private_file(&credentials(workspace, who), &text)?;
        let pair = json!([{"accessKey": key, "secretKey": secret}]);
        all.push(json!({"name": who, "credentials": pair, "actions": actions}));
    }
    // Last: who finds it finds the others.
    let text = json!({"identities": all}).to_string();
    workspace::write_private_file(&identities(workspace), &text)
}

/// What nobody guesses, of the system's own randomness.
fn drawn() -> Result<String> {
    let mut bytes = [0; 20];
    let read =
        File::open(Path::new("/dev/urandom")).and_then(|mut file| file.read_exact(&mut bytes));
    read.context("drawing credentials")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn credentials_are_made_once_and_for_this_user_alone() {
        let root = std::env::temp_dir().join(format!("xtask-store-{}", std::process::id()));
        let workspace = Workspace::at(root.clone());
        workspace.create().unwrap();
        assert!(!exists(&workspace));
        ensure(&workspace).unwrap();
        let read = |who| fs::read_to_string(credentials(&workspace, who)).unwrap();
        let (owner, copier) = (read(OWNER), read(COPIER));
        assert_ne!(owner, copier);
        for file in fs::read_dir(folder(&workspace)).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode() & 0o077;
            assert_eq!(mode, 0, "{:?}", file.path());
        }
        ensure(&workspace).unwrap();
        assert_eq!((read(OWNER), read(COPIER)), (owner, copier));
        let wanted = Wanted {
            program: "weed".into(),
            ports: [1, 2, 3, 4, 5, 6, 7, 8],
        };
        let shown = wanted.command(&workspace).to_string();
        let secret = read(COPIER);
        let secret = secret.rsplit(' ').next().unwrap().trim();
        assert!(
            !shown.contains(secret) && shown.contains("-s3.port=1"),
            "{shown}"
        );
        fs::remove_dir_all(&root).unwrap();
    }
}
