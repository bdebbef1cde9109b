//! Which checkout is meant: the one that is named on the command line, else the
//! one that the person stands in. A program that was built from another one acts on neither: with a
//! target folder that clones share, that is what cargo runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use terms::tr;

use crate::failure::Failure;

/// What a checkout has, and hardly any other folder.
const PARTS: [&str; 4] = ["lab.toml", "k8s", "pra", "app"];

/// The checkout that this program was built from; it may be gone since.
pub fn built_from() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Names the checkout for a shell that stands in none.
const VARIABLE: &str = "ATELIER_ROOT";

/// The folder of the lab: `named` (`--root`), else the nearest checkout around
/// the current folder, with which `ATELIER_ROOT` has to agree; outside of any
/// the one of the variable, else the one whose package cargo runs.
///
/// # Errors
/// There is none, or what is found disagrees: nothing may be done to either.
pub fn find(named: Option<PathBuf>) -> Result<PathBuf> {
    if let Some(named) = named {
        return resolve(&named);
    }
    let here = std::env::current_dir().context("reading the current folder");
    let here = here.and_then(|dir| Ok(dir.canonicalize()?)).context(
        Failure::usage(tr!(
            "the current folder is gone",
            "le dossier courant a disparu"
        ))
        .next(tr!(
            "cd into a checkout of the project",
            "allez (cd) dans un dépôt du projet",
        )),
    )?;
    // Set for good by some line of a shell's start-up, it is easily forgotten.
    if let Some(set) = std::env::var_os(VARIABLE).filter(|set| !set.is_empty()) {
        let set = resolve(Path::new(&set))?;
        return agree(set, around(&here));
    }
    choose(
        &here,
        std::env::var_os("CARGO_MANIFEST_DIR"),
        built_from().canonicalize().ok(),
    )
}

fn resolve(named: &Path) -> Result<PathBuf> {
    let found = named.canonicalize();
    let found = found.with_context(|| format!("finding the lab's folder {}", named.display()));
    found.map_err(|error| {
        error.context(Failure::usage(tr!(
            "the lab has no folder",
            "le lab n'a pas de dossier",
        )))
    })
}

/// The checkout of the variable, which a person who stands in another one has
/// most likely not in mind.
fn agree(set: PathBuf, around: Option<&Path>) -> Result<PathBuf> {
    let Some(around) = around.filter(|around| *around != set) else {
        return Ok(set);
    };
    let shown = crate::exec::quote_path(&set);
    Err(Failure::usage(tr!(
        "two checkouts could be meant: you are in {here}, and {VARIABLE} is {variable}",
        "deux dépôts sont possibles : vous êtes dans {here}, et {VARIABLE} est {variable}",
        here = around.display(),
        variable = set.display(),
    ))
    .next(tr!(
        "unset {VARIABLE}, for the one you are in; or name the other: cargo xtask --root {shown} \
         ...",
        "unset {VARIABLE}, pour celui où vous êtes ; ou nommez l'autre : cargo xtask --root \
         {shown} ...",
    ))
    .into())
}

fn around(here: &Path) -> Option<&Path> {
    here.ancestors().find(|dir| is_checkout(dir))
}

/// From the current folder, the package that cargo runs and the folder that the
/// program was built from, where that still exists.
fn choose(here: &Path, package: Option<OsString>, built: Option<PathBuf>) -> Result<PathBuf> {
    let around = around(here);
    // Another project's package says nothing about ours.
    let run = package
        .and_then(|package| PathBuf::from(package).join("..").canonicalize().ok())
        .filter(|dir| is_checkout(dir));
    let root = match (around, run) {
        (Some(around), Some(run)) if around != run => {
            return Err(refusal(
                tr!(
                    "two checkouts could be meant: you are in {here}, and cargo runs the program \
                     of {built}",
                    "deux dépôts sont possibles : vous êtes dans {here}, et cargo exécute le \
                     programme de {built}",
                    here = around.display(),
                    built = run.display(),
                ),
                around,
            ));
        }
        (Some(around), _) => around.to_owned(),
        (None, Some(run)) => run,
        (None, None) => {
            let said = tr!(
                "{folder} is in no checkout of the project",
                "{folder} n'est dans aucun dépôt du projet",
                folder = here.display(),
            );
            return Err(Failure::usage(said)
                .next(tr!(
                    "cd into one (it has lab.toml, k8s/, pra/ and app/)",
                    "allez (cd) dans l'un d'eux (il contient lab.toml, k8s/, pra/ et app/)",
                ))
                .into());
        }
    };
    // One that was moved away leaves nothing that could be mistaken.
    match built.filter(|built| *built != root && is_checkout(built)) {
        Some(built) => Err(refusal(
            tr!(
                "this program was built from {built}, and the lab would be that of {here}: do \
                 they share a target folder (CARGO_TARGET_DIR)?",
                "ce programme a été compilé depuis {built}, et le lab serait celui de {here} : \
                 partagent-ils un dossier de compilation (CARGO_TARGET_DIR) ?",
                built = built.display(),
                here = root.display(),
            ),
            &root,
        )),
        None => Ok(root),
    }
}

fn refusal(said: String, here: &Path) -> anyhow::Error {
    let main = crate::exec::quote(&here.join("xtask/src/main.rs").to_string_lossy());
    Failure::usage(said)
        .next(tr!(
            "touch {main} and run `cargo xtask` there, which builds it anew; or name the \
             checkout: cargo xtask --root {root} ...",
            "touch {main} et lancez `cargo xtask` là-bas, qui le recompile ; ou nommez le dépôt : \
             cargo xtask --root {root} ...",
            root = crate::exec::quote(&here.to_string_lossy()),
        ))
        .into()
}

fn is_checkout(dir: &Path) -> bool {
    PARTS.iter().all(|part| dir.join(part).exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind, next};
    use std::fs;

    fn checkouts(test: &str) -> [PathBuf; 2] {
        let base = std::env::temp_dir().join(format!("xtask-{test}-{}", std::process::id()));
        // Left by an earlier run that was killed.
        let _ = fs::remove_dir_all(&base);
        ["a", "b"].map(|name| {
            for part in ["xtask/src", "k8s", "pra", "app"] {
                fs::create_dir_all(base.join(name).join(part)).unwrap();
            }
            fs::write(base.join(name).join("lab.toml"), "").unwrap();
            base.join(name).canonicalize().unwrap()
        })
    }

    fn package(checkout: &Path) -> Option<OsString> {
        Some(checkout.join("xtask").into())
    }

    #[test]
    fn the_checkout_around_the_current_folder_is_meant() {
        let [a, b] = checkouts("around");
        let deep = a.join("xtask/src");
        for package in [package(&a), None, package(Path::new("/elsewhere"))] {
            assert_eq!(choose(&deep, package, Some(a.clone())).unwrap(), a);
        }
        // GivenUp since it was built.
        assert_eq!(choose(&deep, None, None).unwrap(), a);
        assert_eq!(
            choose(&deep, None, Some(PathBuf::from("/gone"))).unwrap(),
            a
        );
        // From anywhere, with cargo's --manifest-path.
        let outside = a.parent().unwrap();
        let found = choose(outside, package(&b), Some(b.clone()));
        assert_eq!(found.unwrap(), b);
        let none = choose(outside, None, Some(a.clone())).unwrap_err();
        assert!(none.to_string().contains("in no checkout"), "{none}");
        fs::remove_dir_all(outside).unwrap();
    }

    #[test]
    fn a_variable_that_was_forgotten_leads_into_no_other_checkout() {
        let [a, b] = checkouts("variable");
        let error = agree(a.clone(), around(&b.join("xtask/src"))).unwrap_err();
        for folder in [&a, &b] {
            let said = error.to_string();
            assert!(said.contains(&*folder.to_string_lossy()), "{said}");
        }
        assert_eq!(kind(&error), Kind::Usage);
        assert!(next(&error).unwrap().contains("--root"));
        assert_eq!(agree(a.clone(), around(&a.join("app"))).unwrap(), a);
        let outside = a.parent().unwrap();
        assert_eq!(agree(a.clone(), around(outside)).unwrap(), a);
        fs::remove_dir_all(outside).unwrap();
    }

    #[test]
    fn two_that_disagree_are_both_named_and_none_is_taken() {
        let [a, b] = checkouts("disagree");
        let shared_target = choose(&b, package(&b), Some(a.clone()));
        let other_package = choose(&b, package(&a), Some(a.clone()));
        for error in [shared_target.unwrap_err(), other_package.unwrap_err()] {
            let said = error.to_string();
            for folder in [&a, &b] {
                assert!(said.contains(&*folder.to_string_lossy()), "{said}");
            }
            assert_eq!(kind(&error), Kind::Usage);
            assert!(next(&error).unwrap().contains("touch"), "{said}");
        }
        fs::remove_dir_all(a.parent().unwrap()).unwrap();
    }
}
