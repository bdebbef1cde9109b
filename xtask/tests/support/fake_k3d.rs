//! Stand-ins for docker, k3d, kubectl and packer: scripts that keep what they
//! were asked for in a folder and misbehave where a test says so.

use std::fs;
use std::path::PathBuf;

use super::TestLab;

/// Keeps whose a cluster is that is created with these words.
const OWN: &str = r#"own() {
    for word in "$@"; do
        case "$word" in
        atelier-pra.owner=*) owner=${word#*=}; owner=${owner%@*} ;;
        atelier-pra.folder=*) folder=${word#*=}; folder=${folder%@*} ;;
        esac
    done
    echo "$owner $folder" > $S/owned
}"#;

/// What the scripts begin with: the folder, the call, and the hook of a test.
fn prelude(world: &str, tool: &str) -> String {
    format!(
        "S={world}\n\
         echo \"{tool} $*\" >> $S/calls\n\
         {OWN}\n\
         if [ -e $S/{tool}.hook ]; then . $S/{tool}.hook; fi\n"
    )
}

const DOCKER: &str = r#"
case "$*" in
info*) echo '{"ServerVersion":"28.0.1","MemTotal":8000000000,"NCPU":2,"DockerRootDir":"/nowhere"}' ;;
"ps --all --no-trunc"*) cat $S/containers 2>/dev/null || : ;;
"network ls"*) cat $S/network 2>/dev/null || : ;;
"network rm"*) rm $S/network ;;
"ps --all"*atelier-pra.nodes*) cat $S/made_of 2>/dev/null || : ;;
"ps --all"*) cat $S/owned 2>/dev/null || : ;;
"image inspect pra/flask-sqlite:1.0"*)
    [ -e $S/built ] || { echo "No such image" >&2; exit 1; }
    echo '{"Id":"sha256:1","Config":{"Labels":{"atelier-pra.inputs":"'$(cat $S/built)'"}}}' ;;
"image inspect"*) echo '{}' ;;
exec*"image ls"*)
    if [ -e $S/imported ]; then echo sha256:m; echo '{"config":{"digest":"sha256:1"}}'; fi ;;
exec*" cat "*) cat $S/granted 2>/dev/null ;;
exec*chmod*) printf '1\n%s' "$6" > $S/granted ;;
save*) touch "$3" ;;
esac
"#;

const K3D: &str = r#"
case "$*" in
version) echo "k3d version v5.9.0" ;;
"cluster list"*) cat $S/list 2>/dev/null || echo '[]' ;;
"cluster create"*)
    cp $S/whole $S/list; own "$@"
    printf 'aa server\nbb loadbalancer\ncc noRole\n' > $S/containers ;;
"cluster start"*) cp $S/whole $S/list ;;
"cluster delete"*) rm -f $S/list $S/owned $S/containers ;;
"image import"*) touch $S/imported ;;
esac
"#;

const KUBECTL: &str = r#"
case "$*" in
"version --client") echo "Client Version: v1.34.1" ;;
*"create configmap"*)
    for word in "$@"; do
        case "$word" in
        --from-literal=owner=*) owner=${word##*=} ;;
        --from-literal=folder=*) folder=${word##*=} ;;
        esac
    done
    printf '%s\n%s' "$owner" "$folder" > $S/adopted ;;
*"get configmap"*) cat $S/adopted 2>/dev/null || : ;;
*"delete configmap"*) rm -f $S/adopted ;;
*"get --raw"*) echo ok ;;
*" get "*) echo '{"items":[]}' ;;
"config get-contexts"*) ;;
"config current-context") echo k3d-pra ;;
esac
"#;

const PACKER: &str = r#"
case "$1" in
version) echo "Packer v1.11.2" ;;
console) printf '%064d\n' 7 ;;
build) printf '%064d' 7 > $S/built ;;
esac
"#;

/// A cluster as `k3d cluster list` tells it.
const CLUSTER: &str = r#"[{"name":"pra","nodes":[
{"name":"k3d-pra-serverlb","role":"loadbalancer","State":{"Running":true},
 "portMappings":{"30080/tcp":[{"HostPort":"18080"}]}},
{"name":"k3d-pra-server-0","role":"server","State":{"Running":true}}]}]"#;

pub struct FakeWorld {
    pub lab: TestLab,
    dir: PathBuf,
}

impl FakeWorld {
    /// A machine with Docker and the pinned tools, without any cluster.
    pub fn new(name: &str) -> Self {
        let lab = TestLab::bare(name);
        lab.configure("engine = \"local\"", "engine = \"auto\"");
        let dir = lab.root.join("world");
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("whole"), CLUSTER).unwrap();
        let world = dir.display().to_string();
        for (tool, script) in [
            ("docker", DOCKER),
            ("k3d", K3D),
            ("kubectl", KUBECTL),
            ("packer", PACKER),
        ] {
            lab.fake_tool(tool, &(prelude(&world, tool) + script));
        }
        Self { lab, dir }
    }

    /// Marks the cluster as made by this checkout.
    pub fn own(&self) {
        let state = self.lab.root.join(".lab/state");
        fs::create_dir_all(&state).unwrap();
        let folder = self.lab.root.canonicalize().unwrap();
        let folder = folder.display();
        let identity = format!("{{\"id\":\"0123\",\"folder\":\"{folder}\",\"inode\":null}}");
        fs::write(state.join("identity.json"), identity).unwrap();
        self.set("owned", &format!("0123 {folder}\n"));
    }

    /// Shell that a tool runs before its own answer; it may exit.
    pub fn hook(&self, tool: &str, script: &str) {
        fs::write(self.dir.join(format!("{tool}.hook")), script).unwrap();
    }

    pub fn unhook(&self, tool: &str) {
        fs::remove_file(self.dir.join(format!("{tool}.hook"))).unwrap();
    }

    pub fn has(&self, fact: &str) -> bool {
        self.dir.join(fact).exists()
    }

    /// Makes something so, as if it had been done by hand.
    pub fn set(&self, fact: &str, text: &str) {
        fs::write(self.dir.join(fact), text).unwrap();
    }

    /// What a tool wrote down.
    pub fn said(&self, fact: &str) -> String {
        fs::read_to_string(self.dir.join(fact)).unwrap()
    }

    /// Makes something so no more.
    pub fn forget(&self, fact: &str) {
        fs::remove_file(self.dir.join(fact)).unwrap();
    }

    /// The cluster with all its nodes, as the creation leaves it.
    pub fn whole(&self) -> String {
        fs::read_to_string(self.dir.join("whole")).unwrap()
    }

    pub fn cluster_by_hand(&self) {
        self.set("list", CLUSTER);
    }

    /// The calls of a tool that begin like this, so far.
    pub fn calls(&self, prefix: &str) -> usize {
        let calls = fs::read_to_string(self.dir.join("calls")).unwrap_or_default();
        calls
            .lines()
            .filter(|call| call.starts_with(prefix))
            .count()
    }
}
