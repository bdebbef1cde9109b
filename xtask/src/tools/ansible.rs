//! Ansible: the playbook's call.

use std::path::Path;

use serde_json::json;

use crate::exec::Cmd;
use crate::wait;

/// Deploys on the cluster of that context. The inventory is named, so that
/// nothing of the machine's own configuration comes in. `manifests` is another
/// folder than the playbook's own.
pub fn playbook(program: Cmd, playbook: &Path, context: &str, manifests: Option<&Path>) -> Cmd {
    // As JSON: a path may have spaces.
    let other = manifests.map(|folder| json!({"manifests": folder}).to_string());
    program
        .args(["-i", "localhost,", "-e", &format!("kube_context={context}")])
        .args(other.iter().flat_map(|other| ["-e", other]))
        .args([playbook.to_string_lossy()])
        .env("ANSIBLE_NOCOLOR", "1")
        .env("ANSIBLE_LOCALHOST_WARNING", "false")
        .limit(wait::PLAYBOOK)
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
        );
        assert_eq!(
            cmd.to_string(),
            "ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_NOCOLOR=1 ansible-playbook -i localhost, \
             -e kube_context=k3d-pra ansible/playbook.yml"
        );
        let other = playbook(
            Cmd::new("ansible-playbook"),
            Path::new("p.yml"),
            "k3d-pra",
            Some(Path::new("/a b")),
        );
        let other = other.to_string();
        assert!(
            other.contains(r#"-e '{"manifests":"/a b"}' p.yml"#),
            "{other}"
        );
    }
}
