//! The embedded store: SeaweedFS, a program that speaks S3, with its data in `.lab/offsite`.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use terms::tr;

use crate::exec::Cmd;
use crate::failure::Failure;
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

    /// As copies are written and read.
    pub fn store(&self, workspace: &Workspace) -> Store {
        Store::at(&self.endpoint(), workspace)
    }

    /// As the bucket is made.
    pub fn owned(&self, workspace: &Workspace) -> Store {
        self.store(workspace).by_owner(workspace)
    }

    /// The program with its arguments; everything of it listens on this machine alone.
    pub fn command(&self, workspace: &Workspace) -> Cmd {
        let folder = folder(workspace);
        let data = data(workspace).display().to_string();
        let identities = identities(workspace).display().to_string();
        let cmd = Cmd::new(&self.program).cwd(&folder);
        cmd.args(arguments(&data, &identities, &self.ports))
    }
}

impl Store {
    /// As copies are written and read, where its S3 answers at this URL.
    pub fn at(endpoint: &str, workspace: &Workspace) -> Self {
        Self {
            address: format!("s3://{BUCKET}/labs?endpoint={endpoint}"),
            credentials: credentials(workspace, COPIER),
        }
    }

    /// The same as whoever owns the bucket reaches it, who may remove what no lock holds.
    #[must_use]
    pub fn by_owner(self, workspace: &Workspace) -> Self {
        Self {
            credentials: credentials(workspace, OWNER),
            ..self
        }
    }
}

/// What the program is told, of paths and ports as it sees them.
pub fn arguments(data: &str, identities: &str, ports: &[u16; PORTS]) -> Vec<String> {
    let [
        s3,
        s3_grpc,
        filer,
        filer_grpc,
        volume,
        volume_grpc,
        master,
        master_grpc,
    ] = ports;
    vec![
        "server".to_owned(),
        format!("-dir={data}"),
        "-ip=127.0.0.1".to_owned(),
        "-ip.bind=127.0.0.1".to_owned(),
        "-filer".to_owned(),
        "-s3".to_owned(),
        format!("-s3.config={identities}"),
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
    ]
}

/// What outlives every lab of the checkout: the data, and who may do what.
pub fn folder(workspace: &Workspace) -> PathBuf {
    workspace.home().join("offsite")
}

/// That of the store of the local engine.
pub fn data(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("data")
}

/// That of the store beside k3d's cluster: two that run may not share it.
pub fn data_of_container(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("data-k3d")
}

/// What goes with the copies in one of these: the credentials too, where the other has none.
pub fn with_credentials(workspace: &Workspace, doomed: &Path) -> PathBuf {
    let others = [data(workspace), data_of_container(workspace)];
    match others.iter().any(|one| one != doomed && ran(one)) {
        true => doomed.to_owned(),
        false => folder(workspace),
    }
}

/// Whether what leads the store has heard of the program that holds the volumes, by its answer
/// to `/dir/status`: before that nothing can be read.
pub fn knows_volumes(status: &Value) -> bool {
    let within = |place: &Value, key: &str| place[key].as_array().cloned().unwrap_or_default();
    within(&status["Topology"], "DataCenters")
        .iter()
        .flat_map(|center| within(center, "Racks"))
        .any(|rack| !within(&rack, "DataNodes").is_empty())
}

/// Who may do what, with their secrets.
pub fn identities(workspace: &Workspace) -> PathBuf {
    folder(workspace).join("s3.json")
}

fn credentials(workspace: &Workspace, who: &str) -> PathBuf {
    folder(workspace).join(format!("{who}.credentials"))
}

/// Whether the store with this data ever ran.
pub fn ran(data: &Path) -> bool {
    fs::read_dir(data).is_ok_and(|mut some| some.next().is_some())
}

/// Whether its credentials are drawn.
pub fn exists(workspace: &Workspace) -> bool {
    identities(workspace).exists()
}

/// Who reads copies finds none in it.
pub fn never_ran() -> Failure {
    Failure::usage(tr!(
        "the embedded store has no copies: it never ran in this checkout",
        "le stockage intégré n'a pas de copies : il n'a jamais tourné ici",
    ))
    .next("cargo xtask setup")
}

/// What a script cannot make by itself.
pub fn not_drawn() -> Failure {
    Failure::usage(tr!(
        "the credentials of the embedded store are not drawn yet",
        "les identifiants du stockage intégré ne sont pas encore tirés",
    ))
    .next("cargo xtask offsite keygen")
}

/// Makes its folders and its credentials where there are none.
pub fn ensure(workspace: &Workspace) -> Result<()> {
    for data in [data(workspace), data_of_container(workspace)] {
        workspace.create_private_folder(&data)?;
    }
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

    /// As SeaweedFS says it before and after the first word of its volumes.
    #[test]
    fn a_store_that_does_not_know_its_volumes_yet_is_not_up() {
        for without in [
            json!({"Topology": {"DataCenters": null}}),
            json!({"Topology": {"DataCenters": []}}),
            json!({"Topology": {"DataCenters": [{"Racks": [{"DataNodes": null}]}]}}),
        ] {
            assert!(!knows_volumes(&without), "{without}");
        }
        let node = json!({"Url": "127.0.0.1:1", "Volumes": 7});
        let with = json!({"Topology": {"DataCenters": [{"Racks": [{"DataNodes": [node]}]}]}});
        assert!(knows_volumes(&with));
    }
}
