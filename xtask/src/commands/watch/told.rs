//! A look in words: rows of a table for a terminal, or one line.

use terms::lang::{Both, both, decimal, duration, fixed};
use terms::{Labelled, tr};

use super::look::{Copies, Journal, Look, Point};
use crate::alerts::{Alert, State};

/// A row for each thing there is to tell.
pub fn rows(look: &Look) -> Vec<Vec<String>> {
    let mut rows = vec![row(both("state", "état"), state(look))];
    if look.running {
        rows.push(row(both("replicas", "répliques"), replicas(look)));
        rows.push(row(both("rows", "lignes"), known(look.rows)));
        rows.push(row(both("requests", "requêtes"), requests(look)));
        if let Some(protection) = look.protection {
            rows.push(row(Both::same("protection"), protection.label()));
        }
        if let Some(point) = point(look) {
            rows.push(row(both("newest point", "dernier point"), point));
        }
        if let Some(journal) = &look.journal {
            rows.push(row(Both::same("journal"), of_journal(journal)));
        }
        if let Some(copies) = &look.offsite {
            rows.push(row(
                both("copies elsewhere", "copies ailleurs"),
                of_copies(copies),
            ));
        }
        let mut name = both("alerts", "alertes");
        for alert in alerts(look) {
            rows.push(row(name, alert));
            name = Both::same("");
        }
    }
    if let Some(holder) = &look.holder {
        rows.push(row(both("busy", "occupé"), holder.clone()));
    }
    if let Some(doing) = &look.doing {
        rows.push(row(both("scenario", "scénario"), doing.told()));
    }
    let trouble = look.trouble.iter();
    rows.extend(trouble.map(|one| row(both("not asked", "sans réponse"), one.clone())));
    rows
}

/// The same in one line, without alerts' sentences.
pub fn line(look: &Look) -> String {
    let mut parts = vec![state(look)];
    if look.running {
        parts.push(tr!(
            "replicas {replicas}",
            "répliques {replicas}",
            replicas = replicas(look)
        ));
        parts.push(tr!("rows {rows}", "lignes {rows}", rows = known(look.rows)));
        parts.push(tr!(
            "requests {requests}",
            "requêtes {requests}",
            requests = requests(look)
        ));
        parts.extend(point(look).map(|point| format!("point {point}")));
        let journal = look.journal.as_ref().map(of_journal);
        parts.extend(journal.map(|journal| format!("journal {journal}")));
        let copies = look.offsite.as_ref().map(of_copies);
        parts.extend(copies.map(|copies| format!("copies {copies}")));
        parts.push(match look.alerts.as_deref() {
            None => tr!("alerts unknown", "alertes inconnues"),
            Some(all) => {
                let raised = all.iter().filter(|one| one.state == State::Firing);
                let names: Vec<&str> = raised.map(|one| one.name.as_str()).collect();
                let waiting = all.len() - names.len();
                match (names.is_empty(), waiting) {
                    (true, 0) => tr!("no alert", "aucune alerte"),
                    (true, _) => tr!(
                        "no alert yet, {waiting} if it stays so",
                        "aucune alerte encore, {waiting} si cela dure",
                    ),
                    (false, _) => tr!(
                        "alerts {names}",
                        "alertes {names}",
                        names = names.join(", "),
                    ),
                }
            }
        });
    }
    parts.extend(look.holder.clone());
    parts.extend(look.doing.as_ref().map(|doing| doing.told()));
    parts.extend(look.trouble.iter().cloned());
    parts.join(" | ")
}

fn row(name: Both, value: String) -> Vec<String> {
    vec![name.into(), value]
}

fn state(look: &Look) -> String {
    let state = match (look.running, look.engine) {
        (false, None) => both("unknown", "inconnu"),
        (false, Some(_)) if !look.trouble.is_empty() => both("unknown", "inconnu"),
        (false, Some(_)) => both("down", "arrêté"),
        (true, _) if look.needs_restore => both(
            "up, the database is gone",
            "en marche, la base de données a disparu",
        ),
        (true, _) if look.wanted == 0 => both("up, and stopped", "en marche, mais à l'arrêt"),
        (true, _) if look.ready == 0 => both("up, nobody is served", "en marche, sans service"),
        (true, _) if look.rows.is_none() => both("up, in trouble", "en marche, en difficulté"),
        (true, _) => both("up", "en marche"),
    };
    let gameday = match look.gameday {
        true => both(", a game day goes on", ", un game day est en cours").text(),
        false => "",
    };
    let suspended = match look.suspended {
        true => both(", backups suspended", ", sauvegardes suspendues").text(),
        false => "",
    };
    format!("{state}{suspended}{gameday}")
}

fn replicas(look: &Look) -> String {
    let (ready, wanted) = (look.ready, look.wanted);
    tr!("{ready} of {wanted} ready", "{ready} prêtes sur {wanted}")
}

fn known(number: Option<u64>) -> String {
    number.map_or_else(|| tr!("unknown", "inconnu"), |number| number.to_string())
}

fn requests(look: &Look) -> String {
    let Some(rate) = look.requests_per_second else {
        return tr!("unknown", "inconnu");
    };
    let rate = decimal(rate, 1);
    let (heard, ready) = (look.replicas_heard, look.ready);
    match heard < ready {
        true => tr!(
            "{rate} a second, of {heard} replicas out of {ready}",
            "{rate} par seconde, pour {heard} répliques sur {ready}",
        ),
        false => tr!("{rate} a second", "{rate} par seconde"),
    }
}

/// Where the lab has restore points.
fn point(look: &Look) -> Option<String> {
    let Some(Point {
        name,
        age_seconds,
        heard_seconds,
    }) = &look.newest_point
    else {
        let replicas = look.protection == Some(terms::Protection::Replication);
        return (look.rows.is_some() && !replicas).then(|| tr!("none yet", "aucun"));
    };
    let age = duration(*age_seconds as u64);
    // The next look that is heard comes within seconds.
    let heard = match *heard_seconds > 5.0 {
        true => {
            let heard = fixed(*heard_seconds, 0);
            tr!(
                " (as the application said {heard} s ago)",
                " (selon l'application il y a {heard} s)",
            )
        }
        false => String::new(),
    };
    Some(tr!(
        "{name}, {age} old{heard}",
        "{name}, il y a {age}{heard}",
    ))
}

fn of_journal(journal: &Journal) -> String {
    let mode = &journal.mode;
    let position = journal.position.map(|at| fixed(at, 0));
    let mut told = position.map_or_else(
        || mode.clone(),
        |at| tr!("{mode}, up to {at}", "{mode}, jusqu'à {at}"),
    );
    if let Some(lag) = journal.lag.filter(|lag| *lag > 0.0) {
        let lag = fixed(lag, 0);
        told.push_str(&tr!(
            ", {lag} transactions behind",
            ", en retard de {lag} transactions",
        ));
    }
    if journal.damaged {
        told.push_str(both(", DAMAGED", ", ENDOMMAGÉ").text());
    }
    told
}

fn of_copies(copies: &Copies) -> String {
    let behind = match copies.behind {
        Some(lag) => tr!("{lag} s behind", "{lag} s de retard", lag = fixed(lag, 0),),
        None if copies.failing => tr!("nothing leads to the present", "rien ne mène au présent",),
        None => tr!("nothing to copy yet", "rien à copier encore"),
    };
    let failing = match copies.failing {
        true => both(", FAILING", ", EN ÉCHEC").text(),
        false => "",
    };
    format!("{behind}{failing}")
}

fn alerts(look: &Look) -> Vec<String> {
    match look.alerts.as_deref() {
        None => vec![tr!("unknown", "inconnues")],
        Some([]) => vec![tr!("none", "aucune")],
        Some(all) => all.iter().map(Alert::told).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use terms::{EngineName, LabName};

    fn up() -> Look {
        Look {
            engine: Some(EngineName::Local),
            running: true,
            ready: 1,
            wanted: 2,
            rows: Some(1200),
            requests_per_second: Some(61.26),
            replicas_heard: 1,
            alerts: Some(Vec::new()),
            ..Look::of_nothing(LabName::Pra)
        }
    }

    #[test]
    fn a_lab_that_is_down_away_or_silent_is_told_as_such() {
        let down = Look {
            engine: Some(EngineName::Local),
            ..Look::of_nothing(LabName::Pra)
        };
        assert_eq!(line(&down), "down");
        let away = Look {
            ready: 0,
            rows: None,
            ..up()
        };
        assert!(line(&away).starts_with("up, nobody is served"));
        let silent = Look {
            trouble: vec!["engine: no answer".to_owned()],
            ..down
        };
        assert_eq!(line(&silent), "unknown | engine: no answer");
    }

    #[test]
    fn a_rate_of_some_replicas_is_not_told_as_that_of_all() {
        assert!(line(&up()).contains("requests 61.3 a second | point none yet | no alert"));
        let both = Look { ready: 2, ..up() };
        assert!(line(&both).contains("61.3 a second, of 1 replicas out of 2"));
    }

    #[test]
    fn copies_elsewhere_are_told_where_some_are_made() {
        let told = |behind, failing| {
            line(&Look {
                offsite: Some(Copies { behind, failing }),
                ..up()
            })
        };
        assert!(told(Some(3.2), false).contains("| copies 3 s behind |"));
        assert!(told(Some(93.0), true).contains("copies 93 s behind, FAILING |"));
        assert!(told(None, false).contains("copies nothing to copy yet |"));
        assert!(told(None, true).contains("nothing leads to the present, FAILING |"));
        assert!(!line(&up()).contains("copies"));
    }

    #[test]
    fn a_point_that_was_heard_of_long_ago_says_so() {
        let point = |heard_seconds| {
            let point = Point {
                name: "app-7.db".to_owned(),
                age_seconds: 61.5,
                heard_seconds,
            };
            line(&Look {
                newest_point: Some(point),
                ..up()
            })
        };
        assert!(
            point(0.4).contains("app-7.db, 1 min 1 s old |"),
            "{}",
            point(0.4)
        );
        assert!(point(30.0).contains("as the application said 30 s ago"));
    }
}
