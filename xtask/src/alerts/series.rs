//! What an application tells of itself in Prometheus' text format.

use std::collections::BTreeMap;

pub type Labels = BTreeMap<String, String>;

/// A value of one series; the name is among the labels, as `__name__`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: Labels,
    pub value: f64,
}

pub const NAME: &str = "__name__";

/// The samples of a text; a line that is none is left out.
pub fn parse(text: &str) -> Vec<Sample> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(sample).collect()
}

fn sample(line: &str) -> Option<Sample> {
    let (mut labels, value) = series(line)?;
    let value = value.split_whitespace().next()?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        other => other.parse().ok()?,
    };
    let name = labels.remove(NAME)?;
    labels.insert(NAME.to_owned(), name);
    Some(Sample { labels, value })
}

/// A series at the beginning of a line, and what follows it.
pub fn series(line: &str) -> Option<(Labels, &str)> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Labels::from([(NAME.to_owned(), name.to_owned())]);
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            let label = label.trim_start_matches([',', ' ']);
            labels.insert(label.to_owned(), value);
            rest = after;
        }
        rest = &rest[1..];
    }
    (!name.is_empty()).then_some((labels, rest))
}

/// The text up to the closing quote, and what follows that.
pub fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_their_labels_and_values() {
        let text = "# HELP pra_rows events\n# TYPE pra_rows gauge\npra_rows 12.0\n\
                    pra_points{state=\"verified\",note=\"a \\\"b\\\", c\"} 3 1700000000\n\
                    x_bucket{le=\"+Inf\"} +Inf\nbroken{\nnothing\n";
        let all = parse(text);
        assert_eq!(all.len(), 3);
        assert_eq!(
            (all[0].labels[NAME].as_str(), all[0].value),
            ("pra_rows", 12.0)
        );
        assert_eq!(all[1].labels["note"], "a \"b\", c");
        assert_eq!(all[1].value, 3.0);
        assert!(all[2].value.is_infinite());
    }
}
