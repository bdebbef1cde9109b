//! The figures at the head of a run's page.

use maud::{Markup, html};
use terms::lang::{self, Both};
use terms::{Protection, tr};

use crate::model::{Client, FirstAlert, Rpo, Scenario, Schedule, Verified};
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
    tiles.extend(scenario.alert.as_ref().map(alerted));
    // A game day measures nothing of them, and where there are replicas there are none.
    let has_snapshots = scenario.protection != Protection::Replication;
    tiles.extend((scenario.gameday.is_none() && has_snapshots).then(|| measured(rpo)));
    tiles.extend(rpo.schedule.as_ref().map(computed));
    tiles.push(verified(&scenario.verified));
    tiles.extend(scenario.protected_seconds.map(protected));
    tiles.push(gap(&scenario.client));
    tiles.extend(client(&scenario.client));
    tiles.extend(kept(&scenario.client));
    tiles.extend(sent_again(&scenario.client));
    tiles
}

fn alerted(alert: &FirstAlert) -> Tile {
    let resolved = match alert.resolved_seconds {
        None => lang::both("not resolved yet", "pas encore résolue").into(),
        Some(before) if before < 0.0 => tr!(
            "it ended {before} s before the recovery",
            "elle a pris fin {before} s avant la reprise",
            before = seconds(-before),
        ),
        Some(after) => tr!(
            "resolved {after} s after the recovery",
            "résolue {after} s après la reprise",
            after = seconds(after),
        ),
    };
    Tile {
        name: lang::both("First alert", "Première alerte"),
        value: format!("{} s", seconds(alert.fired_seconds)),
        detail: tr!(
            "{name}; {resolved}",
            "{name} ; {resolved}",
            name = alert.name,
        ),
    }
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
    let nobody = scenario.auto.then(|| {
        tr!(
            "; the lab restored by itself (--auto)",
            " ; le lab a restauré de lui-même (--auto)",
        )
    });
    Tile {
        name: Both::same("RTO"),
        value: format!("{least}{} s", seconds(rto.seconds)),
        detail: client.failures() + &person.or(nobody).unwrap_or_default(),
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
                "of processor time; {late} writes sent late{reads}{failed}",
                "de temps processeur ; écritures envoyées en retard : {late}{reads}{failed}"
            ),
        ),
        None => (
            late.to_string(),
            tr!(
                "writes sent late{reads}{failed}",
                "écritures envoyées en retard{reads}{failed}"
            ),
        ),
    };
    Some(Tile {
        name: lang::both("The client itself", "Le client lui-même"),
        value,
        detail,
    })
}

/// How connections were used, where they were kept.
fn kept(client: &Client) -> Option<Tile> {
    let opened = client.connections_opened.unwrap_or_default();
    let unanswered = client.connections_unanswered.map(|count| {
        tr!(
            ", of which never answered: {count}",
            ", dont jamais de réponse : {count}",
        )
    });
    client.keep_alive.then(|| Tile {
        name: lang::both("Connections kept", "Connexions conservées"),
        value: opened.to_string(),
        detail: tr!(
            "opened in all{unanswered}; reads asked again on a new one: {again}",
            "ouvertes en tout{unanswered} ; lectures redemandées sur une nouvelle : {again}",
            unanswered = unanswered.unwrap_or_default(),
            again = client.reads_again,
        ),
    })
}

/// What it took that each write was answered, where they were sent again until then.
fn sent_again(client: &Client) -> Option<Tile> {
    client.retry.then(|| Tile {
        name: lang::both("Sent again", "Envoyées de nouveau"),
        value: client.retried.to_string(),
        detail: tr!(
            "of {requests} writes, until each was answered: {attempts} attempts; stored by an \
             earlier one: {replayed}",
            "sur {requests} écritures, jusqu'à la réponse à chacune : {attempts} tentatives ; déjà \
             stockées par une tentative précédente : {replayed}",
            requests = client.requests,
            attempts = client.attempts,
            replayed = client.replayed,
        ),
    })
}
