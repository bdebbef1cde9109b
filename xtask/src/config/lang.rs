//! The language that `lab.toml` asks for.

use std::str::FromStr;

use serde::Deserialize;
use terms::lang::Lang;

const AUTO: &str = "auto";

/// The language of texts.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum LangChoice {
    /// What the environment asks for.
    #[default]
    Auto,
    Fixed(Lang),
}

impl LangChoice {
    /// The language that this is, where it says one.
    pub fn fixed(self) -> Option<Lang> {
        match self {
            Self::Fixed(lang) => Some(lang),
            Self::Auto => None,
        }
    }
}

impl TryFrom<String> for LangChoice {
    type Error = String;

    /// # Errors
    /// The word is none of these; the message lists them.
    fn try_from(word: String) -> Result<Self, Self::Error> {
        if word == AUTO {
            return Ok(Self::Auto);
        }
        Lang::from_str(&word).map(Self::Fixed).map_err(|_| {
            let tags = Lang::ALL.map(Lang::tag).join(", ");
            format!("there is no language {word:?}; allowed: {AUTO}, {tags}")
        })
    }
}
