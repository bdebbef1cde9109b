//! What the lab `ha` needs of this machine, and what is said where that is not there, with
//! stand-ins for the tools.

use crate::support;

use std::fs;

use support::fake_ha::{shell, up};
use support::fake_k3d::FakeWorld;

#[test]
fn the_operators_manifest_is_downloaded_before_there_is_a_cluster() {
    let world = FakeWorld::new("ha-download");
    // A lab of this machine may have the one that is declared.
    world.lab.configure("port = 8083", "port = 0");
    let fetched = || shell(&world, &["preflight", "--download"]);
    let shown = fetched();
    let line = shown.lines().find(|line| line.contains("cnpg.yaml"));
    let line = line.unwrap_or_else(|| panic!("not in {shown}"));
    let parts = [".lab/ha/operator/cnpg.yaml", "https://github.com/"];
    assert!(line.contains(&parts.join(" ")), "{line}");
    assert!(!line.contains('{'), "{line}");
    // The playbook looks there, and downloads nothing that has the checksum.
    let playbook = fs::read_to_string(world.lab.root.join("ansible/ha.yml")).unwrap();
    assert!(playbook.contains("/../.lab/ha/operator\""), "{playbook}");

    let manifest = world.lab.root.join(parts[0]);
    fs::create_dir_all(manifest.parent().unwrap()).unwrap();
    fs::write(&manifest, "another one").unwrap();
    assert!(fetched().contains("cnpg.yaml"), "it is not the one");
    // As sha256sum says.
    let of_that = "08518b71617eb0b46c053f3766069649f664e9a3fbaca168d6a861fbec870082";
    let pins = fs::read_to_string(world.lab.root.join("lab.toml")).unwrap();
    let pinned = pins.split("\nsha256 = \"").nth(1).unwrap();
    world.lab.configure(&pinned[..64], of_that);
    assert!(!fetched().contains("cnpg.yaml"), "it is here");
    let of_pra = world.lab.xtask(&["preflight", "--download", "--dry-run"]);
    assert!(!support::said(&of_pra).contains("cnpg.yaml"));
}

#[test]
fn without_docker_it_is_docker_that_is_told() {
    let world = up("ha-docker-gone");
    world.hook("docker", "exit 1");
    world.hook(
        "k3d",
        "case \"$*\" in version) ;; *) printf '\\033[31mFATA\\033[0m[0000] no socket' >&2; exit 1;; esac",
    );
    world.hook(
        "kubectl",
        "case \"$*\" in version*) ;; *) echo 'refused' >&2; exit 1;; esac",
    );
    for words in [&["status"][..], &["logs"], &["scenario", "drain"]] {
        let text = world.lab.fails(3, &[&["--lab", "ha"], words].concat());
        assert!(text.contains("the Docker daemon does not answer"), "{text}");
        assert!(text.contains("systemctl start docker"), "{text}");
        assert!(!text.contains("FATA"), "{text}");
    }
}

#[test]
fn where_nothing_was_written_logs_is_no_success() {
    let world = up("ha-no-logs");
    let text = world.lab.fails(2, &["--lab", "ha", "logs"]);
    assert!(text.contains("nothing of that kind has run yet"), "{text}");
    world.forget("list");
    world.unhook("kubectl");
    world.hook("kubectl", "case \"$*\" in *' get '*) exit 1;; esac");
    let text = world.lab.fails(2, &["--lab", "ha", "logs"]);
    assert!(text.contains("the lab is down"), "{text}");
    assert!(text.contains("cargo xtask --lab ha setup"), "{text}");
}
