//! Argument lists of Packer, and the hash of an image's inputs.

use std::path::Path;

use crate::exec::Cmd;
use crate::wait;

/// Packer without its call home for newer versions.
pub fn cmd<S: AsRef<str>>(program: &str, args: impl IntoIterator<Item = S>) -> Cmd {
    Cmd::new(program)
        .args(args)
        .env("CHECKPOINT_DISABLE", "1")
        .limit(wait::PACKER)
}

/// What a template is given; the defaults of the template are the same.
#[derive(Clone, Debug)]
pub struct Vars<'a> {
    pub tag: &'a str,
    pub base: &'a str,
}

pub fn init(folder: &Path) -> Vec<String> {
    vec!["init".to_owned(), folder.to_string_lossy().into_owned()]
}

/// `pull` asks the registry even where the base image is here already.
pub fn build(folder: &Path, vars: &Vars, pull: bool) -> Vec<String> {
    let mut args = vec!["build".to_owned(), "-color=false".to_owned()];
    for var in [
        format!("image_tag={}", vars.tag),
        format!("base_image={}", vars.base),
        format!("pull={pull}"),
    ] {
        args.extend(["-var".to_owned(), var]);
    }
    args.push(folder.to_string_lossy().into_owned());
    args
}

/// The template itself computes the hash of its inputs: images that were built
/// by hand carry the same one.
pub fn inputs(folder: &Path, vars: &Vars) -> Vec<String> {
    vec![
        "console".to_owned(),
        "-var".to_owned(),
        format!("base_image={}", vars.base),
        folder.to_string_lossy().into_owned(),
    ]
}

/// What to ask `packer console`.
pub const INPUTS_QUESTION: &str = "local.inputs_hash\n";

/// The hash in the answer: 64 hexadecimal digits, alone on a line.
pub fn parse_inputs(text: &str) -> Option<String> {
    let hash = |line: &&str| line.len() == 64 && line.chars().all(|c| c.is_ascii_hexdigit());
    text.lines().map(str::trim).find(hash).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARS: Vars = Vars {
        tag: "1.0",
        base: "python:3.13-slim",
    };

    #[test]
    fn a_build_is_the_typed_one_with_its_variables() {
        let args = build(Path::new("packer/flask"), &VARS, false);
        assert_eq!(
            cmd("packer", args).to_string(),
            "CHECKPOINT_DISABLE=1 packer build -color=false -var image_tag=1.0 \
             -var base_image=python:3.13-slim -var pull=false packer/flask"
        );
    }

    #[test]
    fn only_a_hash_counts_as_one() {
        let hash = "c8cc57b37d9f782a9fec0b65d9844975b83312d4ed44ba6fc992a727c08d0c0d";
        assert_eq!(
            parse_inputs(&format!("warning\n{hash}\n\n")).as_deref(),
            Some(hash)
        );
        assert_eq!(parse_inputs("Error: no plugin"), None);
    }
}
