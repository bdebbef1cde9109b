//! What the k3d engine needs of this machine.

use std::path::Path;
use terms::lang::{both, fixed};
use terms::tr;

use anyhow::Result;
use nix::unistd::{AccessFlags, access};

use super::ownership::Owner;
use super::site::{Blueprint, Site};
use super::{docker, kubeconfig};
use crate::check::Check;
use crate::check::disk::{self, Disk};
use crate::context::Context;
use crate::exec::Cmd;
use crate::exec::environment::LOCALE;
use crate::failure::Failure;
use crate::pins::Platform;
use crate::tools::docker::{Info, OLDEST};
use crate::tools::python;
use crate::tools::toolbox::{self, Found, Tool};

/// What three nodes and the application take, with room to breathe.
const NEEDED_MEMORY_MIB: u64 = 2_000;
/// Node images, the lab's image in Docker and on each node.
const NEEDED_DISK_MIB: u64 = 4_000;
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
            checks.push(Check::from("memory", enough_memory(info)));
            checks.push(docker_disk(ctx, info));
        }
        Err(_) => checks.push(Check::from("docker", info.map(|_| String::new()))),
    }
    if cfg!(target_os = "linux") {
        checks.push(inotify());
    }
    let config = kubeconfig::check().map(|file| file.display().to_string());
    checks.push(Check::from("kubeconfig", config));
    checks.push(Check::from("home", home_is_writable()));
    checks.push(Check::from("locale", locale_is_utf8(ctx)));
    let mut missing = false;
    for tool in toolbox::ALL {
        let found = tool_will_do(ctx, tool);
        missing |= matches!(ctx.tools.find_once(tool), Ok(Found::Missing(_)));
        checks.push(Check::from(tool.name(), found));
    }
    if missing {
        checks.push(Check::from("curl", has_curl()));
    }
    // Asked only where they can answer: not before the tools are there. Every
    // change looks at the same once more.
    if !missing && checks.iter().all(|check| check.ok) {
        let site = Site::new(ctx, Blueprint::pra(ctx));
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

fn enough_memory(info: &Info) -> Result<String> {
    let mib = info.memory / (1 << 20);
    if mib >= NEEDED_MEMORY_MIB {
        return Ok(tr!("{mib} MiB", "{mib} Mio"));
    }
    let next = if cfg!(target_os = "macos") {
        tr!(
            "give Docker Desktop more memory: Settings, Resources",
            "donnez plus de mémoire à Docker Desktop : Settings, Resources",
        )
    } else {
        tr!(
            "close what uses memory, or set k3d.agents = 0 in lab.toml",
            "fermez ce qui prend de la mémoire, ou mettez k3d.agents = 0 dans lab.toml",
        )
    };
    Err(Failure::preflight(tr!(
        "Docker has {mib} MiB of memory, {NEEDED_MEMORY_MIB} MiB are needed",
        "Docker a {mib} Mio de mémoire, il en faut {NEEDED_MEMORY_MIB}",
    ))
    .next(next)
    .into())
}

/// Docker's folder is on this machine on Linux only.
fn docker_disk(ctx: &Context, info: &Info) -> Check {
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
            enough_disk(&disk, disk::files_left(place)?, &info.root)?,
        ))
    });
    match looked {
        Ok((disk, said)) if disk.percent_free_beside(NEEDED_DISK_MIB) < IMAGES_REMOVED => {
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

fn enough_disk(disk: &Disk, files: Option<u64>, place: &str) -> Result<String> {
    let free = disk.free;
    let share = disk.percent_free_beside(NEEDED_DISK_MIB);
    let lacks = if free < NEEDED_DISK_MIB {
        tr!(
            "{free} MiB free at {place}, {NEEDED_DISK_MIB} MiB are needed",
            "{free} Mio libres dans {place}, il en faut {NEEDED_DISK_MIB}",
        )
    } else if share < EVICTION {
        tr!(
            "{free} MiB of {size} free at {place}: beside the {NEEDED_DISK_MIB} MiB of the lab \
             {share} % would stay, and below {EVICTION} % the nodes evict their pods",
            "{free} Mio libres sur {size} dans {place} : outre les {NEEDED_DISK_MIB} Mio du lab \
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

/// Packer keeps its plugins there.
fn home_is_writable() -> Result<String> {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let shown = Path::new(&home).display();
    match access(Path::new(&home), AccessFlags::W_OK) {
        Ok(()) => Ok(tr!(
            "{shown} is writable",
            "{shown} est accessible en écriture"
        )),
        Err(error) => Err(Failure::preflight(tr!(
            "HOME is {shown}, which Packer cannot write to: {error}",
            "HOME est {shown}, où Packer ne peut pas écrire : {error}",
        ))
        .next(tr!(
            "export HOME=FOLDER, one of yours that can be written",
            "export HOME=DOSSIER, l'un des vôtres où l'on peut écrire",
        ))
        .into()),
    }
}

/// Ansible refuses to run in another one, once the cluster is there.
fn locale_is_utf8(ctx: &Context) -> Result<String> {
    const ASK: &str = "import locale; locale.setlocale(locale.LC_ALL, ''); \
                       print(locale.getlocale()[1])";
    let python = python::find(&ctx.exec, ctx.config.python.minimum())?.path;
    let asked = Cmd::new(python.to_string_lossy()).args(["-c", ASK]);
    let output = ctx.exec.probe(&asked)?;
    let (_, locale) = LOCALE;
    if output.status.success() && output.stdout.trim().eq_ignore_ascii_case("utf-8") {
        return Ok(locale.to_owned());
    }
    Err(Failure::preflight(tr!(
        "this machine does not have the locale {locale}, which Ansible needs",
        "cette machine n'a pas la locale {locale}, qu'il faut à Ansible",
    ))
    .next(format!("sudo localedef -i C -f UTF-8 {locale}"))
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

fn tool_will_do(ctx: &Context, tool: Tool) -> Result<String> {
    match ctx.tools.find_once(tool)? {
        Found::Ready { program, version } => {
            let nodes = ctx
                .config
                .k3d
                .kubernetes()
                .filter(|_| tool == Tool::Kubectl);
            if let Some(nodes) = nodes.filter(|nodes| !toolbox::one_apart(*nodes, version)) {
                return Err(Failure::preflight(tr!(
                    "kubectl {version} is more than one minor version from the cluster's {nodes}",
                    "kubectl {version} est à plus d'une version mineure du {nodes} du cluster",
                ))
                .next(tr!(
                    "make tools.kubectl and k3d.node_image in lab.toml fit each other",
                    "accordez tools.kubectl et k3d.node_image dans lab.toml",
                ))
                .into());
            }
            Ok(format!("{version} ({program})"))
        }
        Found::Missing(why) => {
            let pin = ctx.tools.pin(tool);
            let platform = Platform::here().ok_or_else(|| {
                Failure::preflight(tr!(
                    "{why}, and none is published for this machine",
                    "{why}, et aucun n'est publié pour cette machine",
                ))
                .next(tr!(
                    "put {tool} {version} on PATH",
                    "mettez {tool} {version} dans le PATH",
                    tool = tool.name(),
                    version = pin.version().get_ref(),
                ))
            })?;
            Ok(tr!(
                "{why}: will be downloaded from {url}",
                "{why} : sera téléchargé depuis {url}",
                url = pin.url(&platform),
            ))
        }
    }
}

fn has_curl() -> Result<String> {
    which::which("curl")
        .map(|path| path.display().to_string())
        .map_err(|_| {
            Failure::preflight(tr!(
                "`curl` was not found on PATH: the tools cannot be downloaded",
                "`curl` est introuvable dans le PATH : les outils ne peuvent pas être téléchargés",
            ))
            .next(tr!(
                "install curl, or put the tools of lab.toml on PATH",
                "installez curl, ou mettez les outils de lab.toml dans le PATH",
            ))
            .into()
        })
}

/// One that is not ours is no failure: setup asks whether to adopt it.
fn cluster_is_ours(site: &Site) -> Result<String> {
    let name = site.name;
    Ok(match site.cluster()? {
        None => tr!("{name} will be created", "{name} sera créé"),
        Some(cluster) if !cluster.is_running() => tr!(
            "{name} is there and does not run",
            "{name} est là et ne tourne pas",
        ),
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
    if taken && site.cluster()?.is_none() && !site.is_half_deleted()? {
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
        true => tr!("{name} leads to the cluster", "{name} mène au cluster"),
        false => tr!("{name} is free", "{name} est libre"),
    })
}
