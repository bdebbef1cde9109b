//! What the k3d engine needs of this machine.

use std::path::Path;

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
        missing |= found
            .as_ref()
            .is_ok_and(|said| said.contains("will be downloaded"));
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
        Some(version) if version < OLDEST => Err(Failure::preflight(format!(
            "Docker {shown} is older than {OLDEST}, which k3d needs"
        ))
        .next("update Docker: https://docs.docker.com/engine/install/")
        .into()),
        _ => Ok(format!("Docker {shown} answers")),
    }
}

fn enough_memory(info: &Info) -> Result<String> {
    let mib = info.memory / (1 << 20);
    if mib >= NEEDED_MEMORY_MIB {
        return Ok(format!("{mib} MiB"));
    }
    let next = if cfg!(target_os = "macos") {
        "give Docker Desktop more memory: Settings, Resources"
    } else {
        "close what uses memory, or set k3d.agents = 0 in lab.toml"
    };
    Err(Failure::preflight(format!(
        "Docker has {mib} MiB of memory, {NEEDED_MEMORY_MIB} MiB are needed"
    ))
    .next(next)
    .into())
}

/// Docker's folder is on this machine on Linux only.
fn docker_disk(ctx: &Context, info: &Info) -> Check {
    let name = "docker disk";
    let place = Path::new(&info.root);
    if !place.exists() {
        return Check::from(name, Ok("in Docker's own machine".to_owned()));
    }
    let looked = Disk::at(&ctx.exec, place).and_then(|disk| {
        Ok((
            disk,
            enough_disk(&disk, disk::files_left(place)?, &info.root)?,
        ))
    });
    match looked {
        Ok((disk, said)) if disk.percent_free_beside(NEEDED_DISK_MIB) < IMAGES_REMOVED => {
            let risk = format!(
                "{said}; with less than {IMAGES_REMOVED} % free, nodes remove images that no pod \
                 runs at the moment"
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
        format!("{free} MiB free at {place}, {NEEDED_DISK_MIB} MiB are needed")
    } else if share < EVICTION {
        format!(
            "{free} MiB of {} free at {place}: beside the {NEEDED_DISK_MIB} MiB of the lab \
             {share:.1} % would stay, and below {EVICTION} % the nodes evict their pods",
            disk.size
        )
    } else if let Some(files) = files.filter(|files| *files < NEEDED_FILES) {
        format!("room for {files} more files (inodes) at {place}, {NEEDED_FILES} are needed")
    } else {
        return Ok(format!("{free} MiB free at {place}"));
    };
    Err(Failure::preflight(lacks)
        .next("docker system df, and docker system prune to free space")
        .into())
}

/// Packer keeps its plugins there.
fn home_is_writable() -> Result<String> {
    let home = std::env::var_os("HOME").unwrap_or_default();
    let shown = Path::new(&home).display();
    match access(Path::new(&home), AccessFlags::W_OK) {
        Ok(()) => Ok(format!("{shown} is writable")),
        Err(error) => Err(Failure::preflight(format!(
            "HOME is {shown}, which Packer cannot write to: {error}"
        ))
        .next("export HOME=FOLDER, one of yours that can be written")
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
    Err(Failure::preflight(format!(
        "this machine does not have the locale {locale}, which Ansible needs"
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
        return Check::from("inotify", Ok("enough for several nodes".to_owned()));
    }
    Check::advice(
        "inotify",
        "low: nodes may fail with \"too many open files\" (k3s#10020)",
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
                return Err(Failure::preflight(format!(
                    "kubectl {version} is more than one minor version from the cluster's {nodes}"
                ))
                .next("make tools.kubectl and k3d.node_image in lab.toml fit each other")
                .into());
            }
            Ok(format!("{version} ({program})"))
        }
        Found::Missing(why) => {
            let pin = ctx.tools.pin(tool);
            let platform = Platform::here().ok_or_else(|| {
                Failure::preflight(format!("{why}, and none is published for this machine")).next(
                    format!("put {} {} on PATH", tool.name(), pin.version().get_ref()),
                )
            })?;
            Ok(format!(
                "{why}: will be downloaded from {}",
                pin.url(&platform)
            ))
        }
    }
}

fn has_curl() -> Result<String> {
    which::which("curl")
        .map(|path| path.display().to_string())
        .map_err(|_| {
            Failure::preflight("`curl` was not found on PATH: the tools cannot be downloaded")
                .next("install curl, or put the tools of lab.toml on PATH")
                .into()
        })
}

/// One that is not ours is no failure: setup asks whether to adopt it.
fn cluster_is_ours(site: &Site) -> Result<String> {
    let name = site.name;
    Ok(match site.cluster()? {
        None => format!("{name} will be created"),
        Some(cluster) if !cluster.is_running() => format!("{name} is there and does not run"),
        Some(_) => match site.owner()? {
            Owner::Us => format!("{name} runs and is the lab's"),
            other => format!("{name} runs, {other}: setup asks before it takes it over"),
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
        return Err(Failure::preflight(format!(
            "the kubeconfig has a context {name}, but there is no such cluster"
        ))
        .next(format!(
            "kubectl config delete-context {name}, or rename it"
        ))
        .into());
    }
    Ok(match taken {
        true => format!("{name} leads to the cluster"),
        false => format!("{name} is free"),
    })
}
