//! A marking, as people read it: lines for a terminal, a page for the teacher.

pub mod page;

use terms::lang::decimal;
use terms::tr;

use super::marked::Marked;
use super::sheet::{Item, Verdict};

/// The lines of a sheet.
pub fn lines(marked: &Marked) -> Vec<String> {
    let mut lines = vec![
        tr!(
            "Marking of {work} (lab {lab})",
            "Notation de {work} (lab {lab})",
            work = marked.work,
            lab = marked.lab
        ),
        tr!(
            "tried on: {place}",
            "essayé sur : {place}",
            place = marked.place
        ),
    ];
    for section in &marked.sections {
        lines.push(String::new());
        let title = &section.title;
        lines.push(format!("{title} (/{})", points(section.of)));
        for item in &section.items {
            lines.push(format!("  {:>9}  {}", mark(item), item.title));
            lines.extend(
                reasons(item)
                    .into_iter()
                    .map(|said| format!("             {said}")),
            );
        }
    }
    lines.push(String::new());
    lines.extend(marked.remarks.iter().map(|said| format!("· {said}")));
    lines.push(summary(marked));
    lines.iter().map(|line| harmless(line)).collect()
}

/// What works say (names, logs, answers), without what a terminal would obey.
pub fn harmless(said: &str) -> String {
    let shown = |c: char| {
        if c.is_control() && c != '\n' {
            '\u{fffd}'
        } else {
            c
        }
    };
    said.chars().map(shown).collect()
}

/// Points without a needless place.
pub fn points(value: f64) -> String {
    decimal(value, 2)
}

/// What stands in the column of the points.
pub fn mark(item: &Item) -> String {
    let of = points(item.of);
    match &item.verdict {
        Verdict::Machine { points: got, .. } => format!("{} / {of}", points(*got)),
        Verdict::Person {
            proposed: Some(proposed),
            ..
        } => format!("({}) / {of}", points(*proposed)),
        Verdict::Person { .. } => format!("… / {of}"),
        Verdict::Nobody { .. } => format!("– / {of}"),
    }
}

/// What is said under an item.
pub fn reasons(item: &Item) -> Vec<String> {
    match &item.verdict {
        Verdict::Machine { reasons, .. } => reasons.clone(),
        Verdict::Person {
            criteria, found, ..
        } => {
            let mut all = found.clone();
            all.push(tr!("criteria: {criteria}", "critères : {criteria}"));
            all
        }
        Verdict::Nobody { reason } => vec![reason.clone()],
    }
}

/// The sums, kept apart: a machine's, a person's, nobody's.
pub fn summary(marked: &Marked) -> String {
    let (technical, of) = (points(marked.technical.points), points(marked.technical.of));
    let (open, proposed) = (points(marked.open.of), points(marked.open.proposed));
    let said = tr!(
        "tried: {technical} of {of} points; for a person to mark: {open} points (facts suggest \
         {proposed} so far, in brackets)",
        "essayé : {technical} points sur {of} ; à noter par une personne : {open} points (les \
         faits en proposent {proposed}, entre parenthèses)"
    );
    if marked.untried == 0.0 {
        return said;
    }
    let untried = points(marked.untried);
    tr!(
        "{said}; not tried here: {untried} points",
        "{said} ; non essayé ici : {untried} points"
    )
}

/// The headers of the table of several works.
pub fn head() -> Vec<String> {
    vec![
        tr!("work", "travail"),
        tr!("tried", "essayé"),
        tr!("of", "sur"),
        tr!("for a person", "à noter"),
        tr!("proposed", "proposé"),
        tr!("not tried", "non essayé"),
    ]
}

/// A work in that table.
pub fn row(marked: &Marked) -> Vec<String> {
    let numbers = [
        marked.technical.points,
        marked.technical.of,
        marked.open.of,
        marked.open.proposed,
        marked.untried,
    ];
    let numbers = numbers.into_iter().map(points);
    std::iter::once(harmless(&marked.work))
        .chain(numbers)
        .collect()
}

/// One line for each item of each work, for a spreadsheet; numbers have a point.
pub fn csv(all: &[Marked]) -> String {
    let mut text = "work,section,item,by,points,of\n".to_owned();
    for marked in all {
        for section in &marked.sections {
            for item in &section.items {
                let (by, got) = match &item.verdict {
                    Verdict::Machine { points, .. } => ("machine", points.to_string()),
                    Verdict::Person { proposed, .. } => (
                        "person",
                        proposed.map_or(String::new(), |got| got.to_string()),
                    ),
                    Verdict::Nobody { .. } => ("nobody", String::new()),
                };
                let (name, of) = (item.name, item.of);
                let work = quoted(&marked.work);
                let line = format!("{work},{},{name},{by},{got},{of}\n", section.name);
                text.push_str(&line);
            }
        }
    }
    text
}

/// A field of CSV. One that begins like a formula is none.
fn quoted(field: &str) -> String {
    let harmless = match field.starts_with(['=', '+', '-', '@']) {
        true => format!("'{field}"),
        false => field.to_owned(),
    };
    format!("\"{}\"", harmless.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marking::sheet::{Tally, for_a_person};
    use terms::lang::{Lang, speaking};

    #[test]
    fn what_a_work_says_commands_no_terminal() {
        let said = "\u{1b}]0;title\u{7}\u{1b}[2Jé\nsecond\u{9b}1m\r";
        let shown = harmless(said);
        assert!(
            !shown.chars().any(|c| c.is_control() && c != '\n'),
            "{shown:?}"
        );
        assert!(
            shown.contains("title") && shown.contains("é\nsecond"),
            "{shown:?}"
        );
    }

    #[test]
    fn a_proposal_stands_in_brackets_and_a_mark_does_not() {
        let tried = Tally::of(0.75).part(true, 0.75, "x").item("a", "a");
        let read = for_a_person("b", "b", 4.0, "c", Vec::new(), Some(2.5));
        let open = for_a_person("b", "b", 1.0, "c", Vec::new(), None);
        assert_eq!(mark(&tried), "0.75 / 0.75");
        assert_eq!(
            (mark(&read), mark(&open)),
            ("(2.5) / 4".into(), "… / 1".into())
        );
        speaking(Lang::French, || assert_eq!(mark(&tried), "0,75 / 0,75"));
    }
}
