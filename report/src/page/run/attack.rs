//! What an attack took, as a table.

use maud::{Markup, html};
use terms::lang::both;
use terms::tr;

use super::super::{number, table, text};
use crate::model::Attack;

pub fn section(attack: Option<&Attack>) -> Markup {
    let headers = [
        both("what", "quoi"),
        both("there were", "il y en avait"),
        both("overwritten", "écrasés"),
        both("removed", "supprimés"),
        both("refused to remove", "suppressions refusées"),
    ];
    html! {
        @if let Some(Attack { volumes, copies }) = attack {
            h2 { (tr!("Attack", "Attaque")) }
            (table(&tr!(
                "What was tried with the lab's own credentials, and what the store refused",
                "Ce qui a été tenté avec les identifiants du lab, et ce que le stockage a refusé",
            ), &headers, vec![
                vec![
                    text(tr!("files on both volumes", "fichiers des deux volumes")),
                    number(volumes.files), number(volumes.files), number(0), number(0),
                ],
                vec![
                    text(tr!("restore points", "points de restauration")),
                    number(volumes.points), number(volumes.points), number(volumes.points), number(0),
                ],
                vec![
                    text(tr!("copies, by name", "copies, par nom")),
                    number(copies.objects), number(copies.overwritten), number(copies.removed), number(0),
                ],
                vec![
                    text(tr!("their versions", "leurs versions")),
                    number(copies.versions), number(0),
                    number(copies.versions_removed), number(copies.versions_refused),
                ],
            ]))
        }
    }
}
