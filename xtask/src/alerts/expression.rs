//! The part of PromQL that the rules of the protection are written in: what is told now,
//! compared. What else there is in the language is refused, so that no rule means one thing
//! here and another to Prometheus.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};

use super::series::{Labels, NAME, Sample, quoted};

/// What is known at one moment.
pub struct Moment {
    /// Seconds since 1970.
    pub now: f64,
    pub samples: Vec<Sample>,
}

/// The condition of a rule.
#[derive(Debug)]
pub struct Condition(Node);

#[derive(Debug)]
enum Node {
    Number(f64),
    Time,
    /// One value without labels.
    Vector(f64),
    Series {
        name: String,
        matchers: Vec<Matcher>,
    },
    Aggregate {
        how: How,
        by: Vec<String>,
        of: Box<Node>,
    },
    Pair {
        operator: Operator,
        left: Box<Node>,
        right: Box<Node>,
    },
}

#[derive(Debug)]
struct Matcher {
    label: String,
    /// Any of these, or none of them.
    values: Vec<String>,
    wanted: bool,
}

#[derive(Clone, Copy, Debug)]
enum How {
    Max,
    Min,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Minus,
    Over,
    Above,
    Below,
    Or,
}

enum Value {
    Scalar(f64),
    Vector(Vec<Sample>),
}

impl Condition {
    /// # Errors
    /// It is no such expression, or has more of the language than is known here.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parser = Parser { rest: text };
        let node = parser.either()?;
        let rest = parser.peek();
        ensure!(rest.is_empty(), "{rest:?} is more than is known here");
        Ok(Self(node))
    }

    /// What it holds for: none where it does not hold, and where nothing is known.
    pub fn evaluate(&self, moment: &Moment) -> Vec<Sample> {
        match self.0.value(moment) {
            Value::Vector(samples) => samples,
            Value::Scalar(_) => Vec::new(),
        }
    }
}

impl Node {
    fn value(&self, moment: &Moment) -> Value {
        match self {
            Self::Number(number) => Value::Scalar(*number),
            Self::Time => Value::Scalar(moment.now),
            Self::Vector(value) => Value::Vector(vec![Sample {
                labels: Labels::new(),
                value: *value,
            }]),
            Self::Series { name, matchers } => {
                let of = moment.samples.iter().filter(|one| {
                    let fits = |matcher: &Matcher| matcher.fits(&one.labels);
                    one.labels[NAME] == *name && matchers.iter().all(fits)
                });
                Value::Vector(of.cloned().collect())
            }
            Self::Aggregate { how, by, of } => Value::Vector(how.over(by, of.value(moment))),
            Self::Pair {
                operator,
                left,
                right,
            } => operator.of(left.value(moment), right.value(moment)),
        }
    }
}

impl Matcher {
    fn fits(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.label).map_or("", String::as_str);
        self.values.iter().any(|one| one == value) == self.wanted
    }
}

impl How {
    fn over(self, by: &[String], of: Value) -> Vec<Sample> {
        let Value::Vector(samples) = of else {
            return Vec::new();
        };
        let mut groups: BTreeMap<Labels, f64> = BTreeMap::new();
        for sample in samples {
            let kept = sample.labels.into_iter();
            let labels = kept.filter(|(name, _)| by.contains(name)).collect();
            let value = groups.entry(labels).or_insert(sample.value);
            *value = match self {
                Self::Max => value.max(sample.value),
                Self::Min => value.min(sample.value),
            };
        }
        let groups = groups.into_iter();
        groups
            .map(|(labels, value)| Sample { labels, value })
            .collect()
    }
}

impl Operator {
    fn of(self, left: Value, right: Value) -> Value {
        match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                Value::Scalar(self.result(left, right).unwrap_or(f64::NAN))
            }
            (Value::Scalar(left), Value::Vector(right)) => {
                // A comparison keeps what it is about.
                let of = |one: &Sample| match self.compares() {
                    true => self.result(left, one.value).map(|_| one.value),
                    false => self.result(left, one.value),
                };
                Value::Vector(each(right, of))
            }
            (Value::Vector(left), Value::Scalar(right)) => {
                Value::Vector(each(left, |one| self.result(one.value, right)))
            }
            (Value::Vector(mut left), Value::Vector(right)) => {
                if self == Self::Or {
                    let known: Vec<Labels> = left.iter().map(unnamed).collect();
                    left.extend(
                        right
                            .into_iter()
                            .filter(|one| !known.contains(&unnamed(one))),
                    );
                    return Value::Vector(left);
                }
                let partner = |one: &Sample| {
                    let labels = unnamed(one);
                    let mut partners = right.iter();
                    partners.find(|other| unnamed(other) == labels)
                };
                Value::Vector(each(left, |one| {
                    self.result(one.value, partner(one)?.value)
                }))
            }
        }
    }

    fn compares(self) -> bool {
        matches!(self, Self::Above | Self::Below)
    }

    /// Of two numbers; `None` where a comparison does not hold.
    fn result(self, left: f64, right: f64) -> Option<f64> {
        match self {
            Self::Minus => Some(left - right),
            Self::Over => Some(left / right),
            Self::Above => (left > right).then_some(left),
            Self::Below => (left < right).then_some(left),
            Self::Or => Some(left),
        }
    }
}

fn each(samples: Vec<Sample>, of: impl Fn(&Sample) -> Option<f64>) -> Vec<Sample> {
    let results = samples.into_iter().filter_map(|one| {
        let value = of(&one)?;
        let labels = unnamed(&one);
        Some(Sample { labels, value })
    });
    results.collect()
}

fn unnamed(sample: &Sample) -> Labels {
    let mut labels = sample.labels.clone();
    labels.remove(NAME);
    labels
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn peek(&mut self) -> &'a str {
        self.rest = self.rest.trim_start();
        self.rest
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let Some(rest) = self.peek().strip_prefix(wanted) else {
            return false;
        };
        self.rest = rest;
        true
    }

    fn expect(&mut self, wanted: &str) -> Result<()> {
        ensure!(
            self.takes(wanted),
            "{wanted:?} is missing before {:?}",
            self.rest
        );
        Ok(())
    }

    fn word(&mut self) -> &'a str {
        let text = self.peek();
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        self.rest = rest;
        word
    }

    fn string(&mut self) -> Result<String> {
        self.expect("\"")?;
        let (text, rest) = quoted(self.rest).context("a quote is not closed")?;
        self.rest = rest;
        Ok(text)
    }

    fn pairs(
        &mut self,
        known: &[(&str, Operator)],
        part: fn(&mut Self) -> Result<Node>,
    ) -> Result<Node> {
        let mut node = part(self)?;
        while let Some((_, operator)) = known.iter().find(|(sign, _)| self.takes(sign)) {
            node = Node::Pair {
                operator: *operator,
                left: Box::new(node),
                right: Box::new(part(self)?),
            };
        }
        Ok(node)
    }

    fn either(&mut self) -> Result<Node> {
        self.pairs(&[("or ", Operator::Or)], Self::compared)
    }

    fn compared(&mut self) -> Result<Node> {
        let known = [("> ", Operator::Above), ("< ", Operator::Below)];
        self.pairs(&known, |parser| {
            parser.pairs(&[("- ", Operator::Minus)], Self::divided)
        })
    }

    fn divided(&mut self) -> Result<Node> {
        self.pairs(&[("/ ", Operator::Over)], Self::one)
    }

    fn one(&mut self) -> Result<Node> {
        if self.takes("(") {
            let inside = self.either()?;
            self.expect(")")?;
            return Ok(inside);
        }
        if self.peek().starts_with(|c: char| c.is_ascii_digit()) {
            return self.number().map(Node::Number);
        }
        let word = self.word();
        match word {
            "max" => self.aggregate(How::Max),
            "min" => self.aggregate(How::Min),
            "time" => {
                self.expect("(")?;
                self.expect(")")?;
                Ok(Node::Time)
            }
            "vector" => {
                self.expect("(")?;
                let value = self.number()?;
                self.expect(")")?;
                Ok(Node::Vector(value))
            }
            name => {
                let known = name.starts_with("pra_") && !self.peek().starts_with(['(', '[']);
                ensure!(known, "{name:?} is not known here");
                let matchers = self.matchers()?;
                let name = name.to_owned();
                Ok(Node::Series { name, matchers })
            }
        }
    }

    fn number(&mut self) -> Result<f64> {
        let text = self.peek();
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'));
        let (number, rest) = text.split_at(end.unwrap_or(text.len()));
        self.rest = rest;
        number
            .parse()
            .with_context(|| format!("{number:?} is no number"))
    }

    fn aggregate(&mut self, how: How) -> Result<Node> {
        let mut by = Vec::new();
        if self.takes("by") {
            self.expect("(")?;
            while !self.takes(")") {
                by.push(self.word().to_owned());
                self.takes(",");
            }
        }
        self.expect("(")?;
        let of = Box::new(self.either()?);
        self.expect(")")?;
        Ok(Node::Aggregate { how, by, of })
    }

    fn matchers(&mut self) -> Result<Vec<Matcher>> {
        let mut all = Vec::new();
        if !self.takes("{") {
            return Ok(all);
        }
        while !self.takes("}") {
            let label = self.word().to_owned();
            let (wanted, many) = match () {
                () if self.takes("=~") => (true, true),
                () if self.takes("!~") => (false, true),
                () if self.takes("!=") => (false, false),
                () if self.takes("=") => (true, false),
                () => bail!("{label:?} is not compared with anything"),
            };
            let text = self.string()?;
            let plain = |c: char| c.is_ascii_alphanumeric() || "_-|".contains(c);
            ensure!(
                !many || text.chars().all(plain),
                "{text:?} is more than words"
            );
            let values = match many {
                true => text.split('|').map(str::to_owned).collect(),
                false => vec![text],
            };
            all.push(Matcher {
                label,
                values,
                wanted,
            });
            self.takes(",");
        }
        Ok(all)
    }
}
