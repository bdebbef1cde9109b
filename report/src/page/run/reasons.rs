//! Why something failed, as the client noted it.

use maud::{Markup, html};
use terms::lang;
use terms::tr;

use super::super::{number, table, text};
use crate::ledger::Ledger;
use crate::model::Client;

pub(super) fn table_of(client: &Client, ledger: &Ledger) -> Markup {
    let reasons = ledger.reasons.iter();
    let rows = reasons.map(|(reason, count)| vec![number(count), text(reason.clone())]);
    let headers = [lang::both("times", "fois"), lang::both("reason", "raison")];
    let heading = match client.retry {
        true => lang::both("Why attempts failed", "Pourquoi des tentatives ont échoué"),
        false => lang::both("Why writes failed", "Pourquoi des écritures ont échoué"),
    };
    html! {
        @if !ledger.reasons.is_empty() {
            h2 { (heading) }
            (table(&tr!(
                "The most frequent reasons, of {failed}: {count}",
                "Les raisons les plus fréquentes, {failed} : {count}",
                failed = client.failed(),
                count = ledger.failures(),
            ), &headers, rows.collect()))
        }
    }
}
