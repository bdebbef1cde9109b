//! Pages in the language that is chosen.

mod support;

use std::fs;

use serde_json::json;
use terms::lang::{Lang, speaking};

use support::{check_page_in, drill, keep, ledger, result, runs};

/// What the program itself says on a page: without the style, the shell commands, the
/// versions, and the sentences of the result, which stay as they were written.
fn spoken(html: &str, written: &[&str]) -> String {
    let mut text = html.to_owned();
    for (from, to) in [
        ("<style>", "</style>"),
        ("<pre", "</pre>"),
        ("<dl><dt>", "</dl>"),
    ] {
        while let Some(begin) = text.find(from) {
            let end = text[begin..].find(to).unwrap() + begin + to.len();
            text.replace_range(begin..end, " ");
        }
    }
    for sentence in written {
        assert!(text.contains(sentence), "{sentence}");
        text = text.replace(sentence, " ");
    }
    // Attributes that are read aloud are texts as well.
    let labels = text.split("aria-label=\"").skip(1);
    let labels: Vec<String> = labels
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    let mut said = String::new();
    let mut inside = false;
    for character in text.chars() {
        match character {
            '<' => inside = true,
            '>' => {
                inside = false;
                said.push(' ');
            }
            _ if !inside => said.push(character),
            _ => {}
        }
    }
    format!("{said} {}", labels.join(" "))
}

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
    "below",
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
    "runs",
    "run",
    "lost",
    "failed",
    "requests",
    "request",
    "backup",
    "restore",
    "restored",
    "detected",
    "provisioned",
    "serving",
    "kept",
    "broken",
    "worth",
    "seconds",
    "second",
    "measured",
    "computed",
    "alone",
    "least",
    "most",
    "met",
    "missed",
    "began",
    "took",
    "seed",
    "engine",
    "changed",
    "sent",
    "doubt",
    "gap",
    "itself",
    "late",
    "reads",
    "times",
    "reason",
    "objective",
    "objectives",
    "quantity",
    "promise",
    "newest",
    "first",
    "results",
    "made",
    "here",
    "cluster's",
];

fn english(text: &str) -> Vec<&str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && !"-_'/.".contains(c));
    words
        .filter(|word| ENGLISH.contains(&word.to_lowercase().as_str()))
        .collect()
}

#[test]
fn pages_are_in_the_language_that_is_chosen_and_old_sentences_stay() {
    let runs = runs("french");
    let ledger = ledger(900, 60.0, 5.0..7.5);
    let mut one = result(false, 17, 2.5);
    one["kills"] =
        json!([{"pod": "flask-1", "how": "hard", "failed": 2, "replaced_seconds": 1.25}]);
    one["attack"] = json!({
        "volumes": {"files": 24, "bytes": 9, "points": 1},
        "copies": {"objects": 7, "overwritten": 7, "removed": 7, "listed": 0, "versions": 8,
                   "versions_removed": 0, "versions_refused": 8},
    });
    one["rto"]["open"] = json!(true);
    one["rpo"]["lost_from_before"] = json!(1);
    one["client"] = json!({"requests": 900, "failed": 200, "longest_gap_seconds": 2.5,
                           "resolution_seconds": 0.125, "late": 3, "cpu_seconds": 0.5,
                           "reads": 40, "reads_failed": 1});
    let name = "2026-11-22T05-54-33-123Z-volume-loss";
    let folder = keep(&runs, name, &one, Some(&ledger));
    let drilled = keep(&runs, "2026-11-22T06-00-00-000Z-drill", &drill(), None);
    keep(
        &runs,
        "2026-11-22T06-01-00-000Z-newer",
        &json!({"format": 2}),
        None,
    );
    let (run, drill, history) = speaking(Lang::French, || {
        let drawn = [
            report::run(&folder),
            report::run(&drilled),
            report::history(&runs),
        ];
        let [run, drill, history] = drawn.map(|path| fs::read_to_string(path.unwrap()).unwrap());
        (run, drill, history)
    });
    let of_run = [
        "17 &lt;rows&gt; are lost",
        "sent nothing for &lt;1&gt; s",
        "pra-data deleted",
        "service back",
        "The volume was lost and came back.",
        "after &lt;preStop&gt;",
        "at once",
        "stopping",
        "Connection refused &lt;os error 111&gt;",
        "the client",
    ];
    let of_drill = [
        "rto_seconds: 3 s",
        "Drawn uniformly over the backup interval of 60 s.",
        "run 3: 9 of 90 requests were sent late",
        "interrupted",
        "With the journal nothing was lost.",
        "No person's time is in an RTO here.",
        "provisioned",
    ];
    let pages = [
        (&run, &of_run[..]),
        (&drill, &of_drill[..]),
        (&history, &[][..]),
    ];
    for (html, written) in pages {
        check_page_in(Lang::French, html);
        let said = spoken(html, written);
        assert_eq!(english(&said), [""; 0], "{said}");
    }
    for said in [
        "volume-loss (perte du volume) sur local",
        "Lab pra, moteur local, protection : points seuls, 22/11/2026 05:54:33 UTC",
        "au moins 2,5 s",
        "remise en service",
        "Tirage 3 d'un exercice : le sinistre est venu 12,5 s après",
        "brutale",
        "1 d'avant l'exécution, soit 1,2 s d'écritures",
        "1,25",
    ] {
        assert!(
            run.contains(said) || run.contains(&said.replace('\'', "&#39;")),
            "{said}: {run}"
        );
    }
    assert!(
        drill.contains("RTO : secondes sans service") && drill.contains("(95,9 %)"),
        "{drill}"
    );
    assert!(
        history.contains("<td>volume-loss (perte du volume)</td>"),
        "{history}"
    );
}
