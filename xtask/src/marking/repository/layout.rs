//! What is where in a repository: the layout of the workshop, or another one.

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

/// No text of a workshop is longer; what is, is not read.
const LONGEST: u64 = 512 * 1024;

/// A text of the repository; its path is relative.
#[derive(Clone, Debug)]
pub struct Text {
    pub path: String,
    pub text: String,
}

impl Text {
    pub fn is_yaml(&self) -> bool {
        self.path.ends_with(".yaml") || self.path.ends_with(".yml")
    }

    /// Whether it is a part of what runs: an example in a documentation, a test or the
    /// settings of a forge are none.
    pub fn is_of_the_lab(&self) -> bool {
        let beside = [
            "docs",
            "doc",
            "test",
            "tests",
            "examples",
            ".github",
            ".devcontainer",
        ];
        !self.path.split('/').any(|part| beside.contains(&part))
    }
}

/// An object that Kubernetes would be given, and where it stands.
#[derive(Clone, Debug)]
pub struct Object {
    pub path: String,
    pub value: Value,
}

/// All that is read of a repository.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub texts: Vec<Text>,
    pub objects: Vec<Object>,
    /// All files, also those that are no text.
    pub files: Vec<String>,
}

impl Layout {
    pub fn read(root: &Path) -> Self {
        let mut layout = Self::default();
        collect(root, Path::new(""), &mut layout);
        layout.files.sort();
        layout.texts.sort_by(|one, other| one.path.cmp(&other.path));
        for text in &layout.texts {
            if text.is_yaml() && text.is_of_the_lab() {
                let values = objects(&text.text).into_iter();
                layout.objects.extend(values.map(|value| Object {
                    path: text.path.clone(),
                    value,
                }));
            }
        }
        layout
    }

    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        self.objects
            .iter()
            .filter(move |one| one.value["kind"] == kind)
    }

    /// The templates of Packer.
    pub fn templates(&self) -> Vec<&Text> {
        let is_template = |text: &&Text| text.path.ends_with(".pkr.hcl") && text.is_of_the_lab();
        self.texts.iter().filter(is_template).collect()
    }

    /// The playbook that deploys: the one of the workshop's place, or the first play.
    pub fn playbook(&self, usual: &[&str]) -> Option<&Text> {
        let usual = usual.iter().find_map(|path| {
            let mut texts = self.texts.iter();
            texts.find(|text| text.path == *path)
        });
        let is_play =
            |text: &&Text| text.is_yaml() && text.is_of_the_lab() && text.text.contains("hosts:");
        usual.or_else(|| self.texts.iter().find(is_play))
    }

    pub fn readme(&self) -> Option<&Text> {
        let named = |text: &&Text| {
            let lower = text.path.to_lowercase();
            lower == "readme.md" || lower == "readme"
        };
        self.texts.iter().find(named)
    }

    /// Scripts that a person would start.
    pub fn scripts(&self) -> impl Iterator<Item = &Text> {
        self.texts.iter().filter(|text| {
            let name = text.path.rsplit('/').next().unwrap_or_default();
            name.ends_with(".sh") || name == "Makefile" || name == "Taskfile.yml"
        })
    }
}

/// An image's name without its tag.
pub fn repository(image: &str) -> &str {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

fn collect(root: &Path, folder: &Path, layout: &mut Layout) {
    let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten();
    for entry in entries.flatten() {
        let inside: PathBuf = folder.join(entry.file_name());
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = inside.to_string_lossy().into_owned();
        if kind.is_dir() && path != ".git" && path != ".lab" {
            collect(root, &inside, layout);
        } else if kind.is_file() {
            let short = entry.metadata().is_ok_and(|one| one.len() <= LONGEST);
            let text = std::fs::read_to_string(entry.path()).ok();
            layout.files.push(path.clone());
            layout
                .texts
                .extend(text.filter(|_| short).map(|text| Text { path, text }));
        }
    }
}

/// The objects of a file of manifests; none of one that is no YAML, or something else.
pub fn objects(text: &str) -> Vec<Value> {
    let mut found = Vec::new();
    if is_nested_too_deeply(text) {
        return found;
    }
    for document in serde_norway::Deserializer::from_str(text) {
        let Ok(value) = Value::deserialize(document) else {
            return found;
        };
        let items = match value["items"].as_array() {
            Some(items) if value["kind"] == "List" => items.clone(),
            _ => vec![value],
        };
        let is_object = |one: &Value| one["kind"].is_string() && one["apiVersion"].is_string();
        found.extend(items.into_iter().filter(is_object));
    }
    found
}

/// The parser takes time with the square of how deep collections are nested, and a work can
/// hold a file that was written to stop it. Manifests are some ten levels deep.
fn is_nested_too_deeply(text: &str) -> bool {
    const DEEPEST: i32 = 1000;
    let mut depth = 0;
    text.bytes().any(|byte| {
        depth += match byte {
            b'{' | b'[' => 1,
            b'}' | b']' => -1,
            _ => 0,
        };
        depth > DEEPEST
    }) || text.lines().any(|line| line.matches("- ").count() > 1000)
}

/// The specification of the pods that an object makes.
pub fn pod_spec(object: &Value) -> &Value {
    match object["kind"].as_str() {
        Some("CronJob") => &object["spec"]["jobTemplate"]["spec"]["template"]["spec"],
        Some("Pod") => &object["spec"],
        _ => &object["spec"]["template"]["spec"],
    }
}

/// Whether the pods of an object have this claim, and a container that mounts it.
pub fn mounts(object: &Value, claim: &str) -> bool {
    let spec = pod_spec(object);
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    let named = volumes.filter(|one| one["persistentVolumeClaim"]["claimName"] == claim);
    let names: Vec<&Value> = named.map(|one| &one["name"]).collect();
    let containers = spec["containers"].as_array().into_iter().flatten();
    let mut mounts =
        containers.flat_map(|one| one["volumeMounts"].as_array().into_iter().flatten());
    mounts.any(|mount| names.contains(&&mount["name"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_file_that_was_written_to_stop_the_parser_is_no_manifest() {
        for deep in ["a: {", "[", "- "] {
            let text = format!("{}1", deep.repeat(100_000));
            assert!(objects(&text).is_empty(), "{deep}");
        }
        let sound = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a}]}";
        assert_eq!(objects(sound).len(), 1);
    }

    #[test]
    fn the_objects_of_a_file_are_found_and_nothing_else() {
        let text = "kind: A\napiVersion: v1\n---\n# nothing\n---\nhosts: x\n---\nkind: List\n\
                    apiVersion: v1\nitems: [{kind: B, apiVersion: v1}]\n";
        let kinds: Vec<Value> = objects(text)
            .iter()
            .map(|one| one["kind"].clone())
            .collect();
        assert_eq!(kinds, ["A", "B"]);
        assert!(objects("{{ a }}: [").is_empty());
    }

    #[test]
    fn a_claim_that_no_container_mounts_is_not_mounted() {
        let with = |mounted: &str| {
            json!({"kind": "Deployment", "spec": {"template": {"spec": {
                "containers": [{"volumeMounts": [{"name": mounted}]}],
                "volumes": [
                    {"name": "b", "persistentVolumeClaim": {"claimName": "pra-backup"}},
                    {"name": "d", "persistentVolumeClaim": {"claimName": "pra-data"}},
                ],
            }}}})
        };
        assert!(mounts(&with("b"), "pra-backup"));
        assert!(!mounts(&with("d"), "pra-backup"));
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(repository("pra/flask-sqlite:1.0"), "pra/flask-sqlite");
        assert_eq!(repository("localhost:5000/x"), "localhost:5000/x");
    }
}
