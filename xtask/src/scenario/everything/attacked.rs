//! What an attack took, and what that teaches.

use terms::lang::plural;
use terms::tr;

use crate::measure::attack::{Attack, Emptied, Encrypted};

/// What was made of the volumes.
pub fn volumes_in_words(volumes: &Encrypted) -> String {
    tr!(
        "{files} files encrypted, {points} restore point{s} deleted",
        "{files} fichiers chiffrés, {points} point{s} de restauration supprimé{s}",
        files = volumes.files,
        points = volumes.points,
        s = plural(volumes.points),
    )
}

/// What was made of the copies.
pub fn copies_in_words(copies: &Emptied) -> String {
    let Emptied {
        objects,
        overwritten,
        removed,
        versions,
        versions_removed,
        versions_refused,
        ..
    } = copies;
    tr!(
        "of {objects} objects {overwritten} overwritten and {removed} removed from the listing; of \
         {versions} versions {versions_removed} removed; the store refused to remove \
         {versions_refused}",
        "sur {objects} objets, {overwritten} écrasés et {removed} retirés de la liste ; sur \
         {versions} versions, {versions_removed} supprimées ; le stockage a refusé d'en supprimer \
         {versions_refused}",
    )
}

/// What an attack teaches, beside what every loss of everything does.
pub fn lessons(attack: &Attack) -> Vec<String> {
    let copies = &attack.copies;
    let mut lessons = vec![tr!(
        "Whoever had the lab's credentials left a bucket that shows {listed} objects of this lab: \
         {taken}. What nobody with these credentials removes is what came back; without the lock \
         of the bucket nothing would have.",
        "Qui avait les identifiants du lab a laissé un bucket qui montre {listed} objets de ce \
         lab : {taken}. Ce que personne ne supprime avec ces identifiants est ce qui est revenu ; \
         sans le verrou du bucket, rien ne serait revenu.",
        listed = copies.listed,
        taken = copies_in_words(copies),
    )];
    if copies.versions_removed > 0 {
        lessons.push(tr!(
            "{versions} versions could be removed: their lock had ended, or they had none.",
            "{versions} versions ont pu être supprimées : leur verrou avait expiré, ou elles n'en \
             avaient pas.",
            versions = copies.versions_removed,
        ));
    }
    lessons.push(match copies.rules_changed {
        0 => tr!(
            "The rules of the bucket itself, its lock and its versions, could not be changed either \
             ({refused} attempts were refused).",
            "Les règles du bucket lui-même, son verrou et ses versions, n'ont pas pu être changées \
             non plus ({refused} tentatives refusées).",
            refused = copies.rules_refused,
        ),
        changed => tr!(
            "{changed} rules of the bucket itself could be weakened, and were put back: what is \
             copied after such a change is not kept. The lab's credentials need neither \
             s3:PutBucketObjectLockConfiguration nor s3:PutBucketVersioning.",
            "{changed} règles du bucket lui-même ont pu être affaiblies, puis ont été remises : ce \
             qui est copié après un tel changement n'est pas conservé. Les identifiants du lab \
             n'ont besoin ni de s3:PutBucketObjectLockConfiguration ni de s3:PutBucketVersioning.",
        ),
    });
    lessons
}
