//! How a repository restores: its jobs, how a point is chosen, and what the procedure
//! has for a second time. Found by reading; whether it works is tried on a cluster.

use serde_json::{Value, json};
use terms::tr;

use super::layout::{Layout, Text, objects};
use crate::marking::facts::Choice;

/// The file of a job that restores.
#[derive(Clone, Debug)]
pub struct RestoreJob {
    pub path: String,
    pub text: String,
    /// Its object, where the text is YAML as it stands.
    pub value: Option<Value>,
}

/// The jobs that restore, the one of the workshop's place first.
pub fn restore_jobs(layout: &Layout) -> Vec<RestoreJob> {
    let mut found: Vec<RestoreJob> = layout.texts.iter().filter_map(restore_job).collect();
    found.sort_by_key(|job| (job.path != "pra/50-job-restore.yaml", job.path.clone()));
    found
}

fn restore_job(text: &Text) -> Option<RestoreJob> {
    let yaml = text.is_yaml() && text.is_of_the_lab();
    let is_job = text.text.lines().any(|line| line.trim_end() == "kind: Job");
    let restores = text.text.to_lowercase().contains("restor");
    (yaml && is_job && restores).then(|| RestoreJob {
        path: text.path.clone(),
        text: text.text.clone(),
        value: objects(&text.text)
            .into_iter()
            .find(|one| one["kind"] == "Job"),
    })
}

/// How a point is chosen, and in which job.
pub fn choice(layout: &Layout, jobs: &[RestoreJob]) -> (Choice, Option<RestoreJob>) {
    let by_variable = jobs.iter().filter_map(|job| Some((variable(job)?, job)));
    if let Some(((_, name), job)) = by_variable.max_by_key(|((score, _), _)| *score) {
        let file = job.path.clone();
        return (Choice::Variable { name, file }, Some(job.clone()));
    }
    for job in jobs {
        if let Some(text) = placeholder(&job.text) {
            let file = job.path.clone();
            return (Choice::Placeholder { text, file }, Some(job.clone()));
        }
    }
    let scripts = layout.scripts().filter(|script| {
        let lower = script.text.to_lowercase();
        lower.contains("restor") && lower.contains("backup")
    });
    let told = layout.texts.iter().filter(|text| tells_how(text));
    let files: Vec<String> = scripts.chain(told).map(|text| text.path.clone()).collect();
    match files.is_empty() {
        true => (Choice::Nothing, None),
        false => (Choice::ByHand { files }, None),
    }
}

/// Whether a text has commands that put a named copy in place, or edit the job; the
/// workshop's own has neither.
fn tells_how(text: &Text) -> bool {
    let commands = ["cp /backup/", "LATEST=", "sed -i", "sed \"s", "sed 's"];
    let markdown = text.path.to_lowercase().ends_with(".md") && text.is_of_the_lab();
    markdown && commands.iter().any(|command| text.text.contains(command))
}

fn containers(job: &Value) -> impl Iterator<Item = &Value> {
    let spec = &job["spec"]["template"]["spec"];
    ["containers", "initContainers"]
        .into_iter()
        .flat_map(|kind| spec[kind].as_array().into_iter().flatten())
}

/// The variable that most looks as if it took a point, and how much.
fn variable(job: &RestoreJob) -> Option<(u32, String)> {
    let job = job.value.as_ref()?;
    let variables = containers(job).flat_map(|one| one["env"].as_array().into_iter().flatten());
    let scored = variables.filter_map(|one| {
        let name = one["name"].as_str()?;
        let value = one["value"].as_str().unwrap_or_default();
        let referred = one
            .get("valueFrom")
            .is_some_and(|from| from.get("fieldRef").is_some());
        let score = score(name, value)?;
        (!referred).then(|| (score, name.to_owned()))
    });
    scored.max_by_key(|(score, _)| *score)
}

fn score(name: &str, value: &str) -> Option<u32> {
    let name = name.to_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let switch = ["yes", "no", "true", "false"].contains(&value);
    let folder = value.starts_with('/') && !value.ends_with(".db");
    if switch || folder || has(&["DIR", "DB_PATH", "FORCE"]) {
        return None;
    }
    let strong = has(&["POINT", "FILE", "TIMESTAMP", "SNAPSHOT"]);
    let weak = has(&["RESTORE", "BACKUP", "TARGET", "VERSION", "DATE"]);
    let number = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
    let latest = ["", "latest", "last"].contains(&value);
    let like_a_point = latest || number || value.ends_with(".db");
    let named = 2 * u32::from(strong) + u32::from(weak);
    (named > 0).then_some(named + 2 * u32::from(like_a_point))
}

/// What in a job's text is to be replaced by a point before it is applied.
fn placeholder(text: &str) -> Option<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    code.flat_map(|line| line.split(|c: char| c.is_whitespace() || "\"'=;,()".contains(c)))
        .find_map(|word| {
            let name = word.rsplit('/').next().unwrap_or(word);
            marked(name).or_else(|| fixed(name))
        })
}

/// `__POINT__`, `{{POINT}}`, `<POINT>`.
fn marked(word: &str) -> Option<String> {
    for (open, close) in [("__", "__"), ("{{", "}}"), ("<", ">")] {
        let Some(begin) = word.find(open) else {
            continue;
        };
        let rest = &word[begin + open.len()..];
        let Some(end) = rest.find(close).filter(|end| *end > 0) else {
            continue;
        };
        return Some(format!("{open}{}{close}", &rest[..end]));
    }
    None
}

/// A file that is named outright: `app-1763719200.db`, `app-XXXX.db`.
fn fixed(word: &str) -> Option<String> {
    let inside = word.strip_prefix("app-")?.strip_suffix(".db")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!inside.is_empty() && inside.chars().all(plain)).then(|| word.to_owned())
}

/// The ways in which a point of that name may be written, the likeliest first.
pub fn spellings(choice: &Choice, job: &RestoreJob, point: &str) -> Vec<String> {
    let stem = point.trim_end_matches(".db");
    let number = stem.trim_start_matches("app-").to_owned();
    let mut all = vec![
        point.to_owned(),
        format!("/backup/{point}"),
        number,
        stem.to_owned(),
    ];
    let shown = match choice {
        Choice::Variable { name, .. } => {
            let found = job.value.as_ref().and_then(|job| value_of(job, name));
            found.unwrap_or_default()
        }
        Choice::Placeholder { text, .. } => return of_placeholder(text, &job.text, all),
        _ => String::new(),
    };
    if shown.starts_with('/') {
        all.swap(0, 1);
    } else if !shown.is_empty() && shown.chars().all(|c| c.is_ascii_digit()) {
        all.swap(0, 2);
    }
    all.truncate(3);
    all
}

/// With what stands around it, a placeholder is the name, or its number alone.
fn of_placeholder(text: &str, job: &str, all: Vec<String>) -> Vec<String> {
    let [name, path, number, stem] = <[String; 4]>::try_from(all).unwrap_or_default();
    if job.contains(&format!("app-{text}")) {
        return vec![number];
    }
    if job.contains(&format!("{text}.db")) && !text.ends_with(".db") {
        return vec![stem, number];
    }
    vec![name, path, number]
}

fn value_of(job: &Value, name: &str) -> Option<String> {
    let mut all = containers(job).flat_map(|one| one["env"].as_array().into_iter().flatten());
    let found = all.find(|one| one["name"] == name)?;
    found["value"].as_str().map(str::to_owned)
}

/// The job, asked for a point that is written so.
pub fn asking(choice: &Choice, job: &RestoreJob, written: &str) -> Option<Value> {
    match choice {
        Choice::Placeholder { text, .. } => {
            let filled = objects(&job.text.replace(text.as_str(), written));
            filled.into_iter().find(|one| one["kind"] == "Job")
        }
        Choice::Variable { name, .. } => {
            let mut job = job.value.clone()?;
            let spec = &mut job["spec"]["template"]["spec"];
            for kind in ["containers", "initContainers"] {
                let Some(all) = spec.get_mut(kind).and_then(Value::as_array_mut) else {
                    continue;
                };
                for one in all {
                    set(one, name, written);
                }
            }
            Some(job)
        }
        _ => None,
    }
}

fn set(container: &mut Value, name: &str, value: &str) {
    let all = container.get_mut("env").and_then(Value::as_array_mut);
    for one in all.into_iter().flatten() {
        if one["name"] == name {
            *one = json!({"name": name, "value": value});
        }
    }
}

/// What the repository has for running the restore again, in words. What simulates
/// the disaster (`delete job --all`) is no part of the recovery.
pub fn again(layout: &Layout, job: &RestoreJob) -> Option<String> {
    let meta = job.value.as_ref().map(|job| &job["metadata"]);
    if meta.is_some_and(|meta| meta["generateName"].is_string()) {
        return Some("generateName".to_owned());
    }
    let name = meta
        .and_then(|meta| meta["name"].as_str())
        .unwrap_or("sqlite-restore");
    let by_text = layout.texts.iter().find(|text| {
        let told = !text.path.ends_with(".yml") && !text.path.ends_with(".yaml");
        told && text.text.lines().any(|line| removes(line, name, &job.path))
    });
    by_text.map(|text| {
        let path = &text.path;
        tr!(
            "{path} removes the finished job first",
            "{path} retire d'abord le job terminé"
        )
    })
}

/// Whether a line of shell removes the finished job, of this name or of this file.
fn removes(line: &str, name: &str, path: &str) -> bool {
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || c == '`')
        .filter(|word| !word.is_empty())
        .collect();
    let Some(at) = words.iter().position(|word| *word == "kubectl") else {
        return false;
    };
    let words = &words[at..];
    let has = |wanted: &str| words.contains(&wanted);
    let file = path.rsplit('/').next().unwrap_or(path);
    let by_file = words.iter().any(|word| word.ends_with(file));
    let by_name = words.iter().any(|word| {
        let bare = word.rsplit('/').next().unwrap_or(word);
        bare == name
    });
    let deletes = has("delete") && !has("--all");
    (deletes && (by_name || by_file)) || (has("replace") && has("--force") && by_file)
}

#[cfg(test)]
#[path = "points_tests.rs"]
mod tests;
