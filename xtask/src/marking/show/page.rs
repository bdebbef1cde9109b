//! The page for the teacher: one file, nothing from a network.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use terms::tr;

use super::{mark, points, reasons, summary};
use crate::marking::marked::Marked;
use crate::marking::sheet::{Section, Verdict};

const STYLE: &str = include_str!("page.css");

/// The page of all that were marked, a table first, and what could not be.
pub fn page(all: &[Marked], not_marked: &BTreeMap<String, String>) -> String {
    let title = tr!("Marking", "Notation");
    let lang = terms::lang::chosen().tag();
    let mut html = format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<meta charset=\"utf-8\">\n<meta \
         name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    if all.len() > 1 {
        table(&mut html, all);
    }
    for (work, why) in not_marked {
        let said = tr!("not marked: {work}: {why}", "non noté : {work} : {why}");
        put(
            &mut html,
            format_args!("<p class=\"sum\">{}</p>\n", escape(&said)),
        );
    }
    for (number, marked) in all.iter().enumerate() {
        work(&mut html, number, marked);
    }
    html + "</html>\n"
}

/// Writing to a text cannot fail.
fn put(html: &mut String, text: std::fmt::Arguments) {
    let _ = html.write_fmt(text);
}

fn table(html: &mut String, all: &[Marked]) {
    let head = [
        tr!("work", "travail"),
        tr!("tried", "essayé"),
        tr!("for a person", "à noter"),
        tr!("proposed", "proposé"),
        tr!("not tried", "non essayé"),
    ];
    let head: Vec<String> = head.iter().map(|cell| format!("<th>{cell}</th>")).collect();
    put(html, format_args!("<table><tr>{}</tr>\n", head.join("")));
    for (number, marked) in all.iter().enumerate() {
        put(
            html,
            format_args!(
                "<tr><td><a href=\"#w{number}\">{}</a></td><td>{} / {}</td><td>{}</td><td>{}</td>\
                 <td>{}</td></tr>\n",
                escape(&marked.work),
                points(marked.technical.points),
                points(marked.technical.of),
                points(marked.open.of),
                points(marked.open.proposed),
                points(marked.untried),
            ),
        );
    }
    html.push_str("</table>\n");
}

fn work(html: &mut String, number: usize, marked: &Marked) {
    let commit = marked.commit.as_deref().unwrap_or("–");
    let commit: String = commit.chars().take(12).collect();
    put(
        html,
        format_args!(
            "<h2 id=\"w{number}\">{}</h2>\n<p class=\"place\">{} · {commit} · {} · {}</p>\n\
             <p class=\"sum\">{}</p>\n",
            escape(&marked.work),
            marked.lab,
            escape(&marked.place),
            escape(&marked.at),
            escape(&summary(marked)),
        ),
    );
    for said in &marked.remarks {
        put(
            html,
            format_args!("<p class=\"remark\">{}</p>\n", escape(said)),
        );
    }
    for section in &marked.sections {
        part(html, section);
    }
}

fn part(html: &mut String, section: &Section) {
    let (title, of) = (escape(&section.title), points(section.of));
    put(
        html,
        format_args!("<h3>{title} <small>/ {of}</small></h3>\n<table>\n"),
    );
    for item in &section.items {
        let class = match &item.verdict {
            Verdict::Machine { points, .. } if *points >= item.of => "full",
            Verdict::Machine { points, .. } if *points > 0.0 => "part",
            Verdict::Machine { .. } => "none",
            Verdict::Person { .. } => "person",
            Verdict::Nobody { .. } => "nobody",
        };
        let said = reasons(item).into_iter();
        let said: Vec<String> = said
            .map(|one| format!("<li>{}</li>", escape(&one)))
            .collect();
        put(
            html,
            format_args!(
                "<tr class=\"{class}\"><td class=\"mark\">{}</td><td><b>{}</b><ul>{}</ul></td>\
                 </tr>\n",
                mark(item),
                escape(&item.title),
                said.join(""),
            ),
        );
    }
    html.push_str("</table>\n");
}

/// What a work says of itself is text, and no part of the page.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marking::repository::readme::Readme;
    use crate::marking::sheet::{Open, Tally, Total};

    fn marked(work: &str) -> Marked {
        let item = Tally::of(1.0)
            .part(false, 1.0, "<script>alert(1)</script>")
            .item("a", "a");
        let section = Section {
            name: "s",
            title: "S".into(),
            of: 1.0,
            items: vec![item],
        };
        Marked {
            work: work.to_owned(),
            lab: "pra",
            commit: None,
            at: "now".to_owned(),
            place: "here".to_owned(),
            technical: Total::default(),
            open: Open::default(),
            untried: 0.0,
            sections: vec![section],
            remarks: Vec::new(),
            history: None,
            readme: Readme::default(),
            facts: serde_json::Value::Null,
        }
        .summed()
    }

    #[test]
    fn what_a_work_says_cannot_become_a_part_of_the_page() {
        let not_marked = [("<i>".to_owned(), "gone".to_owned())].into();
        let html = page(&[marked("<b>me</b>")], &not_marked);
        assert!(
            !html.contains("<script") && !html.contains("<b>me") && !html.contains("<i>"),
            "{html}"
        );
        assert!(html.contains("&lt;script&gt;"));
        assert!(!html.contains("http"), "nothing comes from a network");
    }

    #[test]
    fn several_works_have_a_table_first() {
        let links = |all: &[Marked]| page(all, &BTreeMap::new()).matches("href=").count();
        assert_eq!(links(&[marked("a")]), 0);
        assert_eq!(links(&[marked("a"), marked("b")]), 2);
    }
}
