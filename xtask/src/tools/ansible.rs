//! Ansible: the playbook's call.

use std::path::Path;

use serde_json::json;

use crate::exec::Cmd;
use crate::wait;

/// Deploys on the cluster of that context. Inventory and configuration are
/// named, so that nothing of the machine's own comes in; what Ansible writes
/// goes to `home`, since the person's own may be read-only. `manifests` is
/// another folder than the playbook's own; `kubectl` the one to use, where the playbook
/// needs it.
pub fn playbook(
    program: Cmd,
    playbook: &Path,
    context: &str,
    manifests: Option<&Path>,
    kubectl: Option<&str>,
    home: &Path,
) -> Cmd {
    // As JSON: a path may have spaces.
    let other = manifests.map(|folder| json!({"manifests": folder}).to_string());
    let kubectl = kubectl.map(|program| json!({"kubectl": program}).to_string());
    let others = other.iter().chain(&kubectl);
    program
        .args(["-i", "localhost,", "-e", &format!("kube_context={context}")])
        .args(others.flat_map(|other| ["-e", other]))
        .args([playbook.to_string_lossy()])
        .env("ANSIBLE_CONFIG", beside(playbook, "ansible.cfg"))
        .env("ANSIBLE_HOME", home.to_string_lossy())
        .env("ANSIBLE_REMOTE_TMP", home.join("tmp").to_string_lossy())
        .env("ANSIBLE_NOCOLOR", "1")
        .env("ANSIBLE_LOCALHOST_WARNING", "false")
        .limit(wait::PLAYBOOK)
}

fn beside(playbook: &Path, name: &str) -> String {
    playbook.with_file_name(name).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_playbook_is_told_its_context() {
        let cmd = playbook(
            Cmd::new("ansible-playbook"),
            Path::new("ansible/playbook.yml"),
            "k3d-pra",
            None,
            None,
            Path::new(".lab/home"),
        );
        assert_eq!(
            cmd.to_string(),
            "ANSIBLE_CONFIG=ansible/ansible.cfg ANSIBLE_HOME=.lab/home \
             ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_NOCOLOR=1 \
             ANSIBLE_REMOTE_TMP=.lab/home/tmp ansible-playbook -i localhost, \
             -e kube_context=k3d-pra ansible/playbook.yml"
        );
        let other = playbook(
            Cmd::new("ansible-playbook"),
            Path::new("p.yml"),
            "k3d-pra",
            Some(Path::new("/a b")),
            Some("/k l"),
            Path::new("/home"),
        );
        let other = other.to_string();
        assert!(
            other.contains(r#"-e '{"manifests":"/a b"}' -e '{"kubectl":"/k l"}' p.yml"#),
            "{other}"
        );
    }
}
