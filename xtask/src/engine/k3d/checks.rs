//! What the k3d engine needs of this machine.

use std::path::Path;
use terms::lang::{both, fixed};
use terms::{LabName, tr};

use anyhow::Result;

use super::kubeconfig;
use super::site::{Blueprint, Site};
use crate::check::Check;
use crate::check::disk::{self, Disk};
use crate::context::Context;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::kube::image::docker;
use crate::kube::machine;
use crate::kube::ownership::Owner;
use crate::tools::docker::{Info, OLDEST};
use crate::tools::toolbox::{self, Found};

/// What a lab takes of Docker's machine, with room to breathe.
struct Needs {
    memory_mib: u64,
    /// Node images, the lab's image in Docker and on each node, and what the nodes pull.
    disk_mib: u64,
    cores: u32,
}

/// Three nodes, and the application.
const OF_ONE_SERVER: Needs = Needs {
    memory_mib: 2_000,
    disk_mib: 4_000,
    cores: 1,
};
/// Each of them with a control plane, and an instance of the database.
const OF_THREE_SERVERS: Needs = Needs {
    memory_mib: 4_000,
    disk_mib: 8_000,
    cores: 2,
};

impl Needs {
    fn of(lab: LabName) -> &'static Self {
        match lab {
            LabName::Ha => &OF_THREE_SERVERS,
            LabName::Pra | LabName::Image => &OF_ONE_SERVER,
        }
    }
}

/// Layers of images and Ansible's collections are many small files.
const NEEDED_FILES: u64 = 100_000;
/// Of Docker's disk, in percent, as k3s starts its kubelets: with less free
/// space a node evicts its pods and takes no new ones.
const EVICTION: f64 = 5.0;
/// With less, it removes images that no pod runs at the moment.
const IMAGES_REMOVED: f64 = 15.0;
/// Below this, clusters of several nodes fail with "too many open files".
const INOTIFY: [(&str, u64); 2] = [
    ("fs.inotify.max_user_instances", 256),
    ("fs.inotify.max_user_watches", 65_536),
];

/// All of them at once; nothing is changed.
pub fn all(ctx: &Context) -> Vec<Check> {
    let info = docker::insist(ctx);
    let mut checks = Vec::new();
    match &info {
        Ok(info) => {
            checks.push(Check::from("docker", recent_enough(info)));
            let needs = Needs::of(ctx.options.lab);
            checks.push(Check::from("memory", enough_memory(info, needs)));
            checks
                .extend((needs.cores > 1).then(|| Check::from("cores", enough_cores(info, needs))));
            checks.push(docker_disk(ctx, info, needs));
        }
        Err(_) => checks.push(Check::from("docker", info.map(|_| String::new()))),
    }
    if cfg!(target_os = "linux") {
        checks.push(inotify());
    }
    let config = kubeconfig::check().map(|file| file.display().to_string());
    checks.push(Check::from("kubeconfig", config));
    checks.push(Check::from("home", machine::home_is_writable()));
    checks.push(Check::from("locale", machine::locale_is_utf8(ctx)));
    let mut missing = false;
    for tool in toolbox::ALL {
        let found = machine::tool_will_do(ctx, tool, ctx.config.k3d.kubernetes());
        missing |= matches!(ctx.tools.find_once(tool), Ok(Found::Missing(_)));
        checks.push(Check::from(tool.name(), found));
    }
    if missing {
        checks.push(Check::from("curl", machine::has_curl()));
    }
    // Asked only where they can answer: not before the tools are there. Every
    // change looks at the same once more.
    if !missing && checks.iter().all(|check| check.ok) {
        let site = Site::new(ctx, Blueprint::of(ctx));
        checks.push(Check::from("cluster", cluster_is_ours(&site)));
        checks.push(Check::from("context", context_is_ours(&site)));
    }
    checks
}

fn recent_enough(info: &Info) -> Result<String> {
    let shown = info.shown_version();
    match info.version() {
        Some(version) if version < OLDEST => Err(Failure::preflight(tr!(
            "Docker {shown} is older than {OLDEST}, which k3d needs",
            "Docker {shown} est plus ancien que {OLDEST}, qu'il faut à k3d",
        ))
        .next(tr!(
            "update Docker: https://docs.docker.com/engine/install/",
            "mettez Docker à jour : https://docs.docker.com/engine/install/",
        ))
        .into()),
        _ => Ok(tr!("Docker {shown} answers", "Docker {shown} répond")),
    }
}

fn enough_cores(info: &Info, needs: &Needs) -> Result<String> {
    let (cores, needed) = (info.cores, needs.cores);
    if cores >= needed {
        return Ok(cores.to_string());
    }
    Err(Failure::preflight(tr!(
        "Docker has {cores} cores, {needed} are needed",
        "Docker a {cores} cœurs, il en faut {needed}",
    ))
    .next(tr!(
        "use a machine that has more, or give Docker Desktop more: Settings, Resources",
        "prenez une machine qui en a plus, ou donnez-en plus à Docker Desktop : Settings, Resources",
    ))
    .into())
}

fn enough_memory(info: &Info, needs: &Needs) -> Result<String> {
    let mib = info.memory / (1 << 20);
    let needed = needs.memory_mib;
    if mib >= needed {
        return Ok(tr!("{mib} MiB", "{mib} Mio"));
    }
    let next = if cfg!(target_os = "macos") {
        tr!(
            "give Docker Desktop more memory: Settings, Resources",
            "donnez plus de mémoire à Docker Desktop : Settings, Resources",
        )
    } else if needs.cores > 1 {
        tr!(
            "close what uses memory: three servers take more than one",
            "fermez ce qui prend de la mémoire : trois serveurs en prennent plus qu'un",
        )
    } else {
        tr!(
            "close what uses memory, or set k3d.agents = 0 in lab.toml",
            "fermez ce qui prend de la mémoire, ou mettez k3d.agents = 0 dans lab.toml",
        )
    };
    Err(Failure::preflight(tr!(
        "Docker has {mib} MiB of memory, {needed} MiB are needed",
        "Docker a {mib} Mio de mémoire, il en faut {needed}",
    ))
    .next(next)
    .into())
}

/// Docker's folder is on this machine on Linux only.
fn docker_disk(ctx: &Context, info: &Info, needs: &Needs) -> Check {
    let name = "docker disk";
    let place = Path::new(&info.root);
    if !place.exists() {
        return Check::from(
            name,
            Ok(tr!(
                "in Docker's own machine",
                "dans la machine propre à Docker",
            )),
        );
    }
    let looked = Disk::at(&ctx.exec, place).and_then(|disk| {
        Ok((
            disk,
            enough_disk(&disk, disk::files_left(place)?, &info.root, needs)?,
        ))
    });
    match looked {
        Ok((disk, said)) if disk.percent_free_beside(needs.disk_mib) < IMAGES_REMOVED => {
            let risk = tr!(
                "{said}; with less than {IMAGES_REMOVED} % free, nodes remove images that no pod \
                 runs at the moment",
                "{said} ; à moins de {IMAGES_REMOVED} % libres, les nœuds suppriment les images \
                 qu'aucun pod n'exécute",
            );
            Check::advice(name, risk, "docker system prune".to_owned())
        }
        other => Check::from(name, other.map(|(_, said)| said)),
    }
}

fn enough_disk(disk: &Disk, files: Option<u64>, place: &str, needs: &Needs) -> Result<String> {
    let (free, needed) = (disk.free, needs.disk_mib);
    let share = disk.percent_free_beside(needs.disk_mib);
    let lacks = if free < needed {
        tr!(
            "{free} MiB free at {place}, {needed} MiB are needed",
            "{free} Mio libres dans {place}, il en faut {needed}",
        )
    } else if share < EVICTION {
        tr!(
            "{free} MiB of {size} free at {place}: beside the {needed} MiB of the lab \
             {share} % would stay, and below {EVICTION} % the nodes evict their pods",
            "{free} Mio libres sur {size} dans {place} : outre les {needed} Mio du lab \
             il resterait {share} %, et sous {EVICTION} % les nœuds expulsent leurs pods",
            size = disk.size,
            share = fixed(share, 1),
        )
    } else if let Some(files) = files.filter(|files| *files < NEEDED_FILES) {
        tr!(
            "room for {files} more files (inodes) at {place}, {NEEDED_FILES} are needed",
            "place pour {files} fichiers (inodes) dans {place}, il en faut {NEEDED_FILES}",
        )
    } else {
        return Ok(tr!(
            "{free} MiB free at {place}",
            "{free} Mio libres dans {place}"
        ));
    };
    Err(Failure::preflight(lacks)
        .next(tr!(
            "docker system df, and docker system prune to free space",
            "docker system df, et docker system prune pour libérer de la place",
        ))
        .into())
}

/// Many machines work with less, so this is advice.
fn inotify() -> Check {
    let low = INOTIFY.iter().filter(|(name, wanted)| {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.trim()
            .parse::<u64>()
            .is_ok_and(|found| found < *wanted)
    });
    let repairs: Vec<String> = low
        .map(|(name, wanted)| format!("{name}={}", wanted * 2))
        .collect();
    if repairs.is_empty() {
        return Check::from(
            "inotify",
            Ok(tr!(
                "enough for several nodes",
                "suffisant pour plusieurs nœuds",
            )),
        );
    }
    Check::advice(
        "inotify",
        both(
            "low: nodes may fail with \"too many open files\" (k3s#10020)",
            "bas : des nœuds peuvent échouer avec « too many open files » (k3s#10020)",
        ),
        format!("sudo sysctl {}", repairs.join(" ")),
    )
}

/// One that is not ours is no failure: setup asks whether to adopt it.
fn cluster_is_ours(site: &Site) -> Result<String> {
    let name = site.name;
    Ok(match site.cluster()? {
        None => tr!("{name} will be created", "{name} sera créé"),
        Some(cluster) if !cluster.is_running() => match site.presumed_owner()? {
            Owner::Us => tr!(
                "{name} is there and does not run",
                "{name} est là et ne tourne pas",
            ),
            other => tr!(
                "{name} is there and does not run, {other}: setup asks before it starts it",
                "{name} est là et ne tourne pas, {other} : setup demande avant de le démarrer",
            ),
        },
        Some(_) => match site.owner()? {
            Owner::Us => tr!(
                "{name} runs and is the lab's",
                "{name} tourne et appartient au lab"
            ),
            other => tr!(
                "{name} runs, {other}: setup asks before it takes it over",
                "{name} tourne, {other} : setup demande avant de le reprendre",
            ),
        },
    })
}

/// A context of our name without our cluster would be written over.
fn context_is_ours(site: &Site) -> Result<String> {
    let kubectl = site.kube.kubectl()?;
    let cmd = Cmd::new(&kubectl.program).args(["config", "get-contexts", "-o", "name"]);
    let names = site.ctx.exec.read(&cmd)?;
    let name = &site.kube.context;
    let taken = names.lines().any(|line| line.trim() == name);
    let there = site.cluster()?.is_some();
    if taken && !there && !site.is_half_deleted()? {
        return Err(Failure::preflight(tr!(
            "the kubeconfig has a context {name}, but there is no such cluster",
            "le kubeconfig a un contexte {name}, mais il n'y a pas de tel cluster",
        ))
        .next(tr!(
            "kubectl config delete-context {name}, or rename it",
            "kubectl config delete-context {name}, ou renommez-le",
        ))
        .into());
    }
    Ok(match taken {
        true if there && site.likely_owner()? != Owner::Us => tr!(
            "{name} leads to a cluster that is not the lab's",
            "{name} mène à un cluster qui n'est pas celui du lab",
        ),
        true => tr!("{name} leads to the cluster", "{name} mène au cluster"),
        false => tr!("{name} is free", "{name} est libre"),
    })
}
