//! Where the lab of this checkout is: context and namespace as they were when it was set
//! up. `lab.toml` can be changed while there is one, which would leave it behind.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use terms::tr;

use super::site::Site;
use crate::failure::Failure;
use crate::workspace;

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct LabPlace {
    context: String,
    namespace: String,
}

impl LabPlace {
    /// As `lab.toml` says it.
    fn of(site: &Site) -> Self {
        Self {
            context: site.kube.context.clone(),
            namespace: site.namespace().to_owned(),
        }
    }
}

fn file(site: &Site) -> PathBuf {
    site.folder().join("place.json")
}

/// `None` where there is no lab.
fn read(site: &Site) -> Result<Option<LabPlace>> {
    let path = file(site);
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(None);
    };
    serde_json::from_str(&text)
        .with_context(|| format!("reading {}", path.display()))
        .map(Some)
}

/// From here on there is a lab, where `lab.toml` says it.
pub fn remember(site: &Site) -> Result<()> {
    if site.ctx.exec.dry_run() {
        return Ok(());
    }
    let folder = site.folder();
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let text =
        serde_json::to_string(&LabPlace::of(site)).context("spelling out where the lab is")?;
    workspace::write_file(&file(site), &(text + "\n"))
}

/// Refuses where `lab.toml` has come to mean another place than the lab's.
pub fn insist_on_same(site: &Site) -> Result<()> {
    let Some(there) = read(site)? else {
        return Ok(());
    };
    let here = LabPlace::of(site);
    if (&there.context, &there.namespace) == (&here.context, &here.namespace) {
        return Ok(());
    }
    Err(Failure::usage(tr!(
        "the lab is in the namespace {namespace} of {context}, and lab.toml has come to say \
         {other} of {elsewhere}",
        "le lab est dans l'espace de noms {namespace} de {context}, et lab.toml dit désormais \
         {other} de {elsewhere}",
        namespace = there.namespace,
        context = there.context,
        other = here.namespace,
        elsewhere = here.context,
    ))
    .next(tr!(
        "put the former values back, then cargo xtask teardown (cargo xtask export first, to take \
         the data along)",
        "remettez les valeurs précédentes, puis cargo xtask teardown (d'abord cargo xtask export, \
         pour emporter les données)",
    ))
    .into())
}
