//! The figures at the head of a run's page.

use maud::{Markup, html};
use terms::lang::{self, Both};
use terms::tr;

use crate::model::{Client, Rpo, Scenario, Schedule, Verified};
use crate::plot::seconds;

pub fn figures(scenario: &Scenario) -> Markup {
    html! {
        dl.figures {
            @for Tile { name, value, detail } in tiles(scenario) {
                div { dt { (name) } dd { (value) small { (detail) } } }
            }
        }
    }
}

/// A figure, and in small print what it is.
struct Tile {
    name: Both,
    value: String,
    detail: String,
}

fn tiles(scenario: &Scenario) -> Vec<Tile> {
    let rpo = &scenario.rpo;
    let mut tiles = vec![lost(rpo), away(scenario)];
    // A game day measures nothing of them.
    tiles.extend(scenario.gameday.is_none().then(|| measured(rpo)));
    tiles.extend(rpo.schedule.as_ref().map(computed));
    tiles.push(verified(&scenario.verified));
    tiles.extend(scenario.protected_seconds.map(protected));
    tiles.push(gap(&scenario.client));
    tiles.extend(client(&scenario.client));
    tiles
}

fn lost(rpo: &Rpo) -> Tile {
    let before = match rpo.lost_from_before {
        0 => String::new(),
        rows => tr!(
            " {rows} from before the run,",
            " {rows} d'avant l'exécution,"
        ),
    };
    Tile {
        name: lang::both("RPO, rows lost", "RPO, lignes perdues"),
        value: rpo.lost.to_string(),
        detail: tr!(
            "{lost} of {acknowledged} acknowledged,{before} {seconds} s worth",
            "{lost} sur {acknowledged} acquittées,{before} soit {seconds} s d'écritures",
            lost = rpo.lost - rpo.lost_from_before,
            acknowledged = rpo.acknowledged,
            seconds = seconds(rpo.seconds),
        ),
    }
}

fn away(scenario: &Scenario) -> Tile {
    let (rto, client) = (&scenario.rto, &scenario.client);
    let least = if rto.open {
        lang::both("at least ", "au moins ").text()
    } else {
        ""
    };
    let person = rto.operator_delay_seconds.map(|delay| {
        tr!(
            "; {delay} s stand for a person who decides",
            " ; {delay} s représentent une personne qui décide",
            delay = seconds(delay),
        )
    });
    Tile {
        name: Both::same("RTO"),
        value: format!("{least}{} s", seconds(rto.seconds)),
        detail: tr!(
            "{failed} of {requests} requests failed{person}",
            "requêtes en échec : {failed} sur {requests}{person}",
            failed = client.failed,
            requests = client.requests,
            person = person.unwrap_or_default(),
        ),
    }
}

fn measured(rpo: &Rpo) -> Tile {
    let age = rpo.backup_age_seconds.map(|age| {
        tr!(
            "; a backup had been taken on purpose {age} s before",
            " ; une sauvegarde avait été prise exprès {age} s avant",
            age = seconds(age),
        )
    });
    Tile {
        name: lang::both("Snapshots alone, measured", "Points seuls, mesuré"),
        value: rpo.snapshot_only_lost.to_string(),
        detail: tr!(
            "rows would be lost, {seconds} s worth{age}",
            "lignes seraient perdues, soit {seconds} s d'écritures{age}",
            seconds = seconds(rpo.snapshot_only_seconds),
            age = age.unwrap_or_default(),
        ),
    }
}

fn computed(schedule: &Schedule) -> Tile {
    Tile {
        name: lang::both("Snapshots alone, computed", "Points seuls, calculé"),
        value: schedule.expected.lost.to_string(),
        detail: tr!(
            "rows on average, {mean} s worth; {lost} rows, {worst} s at worst, with backups every \
             {interval} s",
            "lignes en moyenne, soit {mean} s d'écritures ; {lost} lignes, soit {worst} s, au \
             pire, avec une sauvegarde toutes les {interval} s",
            mean = seconds(schedule.expected.seconds),
            lost = schedule.worst.lost,
            worst = seconds(schedule.worst.seconds),
            interval = seconds(schedule.interval_seconds),
        ),
    }
}

fn verified(verified: &Verified) -> Tile {
    Tile {
        name: lang::both("Rows verified", "Lignes vérifiées"),
        value: verified.rows.to_string(),
        detail: tr!(
            "{phantom} never sent, {changed} changed, {doubt} in doubt",
            "jamais envoyées : {phantom}, modifiées : {changed}, douteuses : {doubt}",
            phantom = verified.phantom,
            changed = verified.changed,
            doubt = verified.in_doubt,
        ),
    }
}

fn protected(after: f64) -> Tile {
    Tile {
        name: lang::both("Protected again", "De nouveau protégé"),
        value: format!("{} s", seconds(after)),
        detail: tr!(
            "after the first failed request; not part of the RTO",
            "après la première requête en échec ; hors du RTO",
        ),
    }
}

fn gap(client: &Client) -> Tile {
    let unseen = client.resolution_seconds.map(|resolution| {
        tr!(
            "; an outage shorter than {resolution} s can go unseen",
            " ; une panne de moins de {resolution} s peut passer inaperçue",
            resolution = seconds(resolution),
        )
    });
    Tile {
        name: lang::both("Longest gap", "Plus long intervalle"),
        value: format!("{} s", seconds(client.longest_gap_seconds)),
        detail: tr!(
            "between acknowledgements{unseen}",
            "entre deux acquittements{unseen}",
            unseen = unseen.unwrap_or_default(),
        ),
    }
}

/// What the measuring itself cost; older results do not say it, and a client that was another
/// process cannot be asked for its processor time.
fn client(client: &Client) -> Option<Tile> {
    let late = client.late?;
    let reads = client
        .reads
        .map(|reads| tr!(", {reads} reads", ", lectures : {reads}"));
    let failed = client
        .reads_failed
        .map(|failed| tr!(", {failed} failed", ", en échec : {failed}"));
    let (reads, failed) = (reads.unwrap_or_default(), failed.unwrap_or_default());
    let (value, detail) = match client.cpu_seconds {
        Some(cpu) => (
            format!("{} s", seconds(cpu)),
            tr!(
                "of processor time; {late} requests sent late{reads}{failed}",
                "de temps processeur ; requêtes envoyées en retard : {late}{reads}{failed}"
            ),
        ),
        None => (
            late.to_string(),
            tr!(
                "requests sent late{reads}{failed}",
                "requêtes envoyées en retard{reads}{failed}"
            ),
        ),
    };
    Some(Tile {
        name: lang::both("The client itself", "Le client lui-même"),
        value,
        detail,
    })
}
