//! Scenario 5 of the lab `ha`: one of three servers is lost, then a second one. One alone
//! is no majority: writing has to stop, and nothing may be lost.

use std::time::Duration;

use anyhow::{Context as _, Result};
use terms::lang::{Both, both, number};
use terms::{PhaseName, ScenarioName, tr};

use super::aim::no_primary;
use super::lessons;
use super::loss::wait_until_whole;
use crate::context::Context;
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::exec::variable;
use crate::marker::Marker;
use crate::measure::downtime::{Downtime, Failures};
use crate::measure::figures::{longest_gap, milliseconds};
use crate::measure::observed::Request;
use crate::measure::result::{Moment, Rpo, Rto, ScenarioResult};
use crate::scenario::course::{ACKNOWLEDGED_AFTER, Course, Done};
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outcome::{self, Outcome};
use crate::scenario::repair::Repair;
use crate::scenario::run::{Run, SteadyState};
use crate::wait;

pub const SCENARIO: Scenario = Scenario {
    number: 5,
    name: ScenarioName::ServerLoss,
    title: both(
        "one server of three is lost, then a second",
        "un serveur sur trois est perdu, puis un deuxième",
    ),
    breaks: both(
        "a server without the primary, with its member of etcd; then the other such one; both \
         come back",
        "un serveur sans le primaire, avec son membre d'etcd ; puis l'autre ; les deux reviennent",
    ),
    holds: both(
        "without one the service goes on; without two nothing is acknowledged, and no acknowledged \
         row is missing",
        "sans l'un le service continue ; sans les deux rien n'est acquitté, et aucune ligne \
         acquittée ne manque",
    ),
    takes: both("about 3 minutes", "environ 3 minutes"),
    needs: &[Capability::Url, Capability::Nodes],
    by_itself: true,
    takes_for_good: None,
    way: Way::Own {
        play,
        show,
        strike: None,
    },
    repair: Repair::OF_NODES,
};

const FIRST: Both = both(
    "disaster: a server without the primary is killed",
    "sinistre : un serveur sans le primaire est tué",
);
const SECOND: Both = both("a second server is killed", "un deuxième serveur est tué");
const RETURN: Both = both(
    "both servers are started again",
    "les deux serveurs sont redémarrés",
);

/// How long one is away before the second goes: longer than it takes to be noticed.
const BETWEEN: Duration = Duration::from_secs(20);
/// How long nothing may be acknowledged.
const STOPPED: Duration = Duration::from_secs(15);

/// In seconds of the ledger's clock.
struct Played {
    first: Done<()>,
    second: Done<()>,
    returned: Done<()>,
    whole: f64,
    moments: Vec<Moment>,
}

fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    let (steady, before) = run.begin(engine)?;
    let client = run.client(&steady.url)?;
    let (course, mark) = Course::begin_as_it_is(run, engine, client.ledger())?;
    let played = course_of(course, &mark)?;
    let outcome = Outcome::shown(run, || Outcome::compare(client, before, engine))?;
    mark.done()?;
    run.steady_state(engine)?;
    result(run, engine, steady, &outcome, played)
}

/// The same changes as [`play`] makes, shown only.
fn show(_ctx: &Context, engine: &dyn Engine) -> Result<()> {
    engine.replicated()?.show_servers("FIRST", "SECOND")?;
    for server in ["FIRST", "SECOND"] {
        engine.nodes()?.kill(&variable(server))?;
    }
    engine.nodes()?.start()
}

fn course_of(course: Course, mark: &Marker) -> Result<Played> {
    let (run, engine, ledger) = (course.run, course.engine, course.ledger);
    let topology = engine.replicated()?.topology()?;
    let primary = topology.primary_node().with_context(no_primary)?;
    let [first, second] = topology.other_nodes(primary)[..] else {
        anyhow::bail!(tr!("this needs three servers", "il faut trois serveurs"))
    };
    let first = course.strike(mark, FIRST.text(), |_, engine| engine.nodes()?.kill(first))?;
    let step = run.ctx.ui.step(tr!(
        "the service goes on with two of three",
        "le service continue avec deux sur trois",
    ));
    run.acknowledged(engine, ledger, first.ended, ACKNOWLEDGED_AFTER)?;
    wait::pause(BETWEEN)?;
    step.done(tr!(
        "writes are acknowledged",
        "les écritures sont acquittées",
    ));
    let second = course.act(SECOND.text(), |_, engine| engine.nodes()?.kill(second))?;
    let step = run.ctx.ui.step(tr!(
        "one server of three is left",
        "il reste un serveur sur trois",
    ));
    wait::pause(STOPPED)?;
    step.done(tr!(
        "writes that were sent and acknowledged in {seconds} s: {count}",
        "écritures envoyées et acquittées en {seconds} s : {count}",
        seconds = STOPPED.as_secs(),
        count = ledger.acknowledged_since(second.ended),
    ));
    let returned = course.act(RETURN.text(), |_, engine| engine.nodes()?.start())?;
    let step = run.ctx.ui.step(tr!(
        "service back through the URL",
        "service de retour par l'URL",
    ));
    run.acknowledged(engine, ledger, returned.ended, ACKNOWLEDGED_AFTER)?;
    wait_until_whole(engine)?;
    let said = tr!("every part is there again", "toutes les parties sont là");
    let whole = course.moment(&said);
    step.done(said);
    Ok(Played {
        first,
        second,
        returned,
        whole,
        moments: course.into_moments(),
    })
}

fn result(
    run: &Run,
    engine: &dyn Engine,
    steady: SteadyState,
    outcome: &Outcome,
    played: Played,
) -> Result<ScenarioResult> {
    let (observed, after) = (&outcome.observed, &outcome.after);
    let began = [played.first.began, played.second.began];
    let failures = Failures::new(observed, &began);
    let downtime = |n: usize, gone: f64| Downtime::of(&failures.of[n], observed, after, gone);
    let stopped = downtime(1, played.second.ended);
    let requests = &observed.requests;
    let unreachable = outcome::unreachable_since(requests, played.second.ended);
    let rpo = Rpo::new(requests, &outcome.verdict, &[], unreachable);
    let between = [(PhaseName::Provisioned, played.returned.ended)];
    let rto = match &stopped {
        Some(stopped) => Rto::of(stopped, &between, observed.ended()),
        None => unseen_rto(requests),
    };
    let unseen = stopped.map(|stopped| {
        let back = stopped.back.unwrap_or(observed.ended());
        (stopped.began.min(unreachable), back)
    });
    let mut result = outcome.result(run, engine, steady, rpo, rto, unseen)?;
    result.insist_on_no_loss();
    let alone = acknowledged_by_one(requests, &played);
    result.break_promises((alone > 0).then(|| {
        tr!(
            "writes that were acknowledged with one server of three: {alone}",
            "écritures acquittées avec un serveur sur trois : {alone}",
        )
    }));
    result.doubts.extend(failures.doubt());
    result.doubts.extend(not_seen(stopped.as_ref(), alone));
    result.protected_seconds = stopped.map(|stopped| milliseconds(played.whole - stopped.began));
    let first = downtime(0, played.first.began).map(|one| Rto::of(&one, &[], played.second.began));
    result.lessons = told(&result, first.as_ref(), failures.of[0].len());
    result.moments = played.moments;
    Ok(result)
}

/// Where no request failed, users may have waited all along, and that was no time of 0 s: the
/// longest one without an acknowledged write stands for it, in no phases.
fn unseen_rto(requests: &[Request]) -> Rto {
    Rto {
        seconds: milliseconds(longest_gap(requests)),
        ..Rto::new(0.0, &[])
    }
}

/// What the client did not see, where it waited all along and got an answer at last.
fn not_seen(stopped: Option<&Downtime>, alone: usize) -> Option<String> {
    stopped.is_none().then(|| {
        tr!(
            "no request failed with one server of three left: how long users were without service was \
             not seen, only that of the writes sent meanwhile {alone} were acknowledged meanwhile",
            "aucune requête n'a échoué avec un seul serveur sur trois : la durée sans service pour les \
             utilisateurs n'a pas été vue, seulement que, des écritures envoyées entre-temps, {alone} ont été \
             acquittées entre-temps",
        )
    })
}

/// Writes that were sent and acknowledged while one server was left.
fn acknowledged_by_one(requests: &[Request], played: &Played) -> usize {
    let alone = |one: &&Request| {
        let within = one.last_sent() > played.second.ended && one.ended < played.returned.began;
        one.acknowledged() && within
    };
    requests.iter().filter(alone).count()
}

fn told(result: &ScenarioResult, first: Option<&Rto>, failed: usize) -> Vec<String> {
    let without_one = match first {
        None => tr!(
            "Without one of three servers no request failed: two are a majority of etcd, and of the \
             instances of the database one more than the primary was left to confirm each commit.",
            "Sans un des trois serveurs, aucune requête n'a échoué : deux sont une majorité d'etcd, et il \
             restait une instance de la base en plus du primaire pour confirmer chaque commit.",
        ),
        Some(rto) => tr!(
            "Without one of three servers {failed} requests failed, within {seconds} s: those that were on \
             their way to it, until nothing was sent there any more. Two are a majority of etcd, and of \
             the instances of the database one more than the primary was left to confirm each commit.",
            "Sans un des trois serveurs, requêtes en échec : {failed}, en {seconds} s : celles qui allaient \
             vers lui, jusqu'à ce que plus rien n'y soit envoyé. Deux sont une majorité d'etcd, et il \
             restait une instance de la base en plus du primaire pour confirmer chaque commit.",
            seconds = number(rto.seconds),
        ),
    };
    vec![
        without_one,
        tr!(
            "Without two, the third stopped: its etcd could decide nothing, its database could confirm no \
             commit. It did not know whether the other two had gone or only it was cut off, and had it gone \
             on, there might have been two truths. To stop is what keeps rows from being lost.",
            "Sans deux, le troisième s'est arrêté : son etcd ne pouvait rien décider, sa base ne pouvait \
             confirmer aucun commit. Il ne savait pas si les deux autres avaient disparu ou si lui seul était \
             coupé, et s'il avait continué, il aurait pu y avoir deux vérités. S'arrêter est ce qui évite de \
             perdre des lignes.",
        ),
        match result.rto.phases.is_empty() {
            true => tr!(
                "RTO: no request failed, so nothing of a time without service was seen. In its place \
                 stand the {seconds} s that lay at most between two writes that were acknowledged.",
                "RTO : aucune requête n'a échoué, donc rien d'un temps sans service n'a été vu. Le \
                 chiffre donné, {seconds} s, est le plus long écart entre deux écritures acquittées.",
                seconds = number(result.rto.seconds),
            ),
            false => tr!(
                "RTO: {seconds} s without service, until both servers had been started again; a majority \
                 would have been enough.",
                "RTO : {seconds} s sans service, jusqu'au redémarrage des deux serveurs ; une majorité \
                 aurait suffi.",
                seconds = number(result.rto.seconds),
            ),
        },
        lessons::rows(&result.rpo, &result.verified),
        lessons::look(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::observed::{Attempts, Outcome as Answer};

    fn request(sent: f64, ended: f64, acknowledged: bool) -> Request {
        Request {
            n: 0,
            message: String::new(),
            due: sent,
            sent,
            ended,
            outcome: match acknowledged {
                true => Answer::Acknowledged {
                    id: 1,
                    timestamp: String::new(),
                },
                false => Answer::failed("gone"),
            },
            attempts: Attempts::default(),
        }
    }

    #[test]
    fn a_run_in_which_no_request_failed_says_what_was_not_seen() {
        let said = not_seen(None, 0).unwrap();
        assert!(said.contains("was not seen"), "{said}");
        assert!(said.contains("0 were acknowledged"), "{said}");
        let stopped = Downtime {
            began: 1.0,
            detected: 2.0,
            back: None,
        };
        assert_eq!(not_seen(Some(&stopped), 0), None);
        // One that waited for 19 s was no service of 0 s.
        let waited = [request(1.0, 1.1, true), request(2.0, 20.1, true)];
        assert_eq!(unseen_rto(&waited).seconds, 19.0);
    }

    #[test]
    fn only_what_was_sent_and_acknowledged_with_one_server_breaks_the_promise() {
        let done = |began: f64| Done {
            value: (),
            began,
            ended: began + 1.0,
        };
        let played = Played {
            first: done(0.0),
            second: done(10.0),
            returned: done(30.0),
            whole: 60.0,
            moments: Vec::new(),
        };
        let fine = [
            // On its way when the second server went.
            request(10.9, 11.2, true),
            request(12.0, 13.0, false),
            // Waited until the others were back.
            request(29.0, 35.0, true),
        ];
        assert_eq!(acknowledged_by_one(&fine, &played), 0);
        assert_eq!(
            acknowledged_by_one(&[request(12.0, 12.1, true)], &played),
            1
        );
    }
}
