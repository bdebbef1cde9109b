//! From a pod of the manifests to a process of this machine: program,
//! arguments, environment, folders.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::exec::Cmd;
use crate::exec::environment::LOCALE;
use crate::manifests::declared::Manifests;
use crate::manifests::model::PodSpec;
use crate::tools::python;
use crate::workspace::Workspace;

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
    workspace: &Workspace,
    manifests: &Manifests,
    pod: &PodSpec,
    name: &str,
    set: &[(String, String)],
) -> Launch {
    let container = pod.container();
    let mounts = mounts(workspace, pod, name);
    let mut env = base_environment(workspace);
    let declared = manifests.settings(pod).into_iter();
    for (key, value) in declared.chain(set.iter().cloned()) {
        env.insert(key, relocate(&value, &mounts));
    }
    if let Some(dir) = mounts.get("/tmp") {
        env.insert("TMPDIR".to_owned(), dir.display().to_string());
    }
    let words = container.command.iter().chain(&container.args);
    let words: Vec<String> = words.map(|word| relocate(word, &mounts)).collect();
    let cmd = Cmd::new(resolve(workspace, &words[0])).args(&words[1..]);
    let own = paths::pods(workspace).join(name);
    Launch {
        // What an image would hold as its working folder.
        cmd: cmd.envs(&env).only_env().cwd(workspace.root.join("app")),
        scratch: mounts
            .into_values()
            .filter(|dir| dir.starts_with(&own))
            .collect(),
    }
}

/// `python` is the one of the lab's own environment, wherever PATH leads.
fn resolve(workspace: &Workspace, program: &str) -> String {
    let own = workspace.venv().join("bin").join(program);
    if !program.contains('/') && own.is_file() {
        return own.display().to_string();
    }
    program.to_owned()
}

fn base_environment(workspace: &Workspace) -> BTreeMap<String, String> {
    let inherited = INHERITED
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), std::env::var(key).ok()?)));
    let mut env: BTreeMap<String, String> = inherited.collect();
    let (name, value) = LOCALE;
    env.insert(name.to_owned(), value.to_owned());
    let system = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
    let own = workspace.venv().join("bin");
    env.insert("PATH".to_owned(), format!("{}:{system}", own.display()));
    env.extend(python::compiled(workspace));
    // Logs appear when they are written.
    env.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
    env.insert("HOST".to_owned(), "127.0.0.1".to_owned());
    env
}

/// Mount paths and the folders that stand for them.
type Mounts = BTreeMap<String, PathBuf>;

fn mounts(workspace: &Workspace, pod: &PodSpec, name: &str) -> Mounts {
    let mut mounts = Mounts::new();
    for mount in &pod.container().volume_mounts {
        let mut volumes = pod.volumes.iter();
        let volume = volumes.find(|volume| volume.name == mount.name);
        let claim = volume.and_then(|volume| volume.persistent_volume_claim.as_ref());
        let dir = match claim {
            Some(claim) => workspace.volumes().join(&claim.claim_name),
            None => paths::pods(workspace).join(name).join(&mount.name),
        };
        mounts.insert(mount.mount_path.clone(), dir);
    }
    mounts
}

/// Replaces a mount path at the beginning of a text by the folder that stands
/// for it: of `/data` and `/data/app.db`, not of `/database`.
fn relocate(text: &str, mounts: &Mounts) -> String {
    // Backwards, so that a mount inside of another one comes first.
    for (path, dir) in mounts.iter().rev() {
        match text.strip_prefix(path.as_str()) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                return format!("{}{rest}", dir.display());
            }
            _ => {}
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_paths_move_only_as_whole_paths() {
        let mounts = Mounts::from([
            ("/data/old".to_owned(), PathBuf::from("/lab/old")),
            ("/data".to_owned(), PathBuf::from("/lab/pra-data")),
        ]);
        for (text, moved) in [
            ("/data", "/lab/pra-data"),
            ("/data/app.db", "/lab/pra-data/app.db"),
            ("/data/old/a", "/lab/old/a"),
            ("/database", "/database"),
            ("/srv/data", "/srv/data"),
        ] {
            assert_eq!(relocate(text, &mounts), moved, "{text}");
        }
    }

    #[test]
    fn the_projects_deployment_gets_its_folders_and_its_own_port() {
        let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let workspace = Workspace::at(root);
        let manifests = crate::manifests::load(&workspace.root).unwrap();
        let set = [("PORT".to_owned(), "4711".to_owned())];
        let launch = launch(&workspace, &manifests, manifests.replica(), "flask-1", &set);
        let data = workspace.volumes().join("pra-data");
        assert_eq!(launch.cmd.env["PRA_DATA_DIR"], data.display().to_string());
        assert_eq!(launch.cmd.env["PORT"], "4711");
        assert_eq!(launch.cmd.args, ["-m", "pra", "serve"]);
        assert!(launch.cmd.env["TMPDIR"].ends_with("state/pods/flask-1/tmp"));
        assert_eq!(launch.scratch, [PathBuf::from(&launch.cmd.env["TMPDIR"])]);
    }
}
