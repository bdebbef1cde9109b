//! What failed, by what it is counted in: a write that is sent again until it is answered
//! can fail several times and be stored in the end.

use terms::lang::{self, Both};
use terms::tr;

use crate::model::Client;

impl Client {
    /// How many writes failed, and how many attempts where those are others, as a statement.
    pub(super) fn failures(&self) -> String {
        let (all, failed) = (self.requests, self.failed);
        if !self.retry {
            return tr!(
                "{failed} of {all} writes failed",
                "écritures en échec : {failed} sur {all}",
            );
        }
        tr!(
            "{of_them} of {attempts} attempts failed, and in the end {failed} of {all} writes",
            "tentatives en échec : {of_them} sur {attempts}, et à la fin écritures en échec : \
             {failed} sur {all}",
            of_them = self.attempts_failed,
            attempts = self.attempts,
        )
    }

    /// What failures are drawn of.
    pub(crate) fn failed(&self) -> Both {
        match self.retry {
            true => lang::both("failed attempts", "tentatives en échec"),
            false => lang::both("failed writes", "écritures en échec"),
        }
    }
}
