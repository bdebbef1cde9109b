//! Pages drawn from results as the task runner writes them.

mod support;

use std::fs;

use serde_json::json;

use support::{check_page, drill, keep, ledger, result, runs};

#[test]
fn a_run_becomes_a_page_and_a_junit_document() {
    let runs = runs("one-run");
    let ledger = ledger(900, 60.0, 5.0..7.5);
    let name = "2026-11-22T05-54-33-123Z-volume-loss";
    let folder = keep(&runs, name, &result(false, 17, 2.5), Some(&ledger));
    let html = fs::read_to_string(report::run(&folder).unwrap()).unwrap();
    check_page(&html);
    assert!(
        html.contains("17 &lt;rows&gt; are lost"),
        "escaped and shown"
    );
    assert!(html.contains("promise broken"));
    assert!(html.contains("Connection refused &lt;os error 111&gt;"));
    assert!(html.contains("kubectl -n pra delete pvc pra-data"));
    assert!(
        html.contains("sent nothing for &lt;1&gt; s"),
        "doubts are shown"
    );
    assert!(html.contains("<dd>4711</dd>"), "so is the seed");
    assert!(html.contains("12.5") && html.contains("after the backup"));
    for said in [
        "after &lt;preStop&gt;",
        "Snapshots alone, measured",
        "on purpose 1.05 s before",
        "Snapshots alone, computed",
        "rows on average, 30.1 s worth; 3606 rows, 60.1 s at worst, with backups every 60",
        "0.75 s stand for a person who decides",
    ] {
        assert!(html.contains(said), "{said}");
    }
    let junit = fs::read_to_string(folder.join("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"2\" failures=\"1\""), "{junit}");
    let property = r#"<property name="sqlite" value="3.50.4"></property>"#;
    assert!(junit.contains(property), "{junit}");
    assert!(html.contains("<dt>sqlite</dt><dd>3.50.4</dd>"));
}

#[test]
fn a_run_of_a_lab_that_was_watched_shows_its_first_alert() {
    let runs = runs("watched");
    let mut watched = result(true, 0, 2.5);
    let page = |name: &str, watched: &serde_json::Value| {
        let folder = keep(&runs, name, watched, Some(&ledger(900, 60.0, 5.0..7.5)));
        let html = fs::read_to_string(report::run(&folder).unwrap()).unwrap();
        check_page(&html);
        html
    };
    watched["alert"] = json!({"name": "NeedsRestore", "severity": "critical",
        "fired_seconds": 6.125, "resolved_seconds": 3.25});
    let html = page("2026-11-22T05-54-33-123Z-volume-loss", &watched);
    assert!(html.contains("First alert"), "{html}");
    for said in ["6.1", "NeedsRestore", "resolved 3.25 s after the recovery"] {
        assert!(html.contains(said), "{said}: {html}");
    }
    watched["alert"]["resolved_seconds"] = json!(null);
    let html = page("2026-11-22T05-55-33-123Z-volume-loss", &watched);
    assert!(html.contains("not resolved yet"), "{html}");
}

/// There are no snapshots beside them, and the phases are the operator's.
#[test]
fn a_run_with_replicas_says_nothing_of_snapshots_and_has_the_phases_of_the_failover() {
    let runs = runs("replicas");
    let mut ha = result(true, 0, 2.5);
    ha["lab"] = json!("ha");
    ha["protection"] = json!("replication");
    ha["scenario"] = json!("primary-loss");
    ha["rpo"]["schedule"] = json!(null);
    ha["rto"]["phases"] = json!([
        {"name": "noticed", "seconds": 1.5}, {"name": "given-up", "seconds": 0.25},
        {"name": "promoted", "seconds": 0.5}, {"name": "serving", "seconds": 0.25},
    ]);
    let name = "2026-11-22T05-54-33-123Z-primary-loss";
    let folder = keep(&runs, name, &ha, Some(&ledger(900, 60.0, 5.0..7.5)));
    let html = fs::read_to_string(report::run(&folder).unwrap()).unwrap();
    check_page(&html);
    assert!(!html.contains("Snapshots alone"), "{html}");
    for said in [
        "noticed",
        "given-up",
        "promoted",
        "serving",
        "Lab ha, local engine, protection: replication",
    ] {
        assert!(html.contains(said), "{said}");
    }
    assert!(!html.contains("First alert"), "nothing watched that run");
    // The same scenario of the other lab is another thing; older results name none.
    let mut other = ha.clone();
    other.as_object_mut().unwrap().remove("lab");
    keep(&runs, "2026-11-22T05-55-33-123Z-primary-loss", &other, None);
    let history = fs::read_to_string(report::history(&runs).unwrap()).unwrap();
    check_page(&history);
    for lab in ["ha", "pra"] {
        assert!(history.contains(&format!("<td>{lab}</td>")), "{history}");
        let trend = format!("primary-loss, {lab}, replication, local");
        assert!(history.contains(&trend), "no {trend:?} in {history}");
    }
}

/// And only where it was asked for: older results say nothing of either.
#[test]
fn how_the_client_asked_is_shown_with_what_it_took() {
    let runs = runs("asked");
    let mut one = result(true, 0, 2.5);
    let page = |name: &str, result: &serde_json::Value| {
        let folder = keep(&runs, name, result, None);
        let html = fs::read_to_string(report::run(&folder).unwrap()).unwrap();
        check_page(&html);
        html
    };
    let plain = page("2026-11-22T05-54-33-123Z-volume-loss", &one);
    assert!(!plain.contains("Connections kept") && !plain.contains("Sent again"));
    let client = one["client"].as_object_mut().unwrap();
    let asked = json!({"keep_alive": true, "retry": true, "connections_opened": 37, "connections_unanswered": 31,
        "attempts": 1234, "retried": 56, "replayed": 7, "reads_again": 3});
    client.extend(asked.as_object().unwrap().clone());
    let html = page("2026-11-22T05-55-33-123Z-volume-loss", &one);
    for said in [
        "<dd>37<small>opened in all, of which never answered: 31; reads asked again on a new one: 3",
        "<dd>56<small>of 900 writes, until each was answered: 1234 attempts; stored by an \
         earlier one: 7",
    ] {
        assert!(html.contains(said), "{said}: {html}");
    }
}

/// One outage, in which each write failed once and was answered at its second attempt.
#[test]
fn attempts_that_failed_are_drawn_and_told_from_writes() {
    let runs = runs("attempts");
    let mut text = String::new();
    for n in 0..90_u32 {
        let due = f64::from(n) / 10.0;
        let sent = json!({"event": "sent", "n": n, "due": due, "at": due, "message": "m"});
        text += &format!("{sent}\n");
        let mut ended = json!({"event": "ended", "n": n, "at": due + 0.2,
            "outcome": {"acknowledged": {"id": n, "timestamp": "t"}}});
        if (40..50).contains(&n) {
            let attempt = json!({"event": "attempt", "n": n, "sent": due, "at": due + 0.05,
                "reason": "refused"});
            text += &format!("{attempt}\n");
            ended["last_sent"] = json!(due + 0.1);
        }
        text += &format!("{ended}\n");
    }
    let mut one = result(true, 0, 1.0);
    one["client"] = json!({"requests": 90, "failed": 0, "retry": true, "attempts": 100,
        "attempts_failed": 10, "retried": 10});
    let folder = keep(
        &runs,
        "2026-11-22T05-54-33-123Z-volume-loss",
        &one,
        Some(&text),
    );
    let html = fs::read_to_string(report::run(&folder).unwrap()).unwrap();
    check_page(&html);
    for said in [
        "10 of 100 attempts failed, and in the end 0 of 90 writes",
        "Why attempts failed",
        "The most frequent reasons, of failed attempts: 10",
    ] {
        assert!(html.contains(said), "{said}");
    }
    assert!(!html.contains("failed requests") && !html.contains("failed writes"));
    // Beside the 20 writes that were acknowledged in those two seconds.
    assert!(html.contains("<td class=\"number\">20</td><td class=\"number\">10</td>"));
    let red = |html: &str| html.matches("#C4232B").count();
    let answered: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains("\"attempt\""))
        .collect();
    let answered = keep(
        &runs,
        "2026-11-22T05-56-33-123Z-volume-loss",
        &one,
        Some(&answered.join("\n")),
    );
    let answered = fs::read_to_string(report::run(&answered).unwrap()).unwrap();
    // On the timeline, the throughput and the latency, each in two sizes.
    assert!(
        red(&html) >= red(&answered) + 6,
        "{} {}",
        red(&html),
        red(&answered)
    );
    one["client"]["retry"] = json!(false);
    let plain = keep(
        &runs,
        "2026-11-22T05-55-33-123Z-volume-loss",
        &one,
        Some(&text),
    );
    let plain = fs::read_to_string(report::run(&plain).unwrap()).unwrap();
    assert!(plain.contains("0 of 90 writes failed") && !plain.contains("attempts failed"));
}

#[test]
fn a_drill_and_a_history_become_pages() {
    let runs = runs("drill");
    let ledger = ledger(900, 60.0, 5.0..7.5);
    for n in 0..8_u32 {
        let name = format!("2026-11-22T05-5{n}-33-123Z-volume-loss");
        let one = result(n != 3, u64::from(n) * 5, 2.0 + f64::from(n) / 4.0);
        keep(&runs, &name, &one, Some(&ledger));
    }
    let folder = keep(&runs, "2026-11-22T06-00-00-000Z-drill", &drill(), None);
    let html = fs::read_to_string(report::run(&folder).unwrap()).unwrap();
    check_page(&html);
    assert!(html.contains("rto_seconds: 3 s") && html.contains("✗ missed"));
    for said in [
        "requests were sent late",
        "Cut off: interrupted",
        "1 more cut off",
        "= max",
        "drill --seed 42",
        "No person's time is in an RTO here.",
        "Simpler than a cluster",
    ] {
        assert!(html.contains(said), "{said}");
    }
    let history = fs::read_to_string(report::history(&runs).unwrap()).unwrap();
    check_page(&history);
    assert_eq!(history.matches("-volume-loss/report.html").count(), 8);
    for entry in fs::read_dir(&runs).unwrap() {
        let path = entry.unwrap().path();
        let drawn = !path.is_dir() || path.join("report.html").exists();
        assert!(drawn, "{}", path.display());
    }
}

/// A page grows with the width of its charts, not with the requests behind them.
#[test]
fn a_hundred_thousand_requests_are_drawn_small_and_with_their_one_failure() {
    let runs = runs("large");
    let mut large = result(true, 0, 0.0);
    large["rto"] = json!({"seconds": 0.004, "phases": []});
    // The same 500 s, with one request that failed.
    let drawn = |moment: u32, count: usize, rate: f64| {
        let ledger = ledger(count, rate, 222.0..222.001);
        let name = format!("2026-11-22T05-54-33-{moment}Z-pod-crash");
        let folder = keep(&runs, &name, &large, Some(&ledger));
        fs::read_to_string(report::run(&folder).unwrap()).unwrap()
    };
    let few = drawn(123, 10_000, 20.0);
    let many = drawn(124, 100_000, 200.0);
    check_page(&many);
    let failure = "fill=\"#C4232B\"";
    assert!(many.contains(failure), "the failure is drawn");
    let (few, many) = (few.len(), many.len());
    assert!(many < 2 * few, "{many} bytes, and {few} for a tenth of it");
}

#[test]
fn a_run_that_was_cut_off_is_left_out_and_a_damaged_one_is_named() {
    let runs = runs("damaged");
    fs::create_dir_all(runs.join("2026-11-22T05-54-33-123Z-cut-off")).unwrap();
    assert!(report::history(&runs).is_ok());
    let folder = keep(&runs, "2026-11-22T05-55-33-123Z-bad", &json!([1]), None);
    let error = format!("{:#}", report::run(&folder).unwrap_err());
    assert!(error.contains("05-55-33-123Z-bad/result.json"), "{error}");
}

/// Truncated, of a later format, a folder in its place, or with a damaged
/// ledger: the others are drawn, and it is named.
#[test]
fn one_result_that_cannot_be_read_does_not_stop_the_others() {
    let runs = runs("unreadable");
    let good = result(true, 0, 0.5);
    keep(&runs, "2026-11-22T05-54-30-000Z-good", &good, None);
    let mut newer = good.clone();
    newer["format"] = json!(2);
    keep(&runs, "2026-11-22T05-54-31-000Z-newer", &newer, None);
    let cut_off = keep(&runs, "2026-11-22T05-54-32-000Z-cut-off", &good, None);
    fs::write(cut_off.join("result.json"), "{\"scenario\": \"vol").unwrap();
    let folder = runs.join("2026-11-22T05-54-33-000Z-folder");
    fs::create_dir_all(folder.join("result.json")).unwrap();
    let ledger = "{\"event\": damaged\n{\"event\":\"began\",\"wall\":\"x\"}\n";
    keep(
        &runs,
        "2026-11-22T05-54-34-000Z-ledger",
        &good,
        Some(ledger),
    );

    assert!(report::run(&cut_off).is_err());
    let history = fs::read_to_string(report::history(&runs).unwrap()).unwrap();
    assert!(
        runs.join("2026-11-22T05-54-30-000Z-good/report.html")
            .exists()
    );
    let (left_out, drawn) = history.split_once("Runs, newest first").unwrap();
    assert!(drawn.contains("-good/report.html"), "{history}");
    for name in ["newer", "cut-off", "folder", "ledger"] {
        assert!(left_out.contains(&format!("Z-{name}")), "{name}: {history}");
    }
    assert!(left_out.contains("of another format"), "{history}");
}

/// A game day is a run like others, with what broke and its score.
#[test]
fn a_game_day_tells_what_broke_and_its_score() {
    let runs = runs("gameday");
    let mut game = result(true, 0, 42.5);
    game["scenario"] = json!("gameday");
    // Its client is another process.
    game["client"] = json!({"requests": 700, "late": 3, "cpu_seconds": null, "reads": 40});
    game["gameday"] = json!({
        "level": 3, "teacher": true, "seed": 7,
        "faults": [{"name": "backup-poisoned", "what": "two <points> are damaged"},
                   {"name": "meteor", "what": "of another version"}],
        "noticed_seconds": 12.5, "noticed_by": "change", "diagnosis": "the <disk>",
        "recovered_seconds": 61.25, "tries": 2, "hints": 1, "hint_seconds": 60.0,
        "runbook": {"seconds": 4.5, "source": "runs", "runs": 3},
        "avoidable": 0, "avoidable_seconds": 0.0,
        "score": {"data": 40, "time": 40, "noticed": 10, "protected": 10, "total": 100},
    });
    let name = "2026-11-22T05-54-33-000Z-gameday";
    let folder = keep(&runs, name, &game, Some(&ledger(700, 10.0, 20.0..62.0)));
    let page = fs::read_to_string(report::run(&folder).unwrap()).unwrap();
    check_page(&page);
    for wanted in [
        "Game day, level 3",
        "backup-poisoned",
        "two &lt;points&gt; are damaged",
        "the &lt;disk&gt;",
        "61.25",
        "the median of 3 runs",
        "writes sent late, 40 reads",
    ] {
        assert!(page.contains(wanted), "{wanted} is not in the page");
    }
    assert!(!page.contains("processor time"));
    assert!(!page.contains("Snapshots alone, measured"));
    let history = fs::read_to_string(report::history(&runs).unwrap()).unwrap();
    check_page(&history);
    for wanted in [
        "Game days, newest first",
        "backup-poisoned, meteor",
        ">100<",
    ] {
        assert!(history.contains(wanted), "{wanted} is not in the history");
    }
}
