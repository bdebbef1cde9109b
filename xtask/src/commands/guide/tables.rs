//! The guide's tables and numbers, in French, from committed measurements.

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::lang::{Lang, decimal, speaking};

/// What is destroyed in exercise 1, and what brings the service back.
const DESTROYED: [(&str, &str, &str); 6] = [
    (
        "pod-crash",
        "un **pod**",
        "l'autre réplique, tout de suite ; Kubernetes en recrée une",
    ),
    (
        "volume-loss",
        "**`pra-data`**",
        "la restauration : dernier point et journal",
    ),
    (
        "backup-volume-loss",
        "**`pra-backup`**",
        "un volume neuf, un premier point : le passé est perdu",
    ),
    (
        "both-volumes-loss",
        "**les deux volumes**",
        "la dernière copie exportée, et elle seule",
    ),
    (
        "node-loss",
        "le **nœud** qui les porte (arrêté, puis relancé)",
        "le retour du nœud, et lui seul",
    ),
    (
        "cluster-loss",
        "le **cluster**",
        "un cluster neuf et la dernière copie exportée",
    ),
];

/// The protections of exercise 3.
const PROTECTIONS: [(&str, &str); 3] = [
    ("cp", "`cp` chaque minute, à la main"),
    ("snapshot", "points seuls"),
    ("journal", "points et journal"),
];

/// The figures of exercise 3; those of phases are not there for every protection.
const FIGURES: [(&str, &str); 10] = [
    ("rpo_seconds", "**RPO** (secondes de travail perdues)"),
    ("lost", "lignes acquittées et perdues"),
    ("lost_during", "· dont acceptées pendant l'arrêt"),
    (
        "lost_after",
        "· dont acceptées sur le volume vide, puis écrasées",
    ),
    ("rto_seconds", "**RTO** (secondes sans service)"),
    ("phase_detected", "· dont détection"),
    ("phase_provisioned", "· dont arrêt et volumes recréés"),
    ("phase_restored", "· dont restauration"),
    ("phase_serving", "· dont remise en service"),
    ("protected_seconds", "de nouveau protégé après (s)"),
];

/// What is lost in exercise 5, and what takes its place.
const LOST: [(&str, &str, &str); 7] = [
    (
        "pod-crash",
        "une réplique de l'application",
        "les deux autres ; Kubernetes en recrée une",
    ),
    (
        "primary-loss",
        "le **primaire**",
        "une autre instance, choisie par l'opérateur",
    ),
    (
        "volume-loss",
        "le primaire et son **volume**",
        "une autre instance ; une troisième est recopiée",
    ),
    (
        "node-loss",
        "le **nœud** du primaire et de l'opérateur en charge",
        "l'autre opérateur, puis une autre instance",
    ),
    (
        "partition",
        "le **réseau** du nœud du primaire",
        "une instance du côté de la majorité",
    ),
    (
        "server-loss",
        "**deux serveurs** sur trois",
        "leur retour : sans majorité, rien n'est acquitté",
    ),
    (
        "drain",
        "rien : le nœud du primaire est vidé, exprès",
        "une autre instance, avant que le nœud soit vidé",
    ),
];

/// A number as French has it: no more digits than it deserves.
pub fn number(value: &Value) -> Result<String> {
    let number = value
        .as_f64()
        .with_context(|| format!("{value} is no number"))?;
    let places = if number < 10.0 { 2 } else { 1 };
    Ok(speaking(Lang::French, || decimal(number, places)))
}

/// Exercise 1: one destruction a row.
pub fn components(measured: &Value) -> Result<String> {
    let head = [
        "on détruit",
        "lignes perdues",
        "sans le journal, ou sans la copie",
        "acquittées pendant la mesure",
        "requêtes en échec",
        "service absent (s)",
        "ce qui le ramène",
    ];
    let mut lines = vec![
        row(head.map(str::to_owned)),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (name, what, by) in DESTROYED {
        let run = &measured[name];
        anyhow::ensure!(run.is_object(), "{name} was not measured");
        let of = |key: &str| number(&run[key]).with_context(|| format!("{name}: {key}"));
        let restores = ["volume-loss", "both-volumes-loss", "cluster-loss"].contains(&name);
        lines.push(row([
            what.to_owned(),
            of("lost")?,
            if restores {
                of("snapshot_only_lost")?
            } else {
                "–".to_owned()
            },
            of("acknowledged")?,
            format!("{} sur {}", of("failed")?, of("requests")?),
            of("rto_seconds")?,
            by.to_owned(),
        ]));
    }
    Ok(lines.join("\n"))
}

/// Exercise 5: one loss a row.
pub fn robust(measured: &Value) -> Result<String> {
    let head = [
        "on perd",
        "n",
        "lignes acquittées perdues (RPO)",
        "requêtes en échec",
        "service absent (RTO, s)",
        "sans écriture acquittée (s)",
        "ce qui prend la place",
    ];
    let mut lines = vec![
        row(head.map(str::to_owned)),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    for (name, what, by) in LOST {
        let found = &measured[name];
        anyhow::ensure!(found.is_object(), "{name} was not measured");
        let of = |name: &str| {
            let figure = &found["figures"][name];
            match figure["min"] == figure["max"] && !figure.is_null() {
                true => number(&figure["median"]),
                false => spread(figure),
            }
        };
        lines.push(row([
            what.to_owned(),
            number(&found["n"])?,
            of("lost")?,
            of("failed")?,
            of("rto_seconds")?,
            of("longest_gap_seconds")?,
            by.to_owned(),
        ]));
    }
    Ok(lines.join("\n"))
}

/// Exercise 3: the spread of each figure under each protection.
pub fn recovery(measured: &Value) -> Result<String> {
    let heads = PROTECTIONS.map(|(name, what)| {
        let n = &measured[name]["n"];
        format!("{what} (n = {n})")
    });
    let mut lines = vec![
        format!("| médiane (min – max) | {} |", heads.join(" | ")),
        "|---|---|---|---|".to_owned(),
    ];
    let failed = PROTECTIONS.map(|(name, _)| {
        let of = |key: &str| &measured[name][key];
        format!("{} sur {}", of("failed_recoveries"), of("n"))
    });
    lines.push(format!(
        "| **reprises manquées** | {} |",
        failed.join(" | ")
    ));
    for (figure, what) in FIGURES {
        let mut cells = vec![what.to_owned()];
        for (protection, _) in PROTECTIONS {
            anyhow::ensure!(
                measured[protection].is_object(),
                "{protection} was not measured"
            );
            cells.push(spread(&measured[protection]["figures"][figure])?);
        }
        lines.push(format!("| {} |", cells.join(" | ")));
    }
    Ok(lines.join("\n"))
}

fn spread(figure: &Value) -> Result<String> {
    if figure.is_null() {
        return Ok("–".to_owned());
    }
    let of = |key: &str| number(&figure[key]);
    Ok(format!(
        "{} ({} – {})",
        of("median")?,
        of("min")?,
        of("max")?
    ))
}

fn row<const N: usize>(cells: [String; N]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// What made the measurements of a file: one sentence for each date and commit.
pub fn provenance(measured: &Value) -> Result<String> {
    let entries = measured.as_object().context("measurements have names")?;
    let mut said: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, entry) in entries {
        let sentence = made_by(&entry["provenance"]).with_context(|| name.clone())?;
        match said.iter_mut().find(|(one, _)| *one == sentence) {
            Some((_, names)) => names.push(name),
            None => said.push((sentence, vec![name])),
        }
    }
    let sentences = said.iter().map(|(sentence, names)| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!("- {} : {sentence}", names.join(", "))
    });
    Ok(sentences.collect::<Vec<_>>().join("\n"))
}

fn made_by(provenance: &Value) -> Result<String> {
    let version = |name: &str| provenance["versions"][name].as_str();
    let began = provenance["began"].as_str().context("no date")?;
    let day = day(began)?;
    let commit = version("commit").context("no commit")?;
    let dirty = match version("dirty") {
        Some("no") => String::new(),
        Some(files) => format!(" (modifié : {files})"),
        None => String::new(),
    };
    let of = |name: &str| version(name).unwrap_or("inconnu").trim_start_matches('v');
    Ok(format!(
        "mesuré le {day}, commit `{}`{dirty}, {} cœurs, k3d {}, Kubernetes {}, \
         Docker {}, Python {}.",
        commit.get(..7).unwrap_or(commit),
        of("cores"),
        of("k3d"),
        of("kubernetes"),
        of("docker"),
        of("python"),
    ))
}

const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// The day of a moment in RFC 3339, as French has it.
fn day(moment: &str) -> Result<String> {
    let no_day = || format!("{moment} is no moment");
    let parts = moment.split(['-', 'T']).take(3);
    let parts: Vec<usize> = parts
        .map(|part| part.parse().with_context(no_day))
        .collect::<Result<_>>()?;
    let [year, month, day] = parts[..] else {
        anyhow::bail!(no_day());
    };
    let month = MONTHS.get(month.wrapping_sub(1)).with_context(no_day)?;
    let day = match day {
        1 => "1er".to_owned(),
        day => day.to_string(),
    };
    Ok(format!("{day} {month} {year}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_french_and_short() {
        assert_eq!(number(&json!(4.785)).unwrap(), "4,79");
        assert_eq!(number(&json!(31.391)).unwrap(), "31,4");
        assert_eq!(number(&json!(597)).unwrap(), "597");
        assert!(number(&json!("597")).is_err());
    }

    #[test]
    fn days_are_french() {
        let said = day("2026-11-30T00:29:44Z").unwrap();
        assert_eq!(said, "30 novembre 2026");
        assert_eq!(day("2026-12-01T23:00:00Z").unwrap(), "1er décembre 2026");
        assert!(day("2026-13-01T00:00:00Z").is_err());
        assert!(day("hier").is_err());
    }

    #[test]
    fn a_table_without_a_measurement_is_an_error() {
        let said = components(&json!({})).unwrap_err().to_string();
        assert!(said.contains("pod-crash"), "{said}");
        assert!(recovery(&json!({"cp": {}})).is_err());
        assert!(robust(&json!({"pod-crash": {}})).is_err());
    }
}
