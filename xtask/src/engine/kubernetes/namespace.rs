//! The namespace of the lab, and whose it is: an annotation on one that the lab made, a
//! config map in one that it was given. One with the mark of another checkout is left alone.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};
use terms::tr;

use super::lab_place;
use super::refused;
use super::site::Site;
use crate::exec::Output;
use crate::failure::Failure;
use crate::kube::ownership::Owner;
use crate::names::PART_OF;
use crate::tools::kubectl;

/// What can be told of a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespace {
    Missing,
    /// It is being deleted; why that takes so long, where the cluster says so.
    Going(String),
    There {
        owner: Owner,
        /// This checkout made it, rather than having been given it.
        made: bool,
    },
}

impl Site {
    /// Looks at the namespace; changes nothing.
    pub fn namespace_state(&self) -> Result<Namespace> {
        let get = ["get", "namespace", self.namespace(), "-o", "json"];
        let output = self.ctx.exec.probe(&self.kube.kubectl()?.cmd(get))?;
        if output.status.success() {
            let found: Value =
                serde_json::from_str(&output.stdout).context("reading the namespace")?;
            return self.judged(&found);
        }
        if output.stderr.contains("NotFound") {
            return Ok(Namespace::Missing);
        }
        if refused::is_forbidden(&output.stderr) {
            // Who may not look at the namespace may look into it.
            let owner = self.adopter()?;
            return Ok(Namespace::There { owner, made: false });
        }
        Err(self.unreachable(&output.stderr).into())
    }

    fn judged(&self, found: &Value) -> Result<Namespace> {
        if found["status"]["phase"] == "Terminating" {
            return Ok(Namespace::Going(why_going(found)));
        }
        let creator = self.kube.maker(found)?;
        let made = creator == Owner::Us;
        let owner = match self.adopter()? {
            Owner::Nobody => creator,
            adopter => adopter,
        };
        Ok(Namespace::There { owner, made })
    }

    fn adopter(&self) -> Result<Owner> {
        self.kube.adopter(self.namespace())
    }

    /// Refuses to touch what is not this checkout's.
    pub fn insist_on_ownership(&self) -> Result<()> {
        let name = self.namespace();
        match self.namespace_state()? {
            Namespace::There {
                owner: Owner::Us, ..
            } => Ok(()),
            Namespace::There { owner, .. } => Err(self.not_ours(&owner).into()),
            Namespace::Going(why) => Err(self.going(&why).into()),
            Namespace::Missing => Err(Failure::tool(tr!(
                "there is no namespace {name} in {context}",
                "il n'y a pas d'espace de noms {name} dans {context}",
                context = self.kube.context,
            ))
            .next("cargo xtask setup")
            .into()),
        }
    }

    /// The namespace is there and bears our mark; asks before one is taken that was there.
    /// Says whether it had to be made.
    pub fn ensure_namespace(&self) -> Result<bool> {
        lab_place::insist_on_same(self)?;
        let state = self.namespace_state()?;
        let is_new = state == Namespace::Missing;
        match state {
            Namespace::Going(why) => return Err(self.going(&why).into()),
            Namespace::Missing => self.create_namespace()?,
            Namespace::There { owner, .. } => match owner {
                Owner::Us => {
                    self.insist_on_no_strangers()?;
                }
                Owner::Nobody => {
                    self.insist_on_no_strangers()?;
                    self.ask_for_adoption()?;
                    let adopted = self.kube.adopt(self.namespace(), &owner);
                    adopted.map_err(|error| self.taken_meanwhile().unwrap_or(error))?;
                }
                owner => return Err(self.not_ours(&owner).into()),
            },
        }
        lab_place::remember(self)?;
        Ok(is_new)
    }

    fn create_namespace(&self) -> Result<()> {
        let labels = self.kube.labels_of_namespace()?;
        let Some(output) = self.make_namespace(self.namespace(), &labels)? else {
            return Ok(());
        };
        match output.status.success() {
            true => Ok(()),
            false => Err(self.not_created(&output)),
        }
    }

    /// Makes a namespace with our mark and these labels; what was said, which is nothing in a
    /// dry run.
    pub(super) fn make_namespace(
        &self,
        name: &str,
        labels: &Map<String, Value>,
    ) -> Result<Option<Output>> {
        let namespace = self.kube.marked_namespace(name, labels)?;
        let create = self.kube.kubectl()?.cmd(kubectl::create("-"));
        let step = self
            .ctx
            .ui
            .step(tr!("namespace {name}", "espace de noms {name}",));
        let output = self.kube.change(&create.input(namespace.to_string()))?;
        if output.as_ref().is_none_or(|one| one.status.success()) {
            step.done(tr!("created", "créé"));
        }
        Ok(output)
    }

    fn not_created(&self, output: &Output) -> anyhow::Error {
        if refused::is_forbidden(&output.stderr) {
            return self.no_namespace().into();
        }
        let taken = kubectl::exists_already(&output.stderr).then(|| self.taken_meanwhile());
        let unreachable = || self.unreachable(&output.stderr).into();
        taken.flatten().unwrap_or_else(unreachable)
    }

    /// The refusal where somebody was faster than this setup.
    fn taken_meanwhile(&self) -> Option<anyhow::Error> {
        match self.namespace_state() {
            Ok(Namespace::There { owner, .. }) if owner != Owner::Us => {
                Some(self.not_ours(&owner).into())
            }
            Ok(Namespace::Going(why)) => Some(self.going(&why).into()),
            _ => None,
        }
    }

    pub(super) fn no_namespace(&self) -> Failure {
        let name = self.namespace();
        Failure::preflight(tr!(
            "there is no namespace {name}, and this account may not create one",
            "il n'y a pas d'espace de noms {name}, et ce compte n'a pas le droit d'en créer un",
        ))
        .next(tr!(
            "ask an administrator: kubectl create namespace {name}; or state one that there is, \
             as {key} in lab.toml",
            "demandez à un administrateur : kubectl create namespace {name} ; ou indiquez un \
             espace de noms existant, {key} dans lab.toml",
            key = self.namespace_key(),
        ))
    }

    /// Names what the lab would take with the namespace.
    fn ask_for_adoption(&self) -> Result<()> {
        let (name, context) = (self.namespace(), &self.kube.context);
        let there = self.objects_of_our_label()?;
        let there = match there.is_empty() {
            true => String::new(),
            false => tr!(
                " These are there already, and would be the lab's: {names}.",
                " Ceux-ci y sont déjà, et seraient au lab : {names}.",
                names = there.join(", "),
            ),
        };
        self.ctx.confirm(&tr!(
            "There is a namespace {name} in {context}, which the lab has not made. Adopt it? The \
             lab would then deploy there, and its teardown would delete what is the lab's there, \
             not the namespace.{there}",
            "Il y a dans {context} un espace de noms {name}, que le lab n'a pas créé. L'adopter ? \
             Le lab s'y déploierait alors, et son démontage y supprimerait ce qui est au lab, \
             pas l'espace de noms.{there}",
        ))
    }

    fn objects_of_our_label(&self) -> Result<Vec<String>> {
        let kinds = "deployments,services,cronjobs,jobs,configmaps,persistentvolumeclaims,\
                     serviceaccounts";
        let get = ["get", kinds, "-l", PART_OF, "-o", "name"];
        let output = self.ctx.exec.probe(&self.kube.kubectl()?.cmd(get))?;
        Ok(output.stdout.lines().map(str::to_owned).collect())
    }

    fn not_ours(&self, owner: &Owner) -> Failure {
        let (name, context) = (self.namespace(), &self.kube.context);
        let said = tr!(
            "the namespace {name} is there in {context}, {owner}: nothing is changed there",
            "l'espace de noms {name} est là dans {context}, {owner} : rien n'y est modifié",
        );
        match owner {
            Owner::Unknown => {
                Failure::tool(said).next(self.kube.typed("get configmap atelier-pra"))
            }
            Owner::Nobody | Owner::Us => Failure::usage(said).next(tr!(
                "cargo xtask setup, which asks whether to take it over",
                "cargo xtask setup, qui demande s'il faut le reprendre",
            )),
            Owner::Other(folder) if folder.exists() => Failure::usage(said).next(tr!(
                "use it from {folder}, or state another one as {key} in lab.toml",
                "utilisez-le depuis {folder}, ou indiquez-en un autre, {key} dans lab.toml",
                folder = folder.display(),
                key = self.namespace_key(),
            )),
            Owner::Other(_) => Failure::usage(said).next(tr!(
                "where nobody needs that lab any more: {configmap}; {annotation}",
                "si personne n'a plus besoin de ce lab : {configmap} ; {annotation}",
                configmap = self
                    .kube
                    .typed("delete configmap atelier-pra --ignore-not-found"),
                annotation = self.kube.typed_to_disown(name),
            )),
        }
    }

    pub(super) fn going(&self, why: &str) -> Failure {
        let name = self.namespace();
        Failure::tool(tr!(
            "the namespace {name} is being deleted{why}",
            "l'espace de noms {name} est en cours de suppression{why}",
        ))
        .next(tr!(
            "kubectl --context {context} get namespace {name} -w, and the same command once it is \
             gone",
            "kubectl --context {context} get namespace {name} -w, puis la même commande une fois \
             qu'il a disparu",
            context = self.kube.context,
        ))
    }

    /// Removes what is known here of the lab there.
    pub fn forget(&self) -> Result<()> {
        let folder = self.folder();
        if !folder.exists() || self.ctx.exec.dry_run() {
            return Ok(());
        }
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))
    }
}

/// What still stands in the way, as the namespace itself tells it.
fn why_going(found: &Value) -> String {
    let conditions = found["status"]["conditions"].as_array();
    let waits = conditions.into_iter().flatten().filter(|one| {
        let kind = one["type"].as_str().unwrap_or_default();
        one["status"] == "True" && kind != "NamespaceDeletionContentFailure"
    });
    let said: Vec<&str> = waits.filter_map(|one| one["message"].as_str()).collect();
    match said.is_empty() {
        true => String::new(),
        false => format!(": {}", said.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_namespace_that_is_going_says_what_it_waits_for() {
        let found = json!({"status": {"phase": "Terminating", "conditions": [
            {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "no"},
            {"type": "NamespaceContentRemaining", "status": "True",
             "message": "Some resources are remaining: pods. has 1 resource instances"},
        ]}});
        assert_eq!(
            why_going(&found),
            ": Some resources are remaining: pods. has 1 resource instances"
        );
        assert_eq!(why_going(&json!({})), "");
    }
}
