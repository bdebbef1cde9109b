//! Range checks of `lab.toml`, and the message about a value that fails one.

use std::fmt::Debug;
use std::ops::RangeInclusive;
use terms::tr;

use toml::Spanned;

/// The offset of the value in the text, and what is wrong with it.
pub type Complaint = (usize, String);

pub fn in_range<T>(
    key: &str,
    value: &Spanned<T>,
    allowed: RangeInclusive<T>,
) -> Result<(), Complaint>
where
    T: PartialOrd + Debug,
{
    if allowed.contains(value.get_ref()) {
        return Ok(());
    }
    let allowed = tr!(
        "a number from {first:?} to {last:?}",
        "un nombre de {first:?} à {last:?}",
        first = allowed.start(),
        last = allowed.end(),
    );
    Err(complaint(key, value, &allowed))
}

pub fn complaint<T: Debug>(key: &str, value: &Spanned<T>, allowed: &str) -> Complaint {
    (
        value.span().start,
        tr!(
            "{key} = {value:?} is not possible; allowed: {allowed}",
            "{key} = {value:?} n'est pas possible ; permis : {allowed}",
            value = value.get_ref(),
        ),
    )
}

/// The line of the text that an offset is in, from 1.
pub fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}
