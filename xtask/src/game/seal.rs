//! A seal against reading by accident, in a search or an editor. It keeps nothing from
//! whoever wants to know: the key is here.

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

const KEY: &[u8] = b"look at the symptoms";

/// A document that no search finds words in.
pub fn close(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_vec(value)?;
    let bytes = text.iter().zip(KEY.iter().cycle());
    Ok(bytes
        .map(|(byte, key)| format!("{:02x}", byte ^ key))
        .collect())
}

/// # Errors
/// It is not what was sealed.
pub fn open<T: DeserializeOwned>(sealed: &str) -> Result<T> {
    let bytes: Option<Vec<u8>> = (0..sealed.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(sealed.get(at..at + 2)?, 16).ok())
        .collect();
    let bytes = bytes.context("it is damaged")?;
    let text: Vec<u8> = bytes
        .iter()
        .zip(KEY.iter().cycle())
        .map(|(byte, key)| byte ^ key)
        .collect();
    serde_json::from_slice(&text).context("it is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_comes_back_and_damage_is_told() {
        let said = vec!["volume-loss".to_owned(), "é".to_owned()];
        let sealed = close(&said).unwrap();
        assert!(!sealed.contains("volume"));
        assert_eq!(open::<Vec<String>>(&sealed).unwrap(), said);
        for damaged in ["", "zz", &sealed[2..], &sealed[1..]] {
            open::<Vec<String>>(damaged).unwrap_err();
        }
    }
}
