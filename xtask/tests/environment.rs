//! What the person's environment holds does not change what the lab does.

use crate::support;

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::fake_k3d::FakeWorld;
use support::{TestLab, said, standin};

/// Settings that lead a tool elsewhere, of every kind that is left out.
const LEADS_ELSEWHERE: [(&str, &str); 9] = [
    ("PIP_TARGET", "/nowhere"),
    ("PIP_REQUIRE_VIRTUALENV", "1"),
    ("PYTHONHOME", "/nowhere"),
    ("PYTHONSAFEPATH", "1"),
    ("VIRTUAL_ENV", "/nowhere"),
    ("ANSIBLE_CONFIG", "/nowhere"),
    ("K8S_AUTH_HOST", "https://nowhere"),
    ("KUBECTL_EXTERNAL_DIFF", "true"),
    ("GIT_DIR", "/nowhere"),
];

#[test]
fn tools_get_what_a_network_needs_and_nothing_that_leads_them_elsewhere() {
    let world = FakeWorld::new("environment");
    world.hook("kubectl", "env > $S/environment");
    let config = world.lab.root.join("kubeconfig").display().to_string();
    let kept = [
        ("PIP_INDEX_URL", "http://index.example/simple"),
        ("HTTPS_PROXY", "http://proxy.example:3128"),
        ("NO_PROXY", "inside.example"),
        ("KUBECONFIG", config.as_str()),
    ];
    let output = world
        .lab
        .command(&["cluster"])
        .envs(LEADS_ELSEWHERE)
        .envs(kept)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let seen = world.said("environment");
    let seen: Vec<&str> = seen.lines().collect();
    for (name, _) in LEADS_ELSEWHERE {
        let begins = |line: &&&str| line.starts_with(&format!("{name}="));
        assert_eq!(seen.iter().find(begins), None);
    }
    let here = "inside.example,127.0.0.1,localhost,::1,0.0.0.0";
    for line in [
        "PIP_INDEX_URL=http://index.example/simple",
        "HTTPS_PROXY=http://proxy.example:3128",
        &format!("KUBECONFIG={config}"),
        &format!("NO_PROXY={here}"),
        &format!("no_proxy={here}"),
        if cfg!(target_os = "macos") {
            "LC_ALL=en_US.UTF-8"
        } else {
            "LC_ALL=C.UTF-8"
        },
    ] {
        assert!(seen.contains(&line), "{line} is not in {seen:?}");
    }
}

/// Wheels of one module each, and a lock file that names them by hash.
fn packages(folder: &Path, lock: &Path, modules: [&str; 3]) {
    const BUILD: &str = r#"
import hashlib, pathlib, sys, zipfile
folder, lock, *modules = sys.argv[1:]
lines = []
for package, module in zip(("apsw", "flask", "granian"), modules):
    path = pathlib.Path(folder, f"{package}-1.0-py3-none-any.whl")
    info = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{module}/__init__.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    lines.append(f"{package}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n")
pathlib.Path(lock).write_text("".join(lines))
"#;
    fs::create_dir_all(folder).unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", BUILD]).args([folder, lock]);
    assert!(python.args(modules).status().unwrap().success());
}

#[test]
fn packages_are_where_they_belong_before_they_are_called_installed() {
    let lab = standin::lab("packages");
    let wheels = lab.root.join("wheels");
    let lock = lab.root.join("app/requirements.txt");
    let stamp = lab.root.join(".lab/venv/installed.txt");
    let setup = || {
        let mut setup = lab.command(&["setup"]);
        setup
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", &wheels);
        setup
    };
    // As pip leaves it that was told to install elsewhere: no error, no module.
    packages(&wheels, &lock, ["apsw", "other", "granian"]);
    let output = setup().output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("cannot be imported"), "{text}");
    assert!(!stamp.exists());

    packages(&wheels, &lock, ["apsw", "flask", "granian"]);
    let elsewhere = lab.root.join("elsewhere");
    let config = lab.root.join("pip.conf");
    let shown = elsewhere.display();
    fs::write(
        &config,
        format!("[install]\ntarget = {shown}\nuser = true\nroot = {shown}\n"),
    )
    .unwrap();
    let output = setup()
        .env("PIP_TARGET", &elsewhere)
        .env("PIP_PREFIX", &elsewhere)
        .env("PIP_USER", "1")
        .env("PIP_CONFIG_FILE", &config)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(stamp.exists());
    assert!(!elsewhere.exists(), "the packages went elsewhere");

    // An environment that was called good, and is not, is made anew.
    let modules = fs::read_dir(lab.root.join(".lab/venv/lib")).unwrap();
    let module: PathBuf = modules
        .map(|one| one.unwrap().path().join("site-packages/flask"))
        .find(|path| path.exists())
        .unwrap();
    let makes_anew = || said(&setup().arg("--dry-run").output().unwrap()).contains("--clear");
    assert!(!makes_anew());
    fs::remove_dir_all(&module).unwrap();
    assert!(makes_anew());
}

#[test]
fn a_newer_python_beside_an_old_one_is_found() {
    let lab = TestLab::bare("two-pythons");
    let old = "echo '{\"version\": [3, 8, 1], \"venv\": true}'";
    lab.fake_tool("python3", old);
    // As pyenv has them: a name that leads nowhere.
    lab.fake_tool("python3.30", "echo 'command not found' >&2; exit 127");
    lab.fake_tool(
        "python3.29",
        "echo '{\"version\": [3, 29, 1], \"venv\": true}'",
    );
    let output = lab.xtask(&["preflight"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("3.29.1 at "), "{text}");
}

#[test]
fn what_would_be_found_late_is_found_by_preflight() {
    let world = FakeWorld::new("found-early");
    let docker = "case \"$*\" in info*) echo '{\"ServerVersion\":\"28.0.1\",\
                  \"MemTotal\":8000000000,\"DockerRootDir\":\"/\"}'; exit 0;; esac";
    world.hook("docker", docker);
    // Room for all that the lab needs, and too small a share for the kubelet.
    world.lab.fake_tool(
        "df",
        "echo Filesystem; echo /dev/x 400000000 380000000 20000000 95% /",
    );
    let two = format!("{0}/one:{0}/two", world.lab.root.display());
    let output = world
        .lab
        .command(&["preflight", "--engine", "k3d"])
        .env("KUBECONFIG", &two)
        .env("HOME", "/nowhere")
        .env("PIP_TARGET", "/nowhere")
        .env("HTTPS_PROXY", "http://proxy.example:3128")
        .output()
        .unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    for found in [
        "4.0 % would stay, and below 5 % the nodes evict",
        "KUBECONFIG names 2 files",
        "HOME is /nowhere",
        "left out of what is run: PIP_TARGET",
        "HTTPS_PROXY is used for downloads",
    ] {
        assert!(text.contains(found), "{found} is not in: {text}");
    }
    // Nor does a stage by itself get as far as a cluster.
    let mut stage = world.lab.command(&["cluster"]);
    let output = stage.env("KUBECONFIG", &two).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert_eq!(world.calls("k3d cluster create"), 0);

    world.lab.fake_tool(
        "df",
        "echo Filesystem; echo /dev/x 400000000 340000000 60000000 85% /",
    );
    let output = world.lab.xtask(&["preflight", "--engine", "k3d"]);
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("nodes remove images"), "{text}");
}

#[test]
fn nohup_keeps_the_end_of_the_terminal_from_ending_a_command() {
    let world = FakeWorld::new("nohup");
    // As long as the test wants.
    world.hook(
        "k3d",
        "case \"$*\" in 'cluster create'*) touch $S/hangs; \
         until [ -e $S/go ]; do sleep 0.01; done;; esac",
    );
    let mut xtask = world.lab.command(&["cluster"]);
    let program = xtask.get_program().to_owned();
    let mut nohup = Command::new("sh");
    nohup
        .args(["-c", "trap '' HUP; exec \"$0\" cluster"])
        .arg(program)
        .envs(
            xtask
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        // The variable counts outside of every checkout.
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let mut child = nohup.spawn().unwrap();
    support::await_some("the hang", || world.has("hangs").then_some(()));
    standin::signal(&child.id().to_string(), "-HUP");
    world.set("go", "");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // Without it, the same signal ends the command; but these tests may run by nohup themselves.
    let mut ignored = Command::new("sh");
    let ignored = ignored.args(["-c", "kill -HUP $$; echo still here"]);
    if !ignored.output().unwrap().stdout.is_empty() {
        // Past the test's own capture, so that it is seen.
        let told = "SKIPPED: whoever started these tests ignores the hangup";
        writeln!(std::io::stderr(), "{told}").unwrap();
        return;
    }
    world.forget("go");
    world.forget("hangs");
    world.forget("list");
    let mut child = xtask.stderr(Stdio::null()).spawn().unwrap();
    support::await_some("the hang", || world.has("hangs").then_some(()));
    standin::signal(&child.id().to_string(), "-HUP");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn what_is_no_text_is_refused_in_words() {
    let lab = TestLab::bare("no-text");
    let odd = OsStr::from_bytes(b"caf\xe9.tar");
    for words in [&["export"][..], &["--json", "export"], &["adopt"], &["add"]] {
        let output = lab.command(words).arg(odd).output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains("UTF-8"), "{text}");
    }
    let root = lab.root.join(odd);
    fs::create_dir_all(&root).unwrap();
    fs::copy(lab.root.join("lab.toml"), root.join("lab.toml")).unwrap();
    let status = lab.command(&["status", "--root"]).arg(&root).output();
    let status = status.unwrap();
    assert_eq!(status.status.code(), Some(2), "{}", said(&status));
    assert!(said(&status).contains("caf\\xE9"), "{}", said(&status));
}
