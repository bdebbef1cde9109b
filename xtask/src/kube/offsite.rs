//! What copies a lab elsewhere, in a cluster: a deployment of its own beside the replicas
//! (`k8s/offsite`), a map that says where and for whom, which they all read, and a secret with
//! what the bucket asks for, which that deployment alone gets.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use terms::tr;

use super::Kube;
use super::copying::{Copying, SETTINGS, SHIPPER, list, object};
use crate::exec::{self, Cmd, Output, quote};
use crate::facts::offsite::Shipping;
use crate::failure::Failure;
use crate::names::{self, BACKUP_CLAIM, PART_OF};
use crate::offsite::PLACE;
use crate::offsite::pods::{self, Credentials};
use crate::tools::kube_copies::{Copies, GIVEN};
use crate::tools::kube_diff;
use crate::tools::kubectl;
use crate::wait;

const FILE: &str = "k8s/offsite/60-shipper.yaml";
/// For which place it is, and what that asks for.
const SECRET: &str = "go-template={{with .metadata.annotations}}\
                      {{with index . \"atelier-pra/given\"}}{{.}}{{end}}{{end}}\n\
                      {{with .data}}{{with .credentials}}{{. | base64decode}}{{end}}{{end}}";
/// Of the objects that are made here; the map, which says that there is anything, goes last.
const KINDS: [&str; 2] = ["deployments,services,serviceaccounts,secrets", "configmaps"];

/// Where they go, as the map says.
fn place_of(there: &Copies) -> Option<&str> {
    there.settings.as_ref()?[PLACE].as_str()
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
        if there.given.as_deref() != Some(&wanted.given()) {
            self.ensure_namespace_of_files()?;
            let objects = [vec![wanted.map()], wanted.way_to_store()].concat();
            self.ctx
                .exec
                .run(&self.server_side()?.input(list(&objects)))?;
        }
        self.keep_secret(wanted, &there)?;
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
    fn keep_secret(&self, wanted: &Copying, there: &Copies) -> Result<()> {
        let credentials = wanted.wanted.credentials.as_ref();
        let has_it = match self.ctx.exec.dry_run() {
            // Before anything was shown it was seen that there is one.
            true => credentials.is_none(),
            false => self.has_secret(wanted.place(), credentials, there)?,
        };
        if has_it {
            return Ok(());
        }
        let credentials = credentials.ok_or_else(pods::no_credentials)?;
        let mut secret = object("v1", "Secret", SETTINGS);
        secret["metadata"]["annotations"] = json!({GIVEN: wanted.place()});
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
        let (label, value) = names::part_of();
        let mark =
            format!("kubectl label --local --output=yaml -f - app={SHIPPER} {label}={value}");
        let place = quote(wanted.place());
        let note = format!("kubectl annotate --local --output=yaml -f - {GIVEN}={place}");
        let shown = format!(
            "{} | {create} | {mark} | {note} | {apply}",
            credentials.shown
        );
        let apply = apply.input(secret.to_string());
        self.ctx.exec.change_reading(&shown, &apply).map(drop)
    }

    /// Exactly these, for this place; any, where none are stated.
    fn has_secret(
        &self,
        place: &str,
        credentials: Option<&Credentials>,
        there: &Copies,
    ) -> Result<bool> {
        let get = ["get", "secret", SETTINGS, "--ignore-not-found"];
        let get = self.kubectl()?.cmd(get).args(["-o", SECRET]);
        let found = self.ctx.exec.read(&get)?;
        let Some((of, text)) = found.split_once('\n') else {
            return Ok(false);
        };
        let of = match of {
            // An earlier version did not note it, and gave the map the same.
            "" => place_of(there),
            noted => Some(noted),
        };
        let fits = match credentials {
            Some(wanted) => text == wanted.text,
            None => !text.is_empty(),
        };
        Ok(fits && of == Some(place))
    }

    /// Whether it was given what the bucket of an address asks for.
    ///
    /// # Errors
    /// It does not answer, or refuses to say.
    pub fn was_given_credentials(&self, address: &str) -> Result<bool> {
        self.has_secret(address, None, &self.copies()?)
    }

    /// What copies runs as it is wanted, once the volumes are there; nothing where none are.
    pub fn keep_copying(&self, wanted: Option<&Copying>) -> Result<()> {
        let Some(wanted) = wanted else {
            return Ok(());
        };
        let shipper = self.shipper(wanted)?;
        if !self.ctx.exec.dry_run() {
            let there = self.copies()?;
            if Self::are_given(&there, wanted, &shipper) && there.running {
                return Ok(());
            }
        }
        let step = self.ctx.ui.step(tr!("copies elsewhere", "copies ailleurs"));
        let apply = self.server_side()?.input(list(&shipper));
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
            Some(wanted) => Ok(Self::are_given(&there, wanted, &self.shipper(wanted)?)
                && self.has_secret(wanted.place(), wanted.wanted.credentials.as_ref(), &there)?),
        }
    }

    fn are_given(there: &Copies, wanted: &Copying, shipper: &[Value]) -> bool {
        let is_seen = |one: &&Value| Copies::KINDS.iter().any(|kind| one["kind"] == **kind);
        let mut seen = shipper.iter().filter(is_seen);
        there.given.as_deref() == Some(&wanted.given())
            && seen.all(|one| kube_diff::is_said(&there.objects, one))
    }

    /// What copies, as the files declare it.
    fn shipper(&self, wanted: &Copying) -> Result<Vec<Value>> {
        let text = self.rendered_text(self.path(FILE))?;
        Ok(wanted.shipper(kube_diff::documents(&text)?, self.has_policies()))
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
        if self.has_policies() {
            // By its name: that of an earlier version has not the label of what copies.
            let named = format!("--field-selector=metadata.name={SHIPPER}");
            let delete = ["delete", "networkpolicies", "-l", PART_OF, &named];
            self.ctx.exec.run(&self.kubectl()?.cmd(delete))?;
        }
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
        let kinds = match self.has_policies() {
            true => "deployments,pods,configmaps,networkpolicies",
            false => "deployments,pods,configmaps",
        };
        let get = ["get", kinds, "-l", &selector(), "-o", "json"];
        Copies::parse(&self.ctx.exec.read(&self.kubectl()?.cmd(get))?)
    }

    /// What makes copies; `None` where nothing does.
    pub fn shipping(&self) -> Result<Option<Shipping>> {
        let there = self.copies()?;
        let place = place_of(&there).unwrap_or_default().to_owned();
        Ok(there.settings.map(|_| Shipping {
            place,
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
