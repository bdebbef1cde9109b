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
        "requests sent late, 40 reads",
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
