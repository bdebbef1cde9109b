//! What copies a lab elsewhere, in a cluster: a deployment of its own beside the replicas
//! (`k8s/offsite`), a map that says where and for whom, which they all read, and a secret with
//! what the bucket asks for, which that deployment alone gets.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use terms::tr;

use super::{Kube, fingerprint};
use crate::exec::{self, Cmd, Output};
use crate::facts::offsite::Shipping;
use crate::failure::Failure;
use crate::names::{BACKUP_CLAIM, PART_OF};
use crate::offsite::PLACE;
use crate::offsite::pods::{Credentials, ForPods};
use crate::tools::kube_copies::{Copies, GIVEN};
use crate::tools::kube_diff;
use crate::tools::kubectl;
use crate::wait;

/// The deployment, and its label.
const SHIPPER: &str = "offsite";
const FILE: &str = "k8s/offsite/60-shipper.yaml";
/// The map and the secret.
const SETTINGS: &str = "pra-offsite";
const CREDENTIALS: &str = "go-template={{.data.credentials | base64decode}}";
/// The service that leads to the store beside the cluster.
pub const STORE: &str = "offsite-store";
/// SeaweedFS' own port of S3, which the policy of the network lets through.
pub const STORE_PORT: u16 = 8333;
/// Of the objects that are made here; the map, which says that there is anything, goes last.
const KINDS: [&str; 2] = ["deployments,services,serviceaccounts,secrets", "configmaps"];

/// Copies elsewhere as they are wanted of a cluster.
pub struct Copying {
    pub wanted: ForPods,
    /// Where the cluster's nodes reach the store beside it, if it is that.
    pub store: Option<String>,
    /// Which image is to run, where its name does not tell.
    pub image: String,
}

impl Copying {
    /// Without the credentials: what is made of them would help who guesses them.
    fn given(&self) -> String {
        let store = self.store.as_deref().unwrap_or_default();
        let settings = self
            .wanted
            .settings
            .iter()
            .flat_map(|(key, value)| [key, value]);
        let parts = settings.map(String::as_str);
        fingerprint::of(parts.chain([store, &self.image]))
    }

    fn map(&self) -> Value {
        let mut map = object("v1", "ConfigMap", SETTINGS);
        map["data"] = json!(self.wanted.settings);
        map["metadata"]["annotations"] = json!({GIVEN: self.given()});
        map
    }

    /// By an address: the names that k3d gives this machine are gone with the first restart of a
    /// server (k3d#1221).
    fn way_to_store(&self) -> Vec<Value> {
        let Some(at) = &self.store else {
            return Vec::new();
        };
        let ports = json!([{"name": "s3", "port": STORE_PORT, "protocol": "TCP"}]);
        let mut service = object("v1", "Service", STORE);
        service["spec"] = json!({"ports": ports});
        let mut slice = object("discovery.k8s.io/v1", "EndpointSlice", STORE);
        slice["metadata"]["labels"]["kubernetes.io/service-name"] = STORE.into();
        slice["addressType"] = "IPv4".into();
        slice["ports"] = ports;
        slice["endpoints"] = json!([{"addresses": [at]}]);
        vec![service, slice]
    }
}

fn object(version: &str, kind: &str, name: &str) -> Value {
    let (label, value) = PART_OF.split_once('=').unwrap_or_default();
    json!({"apiVersion": version, "kind": kind,
        "metadata": {"name": name, "labels": {"app": SHIPPER, label: value}}})
}

fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

fn selector() -> String {
    format!("app={SHIPPER},{PART_OF}")
}

impl Kube {
    /// Where copies go is as it is wanted, before anything starts that reads it; says whether the
    /// replicas that run have other settings.
    pub fn settle_copies(&self, wanted: Option<&Copying>) -> Result<bool> {
        let dry_run = self.ctx.exec.dry_run();
        let Some(wanted) = wanted else {
            return match dry_run {
                true => Ok(false),
                false => self.give_copies_up(),
            };
        };
        let there = match dry_run {
            true => Copies::default(),
            false => self.copies()?,
        };
        if there.given[0].as_deref() != Some(&wanted.given()) {
            self.ensure_namespace_of_files()?;
            let objects = [vec![wanted.map()], wanted.way_to_store()].concat();
            self.ctx
                .exec
                .run(&self.server_side()?.input(list(&objects)))?;
        }
        self.keep_secret(&wanted.wanted.credentials)?;
        Ok(!dry_run && there.settings != Some(json!(wanted.wanted.settings)))
    }

    /// That of the lab's files, which may not have been applied yet.
    fn ensure_namespace_of_files(&self) -> Result<()> {
        if self.rendering.is_some() {
            // It was there before the lab, or was made for it.
            return Ok(());
        }
        for file in self.manifest_files()? {
            let text = std::fs::read_to_string(&file);
            let text = text.with_context(|| format!("reading {}", file.display()))?;
            let documents = kube_diff::documents(&text)?;
            if documents.iter().all(|one| one["kind"] == "Namespace") {
                self.ask(kubectl::apply(&["-f".into(), file.display().to_string()]))?;
            }
        }
        Ok(())
    }

    /// Applies its input without a second copy of it in the object's annotations.
    fn server_side(&self) -> Result<Cmd> {
        let words = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        let cmd = self.kubectl()?.cmd(words);
        Ok(cmd.args(["--field-manager=atelier-pra"]))
    }

    /// Neither a message nor a log has it. What copies reads it again where it is refused.
    fn keep_secret(&self, credentials: &Credentials) -> Result<()> {
        if !self.ctx.exec.dry_run() && self.has_secret(credentials)? {
            return Ok(());
        }
        let mut secret = object("v1", "Secret", SETTINGS);
        secret["stringData"] = json!({"credentials": credentials.text});
        let apply = self.server_side()?;
        let create = self.kubectl()?.cmd([
            "create",
            "secret",
            "generic",
            SETTINGS,
            "--from-file=credentials=/dev/stdin",
            "--dry-run=client",
            "--output=yaml",
        ]);
        let (label, value) = PART_OF.split_once('=').unwrap_or_default();
        let mark =
            format!("kubectl label --local --output=yaml -f - app={SHIPPER} {label}={value}");
        let shown = format!("{} | {create} | {mark} | {apply}", credentials.shown);
        let apply = apply.input(secret.to_string());
        self.ctx.exec.change_reading(&shown, &apply).map(drop)
    }

    fn has_secret(&self, credentials: &Credentials) -> Result<bool> {
        let get = ["get", "secret", SETTINGS, "-o", CREDENTIALS];
        let there = self.ctx.exec.probe(&self.kubectl()?.cmd(get))?;
        Ok(there.status.success() && there.stdout == credentials.text)
    }

    /// What copies runs as it is wanted, once the volumes are there; nothing where none are.
    pub fn keep_copying(&self, wanted: Option<&Copying>) -> Result<()> {
        let Some(wanted) = wanted else {
            return Ok(());
        };
        let given = wanted.given();
        if !self.ctx.exec.dry_run() {
            let there = self.copies()?;
            if there.is_given(&given) && there.running {
                return Ok(());
            }
        }
        let step = self.ctx.ui.step(tr!("copies elsewhere", "copies ailleurs"));
        let mut documents = kube_diff::documents(&self.rendered_text(self.path(FILE))?)?;
        for one in &mut documents {
            if one["kind"] == "Deployment" {
                let template = &mut one["spec"]["template"]["metadata"];
                template["annotations"] = json!({GIVEN: given});
            }
        }
        let apply = self.server_side()?.input(list(&documents));
        self.ctx.exec.run(&apply.limit(wait::DELETION))?;
        let status = kubectl::rollout_status(SHIPPER, wait::ROLLOUT);
        let status = self.kubectl()?.cmd(status).limit(wait::PLAYBOOK);
        self.ctx.exec.run(&status).map_err(|error| {
            error.context(
                Failure::tool(tr!(
                    "what copies the lab elsewhere does not start",
                    "ce qui copie le lab ailleurs ne démarre pas",
                ))
                .next(self.look_at_shipper()),
            )
        })?;
        step.done(tr!("under way", "en cours"));
        Ok(())
    }

    fn look_at_shipper(&self) -> String {
        self.typed(&format!("describe pods -l app={SHIPPER}"))
    }

    /// Whether all is there as it is wanted.
    pub fn copies_as_wanted(&self, wanted: Option<&Copying>) -> Result<bool> {
        let there = self.copies()?;
        match wanted {
            None => Ok(there.settings.is_none()),
            Some(wanted) => {
                Ok(there.is_given(&wanted.given())
                    && self.has_secret(&wanted.wanted.credentials)?)
            }
        }
    }

    /// Removes what copied, where nothing is to any more; says whether there was anything. What
    /// was copied stays.
    fn give_copies_up(&self) -> Result<bool> {
        if self.copies()?.settings.is_none() {
            return Ok(false);
        }
        let step = self.ctx.ui.step(tr!("copies elsewhere", "copies ailleurs"));
        // No controller made the slice, so none takes it away with its service.
        let slices = self.rendering.is_none().then_some("endpointslices");
        let [first, last] = KINDS;
        for kinds in [Some(first), slices, Some(last)].into_iter().flatten() {
            let delete = ["delete", kinds, "-l", &selector(), "--ignore-not-found"];
            let delete = self.kubectl()?.cmd(delete).args(["--wait"]);
            self.ctx.exec.run(&delete.limit(wait::DELETION))?;
        }
        step.done(tr!(
            "no more are made; those there are stay",
            "il n'en est plus fait ; celles qui existent restent",
        ));
        Ok(true)
    }

    /// As it is in the cluster.
    fn copies(&self) -> Result<Copies> {
        let kinds = "deployments,pods,configmaps";
        let get = ["get", kinds, "-l", &selector(), "-o", "json"];
        Copies::parse(&self.ctx.exec.read(&self.kubectl()?.cmd(get))?)
    }

    /// What makes copies; `None` where nothing does.
    pub fn shipping(&self) -> Result<Option<Shipping>> {
        let there = self.copies()?;
        Ok(there.settings.map(|settings| Shipping {
            place: settings[PLACE].as_str().unwrap_or_default().to_owned(),
            running: there.running,
            trouble: there.trouble,
        }))
    }

    /// `python -m pra offsite ARGS` where the copies are made; `None` in a dry run.
    pub fn offsite(&self, args: &[&str]) -> Result<Option<Output>> {
        self.beside_copies(&[&["python", "-m", "pra", "offsite"], args].concat())
    }

    /// `python -c SCRIPT ARGS` there; what it printed.
    pub fn python_beside_copies(&self, script: &str, args: &[&str]) -> Result<Option<String>> {
        let cmd = self.in_shipper(&[&["python", "-c", script], args].concat())?;
        self.ctx.exec.change_reading(&cmd.to_string(), &cmd)
    }

    fn in_shipper(&self, words: &[&str]) -> Result<Cmd> {
        let target = format!("deployment/{SHIPPER}");
        let cmd = self.kubectl()?.cmd(kubectl::exec(&target, words));
        Ok(cmd.limit(wait::COPY))
    }

    fn beside_copies(&self, words: &[&str]) -> Result<Option<Output>> {
        let cmd = self.in_shipper(words)?;
        if !self.ctx.exec.change(&cmd.to_string()) {
            return Ok(None);
        }
        let output = exec::output(&cmd)?;
        if kubectl::command_ran(output.status.success(), &output.stderr) {
            return Ok(Some(output));
        }
        let said = output.stderr.trim();
        Err(Failure::tool(tr!(
            "what copies the lab elsewhere does not answer: {said}",
            "ce qui copie le lab ailleurs ne répond pas : {said}",
        ))
        .next(self.look_at_shipper())
        .into())
    }

    /// Has it let go of the backup volume, which is about to be deleted.
    pub fn pause_copying(&self, claim: &str) -> Result<()> {
        if claim != BACKUP_CLAIM || !self.has_shipper()? {
            return Ok(());
        }
        self.ask(kubectl::scale(SHIPPER, 0))?;
        let gone = kubectl::wait_until_gone(&selector(), wait::APP_STOPPED.limit);
        self.ask(gone)
    }

    pub fn resume_copying(&self) -> Result<()> {
        match self.has_shipper()? {
            true => self.ask(kubectl::scale(SHIPPER, 1)),
            false => Ok(()),
        }
    }

    /// By what is there: lab.toml may say something else since.
    fn has_shipper(&self) -> Result<bool> {
        if self.workload.database.is_some() {
            return Ok(false);
        }
        if self.ctx.exec.dry_run() {
            return Ok(self.ctx.config.offsite.destination().is_some());
        }
        let get = [
            "get",
            "deployment",
            SHIPPER,
            "--ignore-not-found",
            "-o",
            "name",
        ];
        let found = self.ctx.exec.read(&self.kubectl()?.cmd(get))?;
        Ok(!found.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(secret: &str, store: Option<&str>) -> Copying {
        Copying {
            wanted: ForPods {
                settings: [(PLACE.to_owned(), "s3://copies".to_owned())].into(),
                credentials: Credentials {
                    text: secret.to_owned(),
                    shown: "cat file".to_owned(),
                },
            },
            store: store.map(str::to_owned),
            image: "sha256:1".to_owned(),
        }
    }

    #[test]
    fn another_place_or_store_is_given_anew_and_no_object_but_the_secret_has_that() {
        let one = wanted("hidden", None);
        assert_eq!(one.given(), wanted("other", None).given());
        assert!(one.way_to_store().is_empty());
        let moved = wanted("hidden", Some("172.18.0.9"));
        assert_ne!(one.given(), moved.given());
        let text = list(&[vec![one.map()], moved.way_to_store()].concat());
        assert!(!text.contains("hidden"), "{text}");
        assert!(text.contains("172.18.0.9"), "{text}");
    }
}
