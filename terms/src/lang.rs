//! The language of what people read: English or French, each sentence in both, side by
//! side where it is said. What programs read (JSON keys, names, commands) has none.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::{Deserialize, Serialize, Serializer};

/// A language that everything is said in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lang {
    #[default]
    #[serde(rename = "en")]
    English,
    #[serde(rename = "fr")]
    French,
}

impl Lang {
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// Its tag (BCP 47), as it is typed and written.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The language that a locale (`fr_FR.UTF-8`) or a tag names.
    pub fn of_locale(locale: &str) -> Option<Self> {
        let tag = locale.split(['_', '-', '.', '@']).next()?;
        Self::ALL.into_iter().find(|lang| lang.tag() == tag)
    }

    /// The language that the environment asks for: the first of `LANGUAGE`'s list that
    /// there is, else what `LC_ALL`, `LC_MESSAGES` or `LANG` says, in the order of POSIX
    /// (XBD 8.2). Unlike in gettext `LANGUAGE` counts in the locale `C` as well, which is
    /// what containers have.
    pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let wished = set("LANGUAGE").unwrap_or_default();
        let wished = wished.split(':').find_map(Self::of_locale);
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        let locale = locale.and_then(|locale| Self::of_locale(&locale));
        wished.or(locale).unwrap_or_default()
    }
}

impl FromStr for Lang {
    type Err = String;

    /// # Errors
    /// It is no tag of a language that there is.
    fn from_str(tag: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|lang| lang.tag() == tag);
        found.ok_or_else(|| format!("there is no language {tag:?}"))
    }
}

static CHOSEN: AtomicU8 = AtomicU8::new(Lang::English as u8);

thread_local! {
    /// Tests run side by side, each in a language of its own.
    static HERE: Cell<Option<Lang>> = const { Cell::new(None) };
}

/// Chooses the language of this process, once, when it begins.
pub fn choose(lang: Lang) {
    CHOSEN.store(lang as u8, Ordering::Relaxed);
}

/// The language that was chosen.
pub fn chosen() -> Lang {
    let of_process = || Lang::ALL[usize::from(CHOSEN.load(Ordering::Relaxed))];
    HERE.get().unwrap_or_else(of_process)
}

/// Does something in a language, on this thread alone.
pub fn speaking<T>(lang: Lang, what: impl FnOnce() -> T) -> T {
    let before = HERE.replace(Some(lang));
    let done = what();
    HERE.set(before);
    done
}

/// A fixed text in both languages; displayed in the one that is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Both {
    pub en: &'static str,
    pub fr: &'static str,
}

/// A fixed text, English first.
pub const fn both(en: &'static str, fr: &'static str) -> Both {
    Both { en, fr }
}

impl Both {
    /// A word that is the same in both languages.
    pub const fn same(word: &'static str) -> Self {
        both(word, word)
    }

    /// The text in the language that is chosen.
    pub fn text(self) -> &'static str {
        match chosen() {
            Lang::English => self.en,
            Lang::French => self.fr,
        }
    }
}

impl From<Both> for String {
    fn from(both: Both) -> Self {
        both.text().to_owned()
    }
}

/// As the text: what is written down stays in the language of its time.
impl Serialize for Both {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl fmt::Display for Both {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// A sentence as a `String`, English first, each as for `format!`: the one in the language
/// that is chosen is made. A sentence without its other language does not compile.
#[macro_export]
macro_rules! tr {
    ($en:literal, $fr:literal $(, $name:ident = $value:expr)* $(,)?) => {
        match $crate::lang::chosen() {
            $crate::lang::Lang::English => format!($en $(, $name = $value)*),
            $crate::lang::Lang::French => format!($fr $(, $name = $value)*),
        }
    };
}

/// A number with exactly so many places, in the language that is chosen: `4.50`, `4,50`.
pub fn fixed(number: f64, places: usize) -> String {
    let text = format!("{number:.places$}");
    match chosen() {
        Lang::English => text,
        Lang::French => text.replace('.', ","),
    }
}

/// The same with so many places at most: `4.5`, `4,5`.
pub fn decimal(number: f64, places: usize) -> String {
    let text = fixed(number, places);
    if places == 0 {
        return text;
    }
    let text = text.trim_end_matches('0').trim_end_matches(['.', ',']);
    // Zero has no sign.
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// A figure of a result, which has thousandths at most: `4.785`, `4,785`.
pub fn number(figure: f64) -> String {
    decimal(figure, 3)
}

/// A moment in RFC 3339 and UTC as it is read: in English unchanged, in French
/// `29/11/2026 23:48:15 UTC`. What is to be typed back stays as it is typed.
pub fn moment(rfc3339: &str) -> String {
    match chosen() {
        Lang::English => rfc3339.to_owned(),
        Lang::French => in_french(rfc3339).unwrap_or_else(|| rfc3339.to_owned()),
    }
}

fn in_french(rfc3339: &str) -> Option<String> {
    let (date, time) = rfc3339.split_once('T')?;
    let time = time
        .strip_suffix('Z')
        .or_else(|| time.strip_suffix("+00:00"))?;
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    Some(format!(
        "{day}/{month}/{year} {} UTC",
        time.replace('.', ",")
    ))
}

/// A length of time by its two largest units, as it is said: `1 h 5 min`.
pub fn duration(seconds: u64) -> String {
    const UNITS: [(u64, Both); 4] = [
        (86_400, both("d", "j")),
        (3_600, Both::same("h")),
        (60, Both::same("min")),
        (1, Both::same("s")),
    ];
    let first = UNITS.iter().position(|(unit, _)| seconds >= *unit);
    let first = first.unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[first];
    let mut said = format!("{} {name}", seconds / unit);
    let rest = seconds % unit;
    if let Some((smaller, name)) = UNITS.get(first + 1).filter(|(smaller, _)| rest >= *smaller) {
        said.push_str(&format!(" {} {name}", rest / smaller));
    }
    said
}

/// Statements in a row, parted as each language parts them.
pub fn listed(statements: &[impl AsRef<str>]) -> String {
    let all: Vec<&str> = statements.iter().map(AsRef::as_ref).collect();
    all.join(both("; ", " ; ").text())
}

/// `s` where there are several, as English and French count them: French has one row from
/// zero up to two, English one row at exactly one.
pub fn plural(count: u64) -> &'static str {
    let one = match chosen() {
        Lang::English => count == 1,
        Lang::French => count < 2,
    };
    if one { "" } else { "s" }
}

/// So many rows, in words.
pub fn rows(count: u64) -> String {
    let s = plural(count);
    crate::tr!("{count} row{s}", "{count} ligne{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Lang {
        Lang::of_environment(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_chooses_in_the_order_of_posix() {
        assert_eq!(of(&[]), Lang::English);
        assert_eq!(of(&[("LANG", "fr_FR.UTF-8")]), Lang::French);
        assert_eq!(of(&[("LANG", "fr"), ("LC_ALL", "C.UTF-8")]), Lang::English);
        let set = [("LANG", "en_GB.UTF-8"), ("LC_MESSAGES", "fr_CA")];
        assert_eq!(of(&set), Lang::French);
        let set = [("LC_ALL", ""), ("LANG", "fr_BE@euro")];
        assert_eq!(of(&set), Lang::French);
    }

    #[test]
    fn a_list_of_languages_comes_before_the_locale() {
        let set = [("LANGUAGE", "de:fr:en"), ("LANG", "C.UTF-8")];
        assert_eq!(of(&set), Lang::French);
        let set = [("LANGUAGE", "de"), ("LANG", "fr_FR")];
        assert_eq!(of(&set), Lang::French);
    }

    #[test]
    fn sentences_numbers_and_counts_follow_the_language() {
        let told = || {
            let lost = 1.50;
            let lost = decimal(lost, 3);
            tr!("{lost} s lost", "{lost} s perdues")
        };
        assert_eq!(told(), "1.5 s lost");
        speaking(Lang::French, || {
            assert_eq!(told(), "1,5 s perdues");
            assert_eq!(both("done", "fait").to_string(), "fait");
            assert_eq!(decimal(0.0, 3), "0");
            assert_eq!((plural(0), plural(1), plural(2)), ("", "", "s"));
        });
        assert_eq!((plural(0), plural(1), plural(2)), ("s", "", "s"));
        let all = ["a".to_owned(), "b".to_owned()];
        assert_eq!(listed(&all), "a; b");
        speaking(Lang::French, || assert_eq!(listed(&all), "a ; b"));
        assert_eq!(decimal(-3.0, 1), "-3");
        assert_eq!(decimal(-0.0001, 3), "0");
        assert_eq!(
            (decimal(100.0, 0), decimal(100.0, 3)),
            ("100".into(), "100".into())
        );
    }

    #[test]
    fn dates_and_lengths_of_time_follow_the_language() {
        let told = || [moment("2026-11-29T23:48:15.240Z"), duration(93_784)];
        assert_eq!(told(), ["2026-11-29T23:48:15.240Z", "1 d 2 h"]);
        speaking(Lang::French, || {
            assert_eq!(told(), ["29/11/2026 23:48:15,240 UTC", "1 j 2 h"]);
            assert_eq!(moment("by-hand"), "by-hand");
            assert_eq!(fixed(0.5, 2), "0,50");
        });
        let said = [0, 59, 60, 61, 3_600, 3_605].map(duration);
        assert_eq!(said, ["0 s", "59 s", "1 min", "1 min 1 s", "1 h", "1 h"]);
    }
}
