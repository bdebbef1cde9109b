//! A lab in French, from its setup to its report, and who chooses the language.

use std::fs;
use std::process::{Command, Output};

use crate::support::{TestLab, said};

/// Words that English cannot do without, and French does not have.
const ENGLISH: &[&str] = &[
    "the",
    "of",
    "and",
    "is",
    "are",
    "was",
    "were",
    "to",
    "in",
    "by",
    "it",
    "its",
    "that",
    "which",
    "with",
    "from",
    "this",
    "these",
    "not",
    "no",
    "be",
    "been",
    "before",
    "after",
    "every",
    "each",
    "all",
    "at",
    "what",
    "how",
    "why",
    "who",
    "where",
    "when",
    "rows",
    "row",
    "run",
    "runs",
    "lost",
    "failed",
    "requests",
    "worth",
    "seconds",
    "measured",
    "computed",
    "alone",
    "least",
    "kept",
    "yes",
    "ready",
    "taken",
    "done",
    "detected",
    "provisioned",
    "restored",
    "serving",
    "engine",
    "replicas",
    "backups",
    "none",
    "next:",
    "error:",
    "warning:",
    "time",
    "bytes",
    "state",
    "took",
    "seed",
    "promise",
    "began",
    "at",
    "here",
    "made",
];

/// The English words of a text, without those of commands, options and paths.
fn english(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split("cargo xtask").next().unwrap_or_default();
        let words = line.split(|one: char| one.is_whitespace() || "(),;…«»".contains(one));
        let words = words.filter(|word| ENGLISH.contains(&word.to_lowercase().as_str()));
        found.extend(words.map(|word| format!("{word}: {line}")));
    }
    found
}

/// Numbers with a point before `s`, `Mio` or `%`: `1.5 s`.
fn points(text: &str) -> Vec<&str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let numbers = words.windows(2).filter(|two| {
        let unit = two[1].trim_end_matches([',', ';', ')', '.', ':']);
        ["s", "Mio", "%"].contains(&unit) && two[0].contains('.')
    });
    numbers.map(|two| two[0]).collect()
}

fn in_french(lab: &TestLab, args: &[&str], code: i32) -> String {
    let output = lab.xtask(&[&["--lang", "fr"], args].concat());
    let text = said(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    assert_eq!(english(&text), [""; 0], "{args:?}: {text}");
    assert_eq!(points(&text), [""; 0], "{args:?}: {text}");
    text
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn a_french_lab_speaks_french_from_its_setup_to_its_report() {
    let lab = TestLab::new("french");
    has(
        &in_french(&lab, &["status"], 0),
        &["Le lab est arrêté", "ensuite : cargo xtask"],
    );
    has(
        &in_french(&lab, &["preflight"], 0),
        &["contrôle", "Mio libres"],
    );
    let up = in_french(&lab, &["setup"], 0);
    has(
        &up,
        &[
            "Le lab tourne sur le moteur local",
            "2 répliques prêtes",
            "Appliqué : le volume pra-data a été créé",
        ],
    );
    in_french(&lab, &["add", "bonjour"], 0);
    let continuity = in_french(&lab, &["scenario", "1"], 0);
    has(
        &continuity,
        &[
            "Scénario 1 sur local, PCA : le pod meurt",
            "fin brutale",
            "fin ordonnée",
        ],
    );
    let recovery = in_french(&lab, &["scenario", "2"], 0);
    has(
        &recovery,
        &[
            "sinistre : application arrêtée, volume pra-data supprimé",
            "lignes acquittées perdues : 0 sur",
            "détection",
            "remise en service",
            "RPO : rien n'a été perdu",
            "(mesuré)",
            "oui",
        ],
    );
    let status = in_french(&lab, &["status"], 0);
    has(
        &status,
        &["répliques", "dernière sauvegarde", "il y a", "réussi"],
    );
    let list = in_french(&lab, &["restore", "--list"], 0);
    has(&list, &["vérifié", " UTC", "le journal permet de revenir"]);
    let dated = list.lines().filter(|line| line.starts_with("app-"));
    for line in dated {
        let date = line.split_whitespace().nth(1).unwrap();
        let parts: Vec<usize> = date.split('/').map(str::len).collect();
        assert_eq!(parts, [2, 2, 4], "{line}");
    }
    let plan = in_french(&lab, &["restore", "--to", "1 s ago", "--plan"], 0);
    has(&plan, &["rien n'a été touché"]);
    has(
        &in_french(&lab, &["restore", "latest", "--yes"], 0),
        &["Restauré (latest)", "De nouveau protégé"],
    );
    has(
        &in_french(&lab, &["undo", "--yes"], 0),
        &["Restauré (undo)"],
    );
    has(
        &in_french(&lab, &["scenario", "volume-los"], 2),
        &["vouliez-vous dire volume-loss ?"],
    );
    has(
        &in_french(&lab, &["teardown"], 2),
        &["rien n'a été fait, faute d'un oui"],
    );
    results(&lab);
    has(&in_french(&lab, &["teardown", "--yes"], 0), &["supprimé"]);
}

/// Sentences in a document are in the language of its run, keys and words are not; the page
/// is in the language of who draws it.
fn results(lab: &TestLab) {
    let newest = &lab.json(&["runs", "list"])[0];
    let folder = lab
        .root
        .join(".lab/runs")
        .join(newest["name"].as_str().unwrap());
    let text = fs::read_to_string(folder.join("result.json")).unwrap();
    let result: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["rto"]["phases"][0]["name"], "detected");
    assert_eq!(result["protection"], "journal");
    let lessons = result["lessons"].to_string();
    assert!(
        lessons.contains("les utilisateurs ont été privés de service"),
        "{lessons}"
    );
    has(
        &in_french(lab, &["report"], 0),
        &["Cette exécution", "dessiné"],
    );
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    has(
        &page,
        &[
            "<html lang=\"fr\">",
            "Chronologie",
            "volume-loss (perte du volume)",
            "lignes perdues",
        ],
    );
    let history = fs::read_to_string(lab.root.join(".lab/runs/index.html")).unwrap();
    has(
        &history,
        &["<html lang=\"fr\">", "Exécutions, la plus récente d'abord"],
    );
}

/// The title of the first scenario, which needs no lab.
fn title(command: &mut Command) -> String {
    let output: Output = command.output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    text.lines().next().unwrap().to_owned()
}

#[test]
fn an_option_goes_before_lab_toml_and_that_before_the_environment() {
    const ENGLISH_TITLE: &str = "1  pod-crash: PCA: the pod dies";
    const FRENCH_TITLE: &str = "1  pod-crash : PCA : le pod meurt";
    let lab = TestLab::bare("languages");
    let list = ["scenario", "--list"];
    let of_environment = |language: &str| title(lab.command(&list).env("LANGUAGE", language));
    assert_eq!(of_environment("en"), ENGLISH_TITLE);
    assert_eq!(of_environment("fr:en"), FRENCH_TITLE);
    let mut by_locale = lab.command(&list);
    by_locale
        .env_remove("LANGUAGE")
        .env("LC_ALL", "fr_FR.UTF-8");
    assert_eq!(title(&mut by_locale), FRENCH_TITLE);
    lab.configure("lang = \"auto\"", "lang = \"fr\"");
    assert_eq!(of_environment("en"), FRENCH_TITLE);
    let option = ["--lang", "en", "scenario", "--list"];
    assert_eq!(
        title(lab.command(&option).env("LANGUAGE", "fr")),
        ENGLISH_TITLE
    );
    assert!(
        lab.fails(2, &["--lang", "en", "scenario", "nope"])
            .contains("there is no scenario")
    );
}
