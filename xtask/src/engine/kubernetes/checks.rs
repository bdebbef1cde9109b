//! What the lab needs of this machine and of the cluster, looked at before anything is made.

use anyhow::{Context as _, Result};
use terms::tr;

use super::namespace::Namespace;
use super::refused;
use super::site::{Site, TOOLS};
use crate::check::Check;
use crate::failure::Failure;
use crate::kube::image::docker;
use crate::kube::machine;
use crate::tools::kubectl;
use crate::tools::toolbox::{Found, one_apart};
use crate::version::Version;

/// All of them; nothing is changed.
pub fn all(site: &Site) -> Vec<Check> {
    let ctx = &site.ctx;
    let mut checks = vec![
        Check::from("home", machine::home_is_writable()),
        Check::from("locale", machine::locale_is_utf8(ctx)),
    ];
    for tool in TOOLS {
        let found = machine::tool_will_do(ctx, tool, None);
        checks.push(Check::from(tool.name(), found));
    }
    if lacks_tools(site) {
        checks.push(Check::from("curl", machine::has_curl()));
        return checks;
    }
    checks.push(Check::from("docker", docker_where_needed(site)));
    checks.extend(of_cluster(site));
    checks
}

/// Asked only where they can answer: not before the first setup.
pub fn lacks_tools(site: &Site) -> bool {
    let missing = |tool| matches!(site.ctx.tools.find_once(tool), Ok(Found::Missing(_)));
    TOOLS.into_iter().any(missing)
}

/// Only an image that the registry was not given yet has to be built.
fn docker_where_needed(site: &Site) -> Result<String> {
    let pushed = site
        .images
        .pushed_of_inputs(site.settings(), &site.folder());
    if let Ok(Some(pushed)) = pushed {
        return Ok(tr!(
            "not needed: the registry was given {image}",
            "pas nécessaire : le registre a reçu {image}",
            image = pushed.reference,
        ));
    }
    let info = docker::insist(&site.ctx)?;
    Ok(tr!(
        "Docker {version} answers",
        "Docker {version} répond",
        version = info.shown_version(),
    ))
}

/// One after the other: without an answer there is nothing more to ask.
fn of_cluster(site: &Site) -> Vec<Check> {
    let server = Check::from("cluster", server(site));
    if !server.ok {
        return vec![server];
    }
    let mut checks = vec![server];
    let state = site.namespace_state();
    let there = matches!(state, Ok(Namespace::There { .. }));
    checks.push(Check::from(
        "namespace",
        state.and_then(|state| told(site, state)),
    ));
    if there {
        checks.push(Check::from("names", site.insist_on_no_strangers()));
    }
    checks.push(Check::from("rights", site.rights()));
    if site.is_replicated() && checks.iter().all(|check| check.ok) {
        checks.push(site.nodes());
        checks.push(Check::from("operator", site.operator_told()));
        checks.extend(site.dns().ok().flatten());
    }
    checks.push(site.storage());
    checks.push(Check::from("volumes", volumes(site)));
    if !site.settings().pull_secret.is_empty() && there {
        checks.push(Check::from("pull secret", pull_secret(site)));
    }
    if there && checks.iter().all(|check| check.ok) {
        checks.push(Check::from("quota", site.quota()));
        checks.push(Check::from("admission", site.admission()));
    }
    checks
}

fn server(site: &Site) -> Result<String> {
    let cmd = site.kube.kubectl()?.cmd(kubectl::GET_VERSIONS);
    let output = site.ctx.exec.probe(&cmd)?;
    let versions = kubectl::versions(&output.stdout);
    let of = |name: &str| {
        let found = versions.iter().find(|(known, _)| known == name);
        found.and_then(|(_, version)| Version::find(version))
    };
    let Some(server) = of("kubernetes") else {
        return Err(site.unreachable(&output.stderr).into());
    };
    let kubectl = of("kubectl").context("kubectl does not say its version")?;
    let context = &site.kube.context;
    if one_apart(kubectl, server) {
        return Ok(tr!(
            "{context} answers: Kubernetes {server}",
            "{context} répond : Kubernetes {server}",
        ));
    }
    Err(Failure::preflight(tr!(
        "kubectl {kubectl} is more than one minor version from the {server} of {context}",
        "kubectl {kubectl} est à plus d'une version mineure du {server} de {context}",
    ))
    .next(tr!(
        "set tools.kubectl in lab.toml to a version that fits, without its checksums",
        "mettez dans lab.toml, tools.kubectl, une version qui convient, sans ses empreintes",
    ))
    .into())
}

fn told(site: &Site, state: Namespace) -> Result<String> {
    let name = site.namespace();
    Ok(match state {
        Namespace::Missing if site.may("create", "namespaces")? => {
            tr!("{name} will be created", "{name} sera créé")
        }
        Namespace::Missing => return Err(site.no_namespace().into()),
        Namespace::Going(why) => return Err(site.going(&why).into()),
        Namespace::There { owner, .. } => tr!("{name} is there, {owner}", "{name} est là, {owner}"),
    })
}

fn volumes(site: &Site) -> Result<String> {
    let get = ["get", "persistentvolumes", "-o", "name"];
    let output = site.ctx.exec.probe(&site.kube.kubectl()?.cmd(get))?;
    Ok(match output.status.success() {
        true => tr!(
            "this account sees where they are",
            "ce compte voit où ils se trouvent",
        ),
        false => tr!(
            "this account may not look at them: where they are, and whether they are removed with \
             their claims, is not known",
            "ce compte n'a pas le droit de les voir : on ne sait ni où ils se trouvent, ni s'ils \
             sont supprimés avec leurs demandes",
        ),
    })
}

fn pull_secret(site: &Site) -> Result<String> {
    let name = &site.settings().pull_secret;
    let get = ["get", "secret", name, "-o", "jsonpath={.type}"];
    let output = site.ctx.exec.probe(&site.kube.kubectl()?.cmd(get))?;
    let kind = output.stdout.trim();
    if output.status.success() && kind.starts_with("kubernetes.io/dockerconfig") {
        return Ok(tr!("{name} is there", "{name} est là"));
    }
    if refused::is_forbidden(&output.stderr) {
        return Ok(tr!(
            "{name}; whether it is there cannot be seen with this account",
            "{name} ; ce compte ne permet pas de voir s'il est là",
        ));
    }
    let said = match output.status.success() {
        true => tr!(
            "the secret {name} is of the type {kind}, which no image is pulled with",
            "le secret {name} est du type {kind}, avec lequel aucune image n'est tirée",
        ),
        false => tr!(
            "there is no secret {name}, which kubernetes.pull_secret names",
            "il n'y a pas de secret {name}, que nomme kubernetes.pull_secret",
        ),
    };
    Err(Failure::preflight(said)
        .next(site.kube.how_to_make_a_pull_secret())
        .into())
}

/// Fails on the first thing that the cluster lacks, for a setup that could not ask before.
pub fn insist_on_cluster(site: &Site) -> Result<()> {
    let failed = of_cluster(site).into_iter().find(|check| !check.ok);
    let Some(check) = failed else {
        return Ok(());
    };
    let failure = Failure::preflight(tr!(
        "{name}: {found}",
        "{name} : {found}",
        name = check.label(),
        found = check.found,
    ));
    Err(match check.next {
        Some(next) => failure.next(next).into(),
        None => failure.into(),
    })
}

/// Fails where a namespace that was only just made would refuse what the lab is made of.
pub fn insist_on_admission(site: &Site) -> Result<()> {
    site.quota()?;
    site.admission().map(drop)
}
