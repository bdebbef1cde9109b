//! How the measuring client asked, in words.

use terms::lang::{self, Both, both};
use terms::tr;

use crate::wait;

use super::figures::ClientFigures;

impl ClientFigures {
    /// What failures are counted in: a write that is sent again can have several.
    pub fn sendings(&self) -> Both {
        match self.mode.retry {
            true => both("attempts", "tentatives"),
            false => both("writes", "écritures"),
        }
    }

    /// How many writes failed, and of how many attempts where those are others.
    pub fn failures(&self) -> String {
        let (all, failed) = (self.requests, self.failed);
        if !self.mode.retry {
            return tr!(
                "{all} writes, failed: {failed}",
                "écritures : {all}, en échec : {failed}",
            );
        }
        tr!(
            "{all} writes, failed in the end: {failed}; {attempts} attempts, failed: {of_them}",
            "écritures : {all}, en échec à la fin : {failed} ; tentatives : {attempts}, en \
             échec : {of_them}",
            attempts = self.attempts,
            of_them = self.attempts_failed,
        )
    }

    /// How it asked, and what that took, as a sentence; `None` where each request had its own
    /// connection and was sent once.
    pub fn asked(&self) -> Option<String> {
        let opened = self.connections_opened.unwrap_or_default();
        let unanswered = self.connections_unanswered.unwrap_or_default();
        let kept = self.mode.keep_alive.then(|| {
            tr!(
                "connections kept from one request to the next; opened: {opened}, of which \
                 never answered: {unanswered}; reads asked again on a new one: {again}",
                "connexions conservées d'une requête à l'autre ; ouvertes : {opened}, dont \
                 jamais de réponse : {unanswered} ; lectures redemandées sur une nouvelle : \
                 {again}",
                again = self.reads_again,
            )
        });
        let keyed = self.mode.retry.then(|| {
            tr!(
                "writes sent again until answered: {attempts} attempts for {requests} writes, \
                 {retried} sent more than once, {replayed} of them stored by an earlier attempt",
                "écritures renvoyées jusqu'à leur réponse : {attempts} tentatives pour \
                 {requests} écritures ; envoyées plus d'une fois : {retried}, dont déjà stockées \
                 par une tentative précédente : {replayed}",
                attempts = self.attempts,
                requests = self.requests,
                retried = self.retried,
                replayed = self.replayed,
            )
        });
        let said: Vec<String> = kept.into_iter().chain(keyed).collect();
        (!said.is_empty()).then(|| lang::listed(&said))
    }

    /// What it did for the promise that writes were sent again until they were answered, as
    /// sentences; `None` where they were not.
    pub fn on_retries(&self, in_doubt: usize) -> Option<String> {
        self.mode.retry.then(|| {
            let (retried, all) = (self.retried, self.requests);
            let mut said = vec![tr!(
                "Each write carried a key (Idempotency-Key) and was sent again until it was \
                 answered; sent more than once: {retried} of {all}.",
                "Chaque écriture portait une clé (Idempotency-Key) et était renvoyée jusqu'à sa \
                 réponse ; envoyées plus d'une fois : {retried} sur {all}.",
            )];
            said.extend(self.on_replays());
            said.extend(self.on_given_up(in_doubt));
            said.join(" ")
        })
    }

    fn on_replays(&self) -> Option<String> {
        let replayed = self.replayed;
        (replayed > 0).then(|| {
            tr!(
                "Stored by an earlier attempt whose answer had not come: {replayed}; without the \
                 key there would be two rows for each.",
                "Déjà stockées par une tentative dont la réponse n'était pas venue : {replayed} ; \
                 sans la clé, il y aurait deux lignes pour chacune.",
            )
        })
    }

    fn on_given_up(&self, in_doubt: usize) -> Vec<String> {
        let limit = wait::WRITE_GIVEN_UP.as_secs();
        let (refused, given_up) = (self.refused, self.failed - self.refused);
        let mut said = Vec::new();
        if given_up > 0 {
            said.push(tr!(
                "Given up after {limit} s: {given_up}, which may be there all the same (in doubt: \
                 {in_doubt}).",
                "Abandonnées après {limit} s : {given_up}, qui peuvent tout de même y être \
                 (douteuses : {in_doubt}).",
            ));
        } else {
            said.push(tr!(
                "None had to be given up, as it would be after {limit} s.",
                "Aucune n'a dû être abandonnée, ce qui arriverait après {limit} s.",
            ));
        }
        if refused > 0 {
            said.push(tr!(
                "Refused by the application for good: {refused}.",
                "Refusées par l'application pour de bon : {refused}.",
            ));
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::super::observed::{Attempt, Mode, Observed, Outcome, Request};
    use super::*;

    #[test]
    fn what_was_given_up_is_told_from_what_was_refused() {
        let request = |outcome: Outcome| Request::of(0, "", (0.0, 0.0), outcome);
        let refused = Outcome::Failed {
            reason: "HTTP 422: no".to_owned(),
            refused: true,
        };
        let mut observed = Observed::of(vec![
            request(Outcome::failed("no answer in time")),
            request(refused.clone()),
            request(refused),
        ]);
        let told = |observed: &Observed| ClientFigures::new(observed, 1).on_retries(1);
        assert_eq!(told(&observed), None);
        observed.mode = Mode {
            retry: true,
            ..Mode::default()
        };
        let said = told(&observed).unwrap();
        assert!(!said.contains("Stored by an earlier attempt"), "{said}");
        for part in [
            "Given up after 30 s: 1,",
            "in doubt: 1",
            "Refused by the application for good: 2.",
        ] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
    }

    /// An outage with a retry has failures that no write knows of in the end: both are told,
    /// each by its name.
    #[test]
    fn writes_and_attempts_are_counted_apart() {
        let acknowledged = Outcome::Acknowledged {
            id: 1,
            timestamp: String::new(),
        };
        let mut late = Request::of(0, "", (0.0, 0.0), acknowledged.clone());
        let attempt = Attempt {
            sent: 0.0,
            ended: 0.1,
            reason: "refused".to_owned(),
        };
        late.attempts.failed = vec![attempt.clone(), attempt];
        let other = Request::of(1, "", (1.0, 1.0), acknowledged);
        let mut observed = Observed::of(vec![late, other]);
        observed.mode.retry = true;
        let figures = ClientFigures::new(&observed, 1);
        assert_eq!(
            figures.failures(),
            "2 writes, failed in the end: 0; 4 attempts, failed: 2"
        );
        assert_eq!(figures.sendings().text(), "attempts");
        let said = figures.on_retries(0).unwrap();
        assert!(said.ends_with("as it would be after 30 s."), "{said}");
        observed.mode.retry = false;
        let figures = ClientFigures::new(&observed, 1);
        assert_eq!(figures.failures(), "2 writes, failed: 0");
    }
}
