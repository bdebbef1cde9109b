//! From a pod of the manifests to a process of this machine: program,
//! arguments, environment, folders.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::exec::Cmd;
use crate::exec::environment::LOCALE;
use crate::lab::Lab;
use crate::manifests::declared::Manifests;
use crate::manifests::model::PodSpec;

use super::paths;

/// Everything that starting a pod needs to know.
#[derive(Clone, Debug)]
pub struct Launch {
    pub cmd: Cmd,
    /// Folders of the pod's own, made with it and removed with it.
    pub scratch: Vec<PathBuf>,
}

/// Variables of the person's own environment that a pod gets: without them
/// programs do not start. Everything else stays outside, as it does with a
/// container.
const INHERITED: &[&str] = &["HOME", "USER", "LOGNAME"];

/// How pod `name` is started; `set` are values that win over the manifest's.
pub fn launch(
    lab: &Lab,
    manifests: &Manifests,
    pod: &PodSpec,
    name: &str,
    set: &[(String, String)],
) -> Launch {
    let container = pod.container();
    let mounts = mounts(lab, pod, name);
    let mut env = base_environment(lab);
    let mut declared = settings(manifests, pod);
    declared.extend(set.iter().cloned());
    let local = |text: &String| relocate(&expand(text, &declared), &mounts);
    env.extend(
        declared
            .iter()
            .map(|(key, value)| (key.clone(), relocate(value, &mounts))),
    );
    if let Some((_, dir)) = mounts.iter().find(|(path, _)| path == "/tmp") {
        env.insert("TMPDIR".to_owned(), dir.display().to_string());
    }
    let words: Vec<String> = container
        .command
        .iter()
        .chain(&container.args)
        .map(local)
        .collect();
    let cwd = container.working_dir.as_ref().map_or_else(
        || application(lab),
        |dir| PathBuf::from(relocate(dir, &mounts)),
    );
    let (program, args) = words
        .split_first()
        .map_or((String::new(), &[][..]), |(first, rest)| {
            (resolve(lab, first), rest)
        });
    let cmd = Cmd::new(program).args(args).envs(&env).only_env().cwd(cwd);
    Launch {
        cmd,
        scratch: scratch(lab, pod, name),
    }
}

/// What the manifests set for a pod.
pub fn settings(manifests: &Manifests, pod: &PodSpec) -> BTreeMap<String, String> {
    let mut declared = BTreeMap::new();
    for (key, value) in manifests.environment(pod) {
        // Kubernetes expands $(NAME) from what was set before.
        let value = expand(&value, &declared);
        declared.insert(key, value);
    }
    declared
}

/// What an image would hold as its working folder.
fn application(lab: &Lab) -> PathBuf {
    let app = lab.root.join("app");
    if app.is_dir() { app } else { lab.root.clone() }
}

/// `python` is the one of the lab's own environment, wherever PATH leads.
fn resolve(lab: &Lab, program: &str) -> String {
    let own = lab.venv().join("bin").join(program);
    if !program.contains('/') && own.is_file() {
        return own.display().to_string();
    }
    program.to_owned()
}

/// The program of the pods, and where it has to be, where that is known.
pub fn required_program(lab: &Lab, manifests: &Manifests) -> Option<PathBuf> {
    let program = &manifests.deployment.spec.template.spec.container().command[0];
    (program == "python").then(|| lab.venv().join("bin/python"))
}

fn base_environment(lab: &Lab) -> BTreeMap<String, String> {
    let inherited = INHERITED
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), std::env::var(key).ok()?)));
    let mut env: BTreeMap<String, String> = inherited.collect();
    let (name, value) = LOCALE;
    env.insert(name.to_owned(), value.to_owned());
    env.insert("PATH".to_owned(), search_path(lab));
    // The checkout stays as it is, and a start does not compile what the last
    // one has compiled: that is a third of the time to the first answer.
    let compiled = lab.home().join("pycache");
    env.insert(
        "PYTHONPYCACHEPREFIX".to_owned(),
        compiled.display().to_string(),
    );
    // Logs appear when they are written.
    env.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
    env.insert("HOST".to_owned(), "127.0.0.1".to_owned());
    env
}

/// The lab's own programs first. What is no text cannot be named in a manifest.
fn search_path(lab: &Lab) -> String {
    let system = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let own = lab.venv().join("bin");
    let all = std::iter::once(own).chain(std::env::split_paths(&system));
    let texts: Vec<String> = all
        .filter_map(|path| Some(path.to_str()?.to_owned()))
        .collect();
    texts.join(":")
}

type Mounts = Vec<(String, PathBuf)>;

/// Mount paths and the folders that stand for them, the longest path first.
fn mounts(lab: &Lab, pod: &PodSpec, name: &str) -> Mounts {
    let mut mounts: Mounts = pod
        .container()
        .volume_mounts
        .iter()
        .filter_map(|mount| {
            let volume = pod
                .volumes
                .iter()
                .find(|volume| volume.name == mount.name)?;
            let dir = match &volume.persistent_volume_claim {
                Some(claim) => lab.volumes().join(&claim.claim_name),
                None => paths::pods(lab).join(name).join(&volume.name),
            };
            Some((mount.mount_path.trim_end_matches('/').to_owned(), dir))
        })
        .collect();
    mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    mounts
}

fn scratch(lab: &Lab, pod: &PodSpec, name: &str) -> Vec<PathBuf> {
    let own = paths::pods(lab).join(name);
    let volumes = pod
        .volumes
        .iter()
        .filter(|volume| volume.empty_dir.is_some());
    volumes.map(|volume| own.join(&volume.name)).collect()
}

/// Replaces mount paths by the folders that stand for them, where they stand
/// as whole paths: `/data` and `/data/app.db`, not `/database`.
fn relocate(text: &str, mounts: &Mounts) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        let hit = mounts
            .iter()
            .find(|(path, _)| stands_alone(before, rest, path));
        if let Some((path, dir)) = hit {
            out.push_str(&dir.to_string_lossy());
            rest = &rest[path.len()..];
            before = path.chars().last();
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            before = Some(c);
        }
    }
    out
}

fn stands_alone(before: Option<char>, rest: &str, path: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let begins = before.is_none_or(|c| !part_of_name(c) && c != '/');
    let after = rest.strip_prefix(path).map(|after| after.chars().next());
    begins && after.is_some_and(|next| next.is_none_or(|c| !part_of_name(c)))
}

/// Kubernetes' own expansion: `$(NAME)` where NAME is known, `$$` for `$`.
fn expand(text: &str, env: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let name = rest
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(')'));
        match name.and_then(|(name, after)| Some((env.get(name)?, after))) {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => out.push('$'),
        }
    }
    out + rest
}

/// Whether a folder stands for a claim: a symbolic link does not, since it
/// would lead what is written (and deleted) elsewhere.
pub fn is_volume(dir: &Path) -> bool {
    dir.symlink_metadata().is_ok_and(|found| found.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_paths_move_only_as_whole_paths() {
        let mounts = vec![
            ("/data/old".to_owned(), PathBuf::from("/lab/old")),
            ("/data".to_owned(), PathBuf::from("/lab/volumes/pra-data")),
        ];
        for (text, moved) in [
            ("/data", "/lab/volumes/pra-data"),
            ("/data/app.db", "/lab/volumes/pra-data/app.db"),
            ("--db=/data/app.db", "--db=/lab/volumes/pra-data/app.db"),
            (
                "cp /data/old/a /data",
                "cp /lab/old/a /lab/volumes/pra-data",
            ),
            ("/database", "/database"),
            ("/srv/data", "/srv/data"),
            ("/data.bak", "/data.bak"),
        ] {
            assert_eq!(relocate(text, &mounts), moved, "{text}");
        }
    }

    #[test]
    fn variables_expand_as_kubernetes_does() {
        let env = BTreeMap::from([("A".to_owned(), "x".to_owned())]);
        for (text, expanded) in [
            ("$(A)-$(B)", "x-$(B)"),
            ("$$(A) $A", "$(A) $A"),
            ("100$", "100$"),
        ] {
            assert_eq!(expand(text, &env), expanded, "{text}");
        }
    }

    #[test]
    fn the_projects_deployment_gets_its_folders_and_its_own_port() {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let lab = Lab { root };
        let manifests = crate::manifests::load(&lab.root).unwrap();
        let pod = &manifests.deployment.spec.template.spec;
        let set = [("PORT".to_owned(), "4711".to_owned())];
        let launch = launch(&lab, &manifests, pod, "flask-1", &set);
        let data = lab.volumes().join("pra-data");
        assert_eq!(launch.cmd.env["PRA_DATA_DIR"], data.display().to_string());
        assert_eq!(launch.cmd.env["PORT"], "4711");
        assert_eq!(launch.cmd.args, ["-m", "pra", "serve"]);
        assert!(launch.cmd.env["TMPDIR"].ends_with("state/pods/flask-1/tmp"));
    }
}
