//! What external commands get of the person's environment, in one place: all
//! of it but what would make them do something else than the lab asks, and a
//! locale and exceptions from a proxy that the lab relies on. What a network
//! needs (package index, proxies, certificates, `KUBECONFIG`, `DOCKER_HOST`)
//! stays as it is.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// The locale of every command: Ansible runs in no other than UTF-8, and what
/// tools say is looked at in English.
pub const LOCALE: (&str, &str) = (
    "LC_ALL",
    if cfg!(target_os = "macos") {
        "en_US.UTF-8"
    } else {
        "C.UTF-8"
    },
);

/// Settings of tools that would replace what the lab tells them, by the
/// beginning of their names.
const FOREIGN: &[&str] = &[
    // Another standard library, other packages, `-m pra` not found.
    "PYTHON",
    "VIRTUAL_ENV",
    "__PYVENV_LAUNCHER__",
    // Packages that go elsewhere, or are not installed at all.
    "PIP_",
    // Another inventory, output, user, or a vault that asks for its password.
    "ANSIBLE_",
    // The cluster of somebody else, whatever the context says.
    "K8S_AUTH_",
    "KUBERNETES_MASTER",
    // `kubectl diff` through a program that always says "no difference".
    "KUBECTL_",
    // Other values of the templates' variables.
    "PKR_VAR_",
    // Another repository, when the commit of a run is noted.
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
    // Shell that runs, or a folder that is gone to, before the command does.
    "BASH_ENV",
    "CDPATH",
];

/// Exceptions that are passed on: how packages are reached, and what changes no result.
const KEPT: &[&str] = &[
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_NO_INDEX",
    "PIP_FIND_LINKS",
    "PIP_TRUSTED_HOST",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_PROXY",
    "PIP_KEYRING_PROVIDER",
    "PIP_CONFIG_FILE",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_CACHE_DIR",
    "PIP_NO_CACHE_DIR",
    "PIP_DISABLE_PIP_VERSION_CHECK",
    "PIP_ROOT_USER_ACTION",
    "PYTHONUNBUFFERED",
    "PYTHONDONTWRITEBYTECODE",
];

/// The variables that send requests through a proxy.
const PROXIES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// This machine, as k3d and the services write it: no proxy leads here.
const HERE: [&str; 4] = ["127.0.0.1", "localhost", "::1", "0.0.0.0"];

/// Whether a variable is left out of what commands get.
pub fn is_foreign(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    FOREIGN.iter().any(|foreign| name.starts_with(foreign)) && !KEPT.contains(&name)
}

/// The names that are left out, of those that are set; sorted.
pub fn left_out() -> Vec<String> {
    let foreign = std::env::vars_os().filter(|(name, _)| is_foreign(name));
    let mut names: Vec<String> = foreign
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The variables that tell programs how to reach a store that speaks S3, with its credentials.
pub fn of_the_store() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let all = std::env::vars_os().filter_map(text);
    all.filter(|(name, _)| name.starts_with("AWS_")).collect()
}

/// The proxy that commands are sent through, where there is any: its variable.
pub fn proxy() -> Option<&'static str> {
    let is_set = |name: &&&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    PROXIES.iter().find(is_set).copied()
}

/// What is set for every command: beside what it inherits, or in its place.
pub(super) fn added() -> Vec<(&'static str, OsString)> {
    let (name, value) = LOCALE;
    let mut added = vec![(name, value.into())];
    if proxy().is_some() {
        let value = |name| std::env::var_os(name).unwrap_or_default();
        let around = around_the_proxy(&[value("NO_PROXY"), value("no_proxy")]);
        // Some programs read the one, some the other.
        added.extend(["NO_PROXY", "no_proxy"].map(|name| (name, around.clone())));
    }
    added
}

/// The hosts that are asked without the proxy: those of the person, and this
/// machine.
fn around_the_proxy(said: &[OsString]) -> OsString {
    let mut hosts: Vec<&str> = Vec::new();
    let theirs = said.iter().filter_map(|one| one.to_str());
    for host in theirs.flat_map(|one| one.split(',')).chain(HERE) {
        let host = host.trim();
        if !host.is_empty() && !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts.join(",").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_elsewhere_is_left_out_and_what_a_network_needs_stays() {
        for name in [
            "PIP_TARGET",
            "PIP_USER",
            "PIP_PREFIX",
            "PIP_REQUIRE_VIRTUALENV",
            "PYTHONHOME",
            "PYTHONPATH",
            "PYTHONSAFEPATH",
            "VIRTUAL_ENV",
            "ANSIBLE_CONFIG",
            "K8S_AUTH_HOST",
            "KUBECTL_EXTERNAL_DIFF",
            "PKR_VAR_base_image",
            "GIT_DIR",
            "CDPATH",
        ] {
            assert!(is_foreign(OsStr::new(name)), "{name}");
        }
        for name in [
            "PIP_INDEX_URL",
            "PIP_CERT",
            "PIP_CONFIG_FILE",
            "HTTPS_PROXY",
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "KUBECONFIG",
            "DOCKER_HOST",
            "GIT_SSH_COMMAND",
            "PATH",
            "HOME",
        ] {
            assert!(!is_foreign(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn no_proxy_stands_between_the_lab_and_this_machine() {
        let said = ["corp.example, 10.0.0.0/8".into(), "localhost".into()];
        assert_eq!(
            around_the_proxy(&said),
            "corp.example,10.0.0.0/8,localhost,127.0.0.1,::1,0.0.0.0"
        );
    }
}
