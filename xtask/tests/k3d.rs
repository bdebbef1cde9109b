//! The lab on a real cluster, from nothing to nothing. Takes minutes and the
//! cluster names `pra` and `lab` of the machine: `cargo xtask test --only cluster`.

#[path = "k3d_alerts.rs"]
mod alerts;
#[path = "k3d_bucket.rs"]
mod bucket;
#[path = "k3d_draining.rs"]
mod draining;
#[path = "k3d_foreign.rs"]
mod foreign;
#[path = "k3d_foreign_ha.rs"]
mod foreign_ha;
#[path = "k3d_gameday_real.rs"]
mod gameday;
#[path = "k3d_ha.rs"]
mod ha;
#[path = "k3d_hardening.rs"]
mod hardening;
#[path = "k3d_marking_real.rs"]
mod marking;
#[path = "k3d_offsite.rs"]
mod offsite;
mod support;

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use support::guide::{self, Form, Walk};
use support::{TestLab, said};

/// curl's word for a connection that was neither made nor refused in time.
const CURL_GAVE_UP: i32 = 28;

/// A cluster of somebody else, which must not notice anything.
const FOREIGN: &str = "somebody-elses";

fn shell(script: &str) -> Output {
    Command::new("sh").args(["-c", script]).output().unwrap()
}

fn must(script: &str) -> String {
    let output = shell(script);
    assert!(output.status.success(), "{script}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What a person would see of the machine before and after.
fn machine() -> Vec<(&'static str, Vec<String>)> {
    let look = [
        "docker ps --all --format '{{.Names}} {{.Status}}' | sed 's/ Up.*/ Up/'",
        "docker images --all --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'",
        "docker network ls --format '{{.Name}}'",
        "docker volume ls --format '{{.Name}}'",
        "kubectl config get-contexts -o name",
        // Where none is chosen, that is what has to stay so.
        "kubectl config current-context 2>/dev/null || true",
    ];
    let seen = look.map(|script| {
        let mut lines: Vec<String> = must(script).lines().map(str::to_owned).collect();
        lines.sort();
        (script, lines)
    });
    seen.into()
}

fn a_lab(name: &str) -> TestLab {
    let lab = TestLab::bare(name);
    lab.configure("engine = \"local\"", "engine = \"auto\"");
    lab
}

/// Refuses to run over somebody's lab.
fn insist_on_an_empty_machine() {
    insist_on_none_of(&["pra", "lab", FOREIGN]);
}

fn insist_on_none_of(ours: &[&str]) {
    let clusters: Value = serde_json::from_str(&must("k3d cluster list -o json")).unwrap();
    let names: Vec<&str> = clusters
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["name"].as_str())
        .collect();
    for name in ours {
        assert!(
            !names.contains(name),
            "there is a cluster {name}: cargo xtask teardown, or k3d cluster delete {name}"
        );
    }
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster"]
fn from_nothing_to_nothing() {
    insist_on_an_empty_machine();
    must(&format!("k3d cluster create {FOREIGN} --no-lb"));
    must(&format!("kubectl config use-context k3d-{FOREIGN}"));
    let before = machine();

    let lab = a_lab("cluster");
    the_pasted_script_gives_the_same_lab(&lab);
    hardening::the_lab_keeps_to_itself(&lab);
    scenarios_keep_their_promises(&lab);
    draining::nobody_notices_that_pods_go(&lab);
    gameday::game_days_are_recovered_with_the_tools_of_a_cluster(&lab);
    points_are_listed_and_restored(&lab);
    a_connection_to_a_pod_that_is_gone_is_not_repeated();
    hand_edits_and_new_settings_are_brought_in(&lab);
    a_changed_application_reaches_the_pods(&lab);
    a_reset_is_as_after_setup_and_keeps_the_cluster(&lab);
    what_was_stopped_with_its_codespace_comes_back(&lab);
    the_image_workshop_runs_beside(&lab);

    lab.json(&["teardown", "--yes"]);
    lab.json(&["--lab", "image", "teardown", "--yes"]);
    let after = machine();
    for ((script, seen), (_, expected)) in after.iter().zip(&before) {
        // With an image Docker removes the untagged ones that only it was made from.
        let stays = |line: &&String| !line.starts_with("<none>") || seen.contains(line);
        let expected: Vec<&String> = expected.iter().filter(stays).collect();
        assert_eq!(seen.iter().collect::<Vec<_>>(), expected, "{script}");
    }
    must(&format!("k3d cluster delete {FOREIGN}"));
}

/// What `setup --dry-run` prints, pasted; then `setup` finds all of it done.
fn the_pasted_script_gives_the_same_lab(lab: &TestLab) {
    let output = lab.xtask(&["setup", "--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        !lab.root.join(".lab").exists(),
        "a dry run changed something"
    );
    let script = lab.root.join("setup.sh");
    fs::write(&script, &output.stdout).unwrap();
    must(&format!("cd / && sh -eu {}", script.display()));

    let output = lab.xtask(&["setup"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    for done in ["is up to date", "every node holds", "holds what k8s/ says"] {
        assert!(text.contains(done), "{done} is not in: {text}");
    }
    let facts = lab.json(&["setup"]);
    assert_eq!(facts["engine"], "k3d");
    assert_eq!(facts["ready"], 2);
    must(&format!(
        "kubectl --context k3d-pra apply --dry-run=server -f {0}/k8s -f {0}/pra",
        lab.root.display()
    ));
    // Idempotent in Ansible's own words too.
    let playbook = format!(
        "{0}/.lab/ansible/bin/ansible-playbook -i localhost, {0}/ansible/playbook.yml",
        lab.root.display()
    );
    assert!(must(&playbook).contains("changed=0"));
}

fn scenarios_keep_their_promises(lab: &TestLab) {
    let first = lab.json(&["scenario", "1"]);
    assert_eq!(first["passed"], true, "{first}");
    assert_eq!(first["client"]["failed"], 0, "{first}");
    assert!(
        first["client"]["requests"].as_u64().unwrap() >= 200,
        "{first}"
    );
    assert_eq!(first["kills"].as_array().unwrap().len(), 2);

    let second = lab.json(&["scenario", "2"]);
    assert_eq!(second["passed"], true, "{second}");
    assert_eq!(second["engine"], "k3d");
    assert_eq!(second["backups_resumed"], true);
    assert_eq!(second["verified"]["phantom"], 0);
    assert!(second["rto"]["seconds"].as_f64().is_some(), "{second}");
    // As the cluster tells it, not as we do.
    let suspended = "kubectl --context k3d-pra -n pra get cronjob sqlite-backup -o \
                     jsonpath='{.spec.suspend}'";
    assert_eq!(must(suspended), "false");
    let rows = second["verified"]["rows"].as_u64().unwrap();
    assert!(lab.curl("/count")["count"].as_u64().unwrap() >= rows);
}

/// Killed while it deletes, it is ended by the next command; and it makes no cluster anew.
fn a_reset_is_as_after_setup_and_keeps_the_cluster(lab: &TestLab) {
    lab.json(&["add", "before the reset"]);
    lab.json(&["backup"]);
    let nodes = "docker ps --format '{{.ID}} {{.Names}}' | grep k3d-pra- | sort";
    let (nodes_before, claim) = (
        must(nodes),
        "kubectl --context k3d-pra -n pra get pvc pra-data",
    );
    let volume = format!("{claim} -o jsonpath='{{.spec.volumeName}}'");
    let volume_before = must(&volume);

    let mut reset = lab.spawn(&["reset", "--yes"]);
    support::await_some("the data to be deleted", || {
        let gone = !shell(claim).status.success();
        (gone || reset.try_wait().unwrap().is_some()).then_some(())
    });
    reset.kill().unwrap();
    reset.wait().unwrap();
    let ended = lab.json(&["reset", "--yes"]);
    assert_eq!(ended["status"], "reset");

    assert_eq!(must(nodes), nodes_before);
    assert_ne!(must(&volume), volume_before);
    let status = lab.json(&["status"]);
    let (facts, app) = (&status["facts"], &status["application"]);
    assert_eq!(status["left_half_way"], Value::Null);
    assert_eq!(facts["suspended"], false);
    assert_eq!(
        (&app["count"], &app["needs_restore"]),
        (&0.into(), &false.into())
    );
    assert_eq!(lab.json(&["add", "the first row"])["id"], 1);
    assert_eq!(lab.json(&["backup"])["point"]["status"], "verified");
    let log = lab.json(&["restore", "--log"]);
    assert_eq!(log["transactions"][0]["timeline"], 1, "{log}");

    let done = lab.json(&["reset", "--yes"]);
    assert_eq!(done["deleted"]["rows"], 1);
    assert_eq!(lab.curl("/count")["count"], 0);
}

fn what_was_stopped_with_its_codespace_comes_back(lab: &TestLab) {
    lab.json(&["add", "before the stop"]);
    must("k3d cluster stop pra");
    let back = lab.json(&["setup", "--existing"]);
    assert_eq!(back[0]["engine"], "k3d", "{back}");
    assert_eq!(lab.curl("/consultation")[0]["message"], "before the stop");
}

fn points_are_listed_and_restored(lab: &TestLab) {
    let points = lab.json(&["restore", "--list"]);
    let oldest = points["points"].as_array().unwrap().last().unwrap().clone();
    let name = oldest["name"].as_str().unwrap();

    must("kubectl --context k3d-pra -n pra scale deployment flask --replicas=0");
    must("kubectl --context k3d-pra -n pra wait --for=delete pod -l app=flask --timeout=60s");
    let alone = lab.json(&["restore", "--list"]);
    let known = alone["points"].as_array().unwrap();
    assert!(known.iter().any(|point| point["name"] == name), "{alone}");

    // Brings the application back first.
    let restored = lab.json(&["restore", name, "--yes"]);
    assert_eq!(lab.curl("/count")["count"], oldest["rows"], "{restored}");
    lab.json(&["undo", "--yes"]);
    assert!(lab.curl("/count")["count"].as_u64() > oldest["rows"].as_u64());

    let said = lab.fails(2, &["restore", "app-1.db"]);
    assert!(said.contains("there is no point app-1.db"), "{said}");
    let pods = must("kubectl --context k3d-pra -n pra get pods -l job-name=sqlite-restore -o name");
    assert_eq!(pods.lines().count(), 1, "a refusal is not repeated: {pods}");
}

/// A node remembers where it sent a connection that nobody answered; the next
/// one from the same port has to go where the service leads by then.
fn a_connection_to_a_pod_that_is_gone_is_not_repeated() {
    let kubectl = "kubectl --context k3d-pra -n pra";
    let ask = |path: &str| must(&format!("{kubectl} get {path}"));
    let pod = ask("pods -l app=flask -o jsonpath='{.items[0].status.podIP}'");
    let node = ask("node k3d-pra-server-0 -o jsonpath='{.status.addresses[0].address}'");
    let range = ask("node k3d-pra-agent-0 -o jsonpath='{.spec.podCIDR}'");
    let nobody = range.replace(".0/24", ".254");
    assert_ne!(nobody, range);
    let lead_to = |address: &str| {
        let slice = format!(
            r#"{{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":"IPv4",
            "metadata":{{"name":"moved","labels":{{"kubernetes.io/service-name":"moved"}}}},
            "ports":[{{"name":"http","port":8080}}],"endpoints":[{{"addresses":["{address}"]}}]}}"#
        );
        must(&format!("echo '{slice}' | {kubectl} apply -f -"));
    };
    let curl = |port: u32, seconds: u32| {
        let url = format!("http://{node}:30099/health");
        shell(&format!(
            "curl -fsS --local-port {port} --connect-timeout {seconds} -m 9 {url}"
        ))
    };
    must(&format!(
        "{kubectl} create service nodeport moved --tcp=80:8080 --node-port=30099 && \
         {kubectl} patch service moved --type=json -p \
         '[{{\"op\":\"remove\",\"path\":\"/spec/selector\"}},\
           {{\"op\":\"replace\",\"path\":\"/spec/ports/0/name\",\"value\":\"http\"}}]'"
    ));
    // Ports that nothing else is given, others than in a run just before.
    let mut port = 20_000 + std::process::id() % 10_000;
    let mut from_another_port = |what, hoped: Option<i32>| {
        support::await_some(what, || {
            port += 1;
            (curl(port, 1).status.code() == hoped).then_some(port)
        })
    };
    lead_to(&pod);
    from_another_port("an answer of a pod", Some(0));
    lead_to(&nobody);
    let port = from_another_port("a connection that nobody answers", Some(CURL_GAVE_UP));
    lead_to(&pod);
    from_another_port("an answer of a pod again", Some(0));
    let output = curl(port, 5);
    assert!(output.status.success(), "{}", said(&output));
    must(&format!("{kubectl} delete service,endpointslice moved"));
}

/// The playbook is skipped only where the cluster holds what k8s/ says; pods
/// that began with other settings are replaced.
fn hand_edits_and_new_settings_are_brought_in(lab: &TestLab) {
    let kubectl = "kubectl --context k3d-pra -n pra";
    must(&format!(
        "{kubectl} patch cronjob sqlite-backup -p '{{\"spec\":{{\"schedule\":\"7 * * * *\"}}}}'"
    ));
    let config = "k8s/05-config.yaml";
    lab.edit(config, "PRA_KEEP_LAST: \"60\"", "PRA_KEEP_LAST: \"61\"");
    lab.json(&["setup"]);
    assert_eq!(lab.json(&["status"])["facts"]["schedule"], "* * * * *");
    let settings = must(&format!("{kubectl} exec deployment/flask -- env"));
    assert!(settings.contains("PRA_KEEP_LAST=61"), "{settings}");
}

fn a_changed_application_reaches_the_pods(lab: &TestLab) {
    let page = "Bonjour tout le monde !";
    lab.edit("app/pra/web/routes.py", page, "Bonjour, autre version !");
    lab.json(&["setup"]);
    assert_eq!(lab.curl("/")["status"], "Bonjour, autre version !");
}

fn the_image_workshop_runs_beside(lab: &TestLab) {
    let image = |command| lab.json(&["--lab", "image", command]);
    assert_eq!(image("setup")["verified"], true);
    let page = "packer/nginx/index.html";
    lab.edit(page, "Ma page", "Ma nouvelle page");
    assert_eq!(image("status")["serves_own_page"], false);
    let url = image("setup")["nginx"].as_str().unwrap().to_owned();
    let served = must(&format!("curl -fsS {url}"));
    assert_eq!(served, fs::read_to_string(lab.root.join(page)).unwrap());
    assert_eq!(image("status")["mario_answers"], true);
    assert_eq!(lab.json(&["status"])["facts"]["running"], true);
}

/// The workshop's typed commands, with our files, adopted afterwards.
#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster"]
fn a_lab_typed_by_hand_is_adopted() {
    insist_on_an_empty_machine();
    let lab = a_lab("typed");
    let root = lab.root.display();
    // Without a load balancer there is no port to map: the forward is kept.
    must("k3d cluster create pra --servers 1 --agents 2 --no-lb --kubeconfig-switch-context=false");
    must(&format!(
        "cd {root} && packer init packer/flask && packer build -var image_tag=1.0 packer/flask \
         && k3d image import pra/flask-sqlite:1.0 -c pra \
         && kubectl --context k3d-pra apply -f k8s/"
    ));
    let refused = lab.fails(2, &["setup"]);
    assert!(refused.contains("Adopt it?"), "{refused}");
    lab.json(&["setup", "--yes"]);
    lab.json(&["add", "through the kept forward"]);

    // The forward comes back after its pods died.
    must("kubectl --context k3d-pra -n pra delete pod -l app=flask --wait=true");
    support::await_some("the forward after its pod died", || {
        let output = lab.xtask(&["add", "again"]);
        output.status.success().then_some(())
    });
    // What was set on the nodes outlives a restart.
    let setting = "/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_syn_sent";
    must("docker restart k3d-pra-agent-1");
    let look = format!("docker exec k3d-pra-agent-1 cat {setting}");
    support::await_some("the setting of a restarted node", || {
        (shell(&look).stdout == b"1\n").then_some(())
    });
    // A stopped cluster is started again.
    must("k3d cluster stop pra");
    lab.json(&["setup"]);
    assert_eq!(lab.json(&["status"])["facts"]["running"], true);
    lab.json(&["teardown", "--yes"]);
    assert!(lab.processes().is_empty(), "{:?}", lab.processes());
    assert!(!must("k3d cluster list -o json").contains("\"pra\""));
}

/// The commands of the French guide as printed, from nothing to nothing; its folder is a
/// repository, as a student's is.
fn walk_the_guide(name: &str, form: Form) {
    insist_on_none_of(&["pra", "lab"]);
    let lab = a_lab(name);
    lab.configure("port = 0", "port = 8080");
    guide::copy_into(&lab);
    must(&format!(
        "cd {} && git init -q && git add . && \
         git -c user.name=test -c user.email=test@example.org commit -qm start",
        lab.root.display()
    ));
    let walk = Walk {
        lab: &lab,
        form,
        cluster: true,
        ports: Vec::new(),
    };
    walk.run(&guide::blocks());
    insist_on_none_of(&["pra", "lab"]);
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn the_guide_works_as_printed_in_its_short_form() {
    walk_the_guide("guide-short", Form::Short);
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn the_guide_works_as_printed_in_its_typed_form() {
    walk_the_guide("guide-typed", Form::Typed);
}
