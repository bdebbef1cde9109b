//! The engine that is asked for, on the command line or in `lab.toml`.

use std::str::FromStr;

use serde::Deserialize;
use terms::EngineName;

const AUTO: &str = "auto";

/// Where the pods are to run.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum EngineChoice {
    /// The first engine that suits this machine.
    Auto,
    Named(EngineName),
}

impl EngineChoice {
    /// The engine that this is, where it says one.
    pub fn named(self) -> Option<EngineName> {
        match self {
            Self::Named(name) => Some(name),
            Self::Auto => None,
        }
    }

    /// Every word that can be said, and what it means, in a line.
    pub fn words() -> impl Iterator<Item = (&'static str, &'static str)> {
        let auto = (AUTO, "k3d when a Docker daemon answers, else local");
        let named = EngineName::ALL.iter();
        std::iter::once(auto).chain(named.map(|one| (one.word(), one.about())))
    }
}

impl FromStr for EngineChoice {
    type Err = String;

    /// # Errors
    /// The word is none of these; the message lists them.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        if word == AUTO {
            return Ok(Self::Auto);
        }
        word.parse().map(Self::Named).map_err(|_| {
            let allowed: Vec<&str> = Self::words().map(|(word, _)| word).collect();
            format!(
                "there is no engine {word:?}; allowed: {}",
                allowed.join(", ")
            )
        })
    }
}

impl TryFrom<String> for EngineChoice {
    type Error = String;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse()
    }
}
