//! The commands that a text names, as they have to be typed to mean the same lab.

pub(super) const COMMAND: &str = "cargo xtask ";

/// The options of this command that another one needs as well.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub root: Option<String>,
    pub lab: Option<String>,
    pub engine: Option<String>,
}

impl Options {
    /// Options go after the first words of each command. One that has options there
    /// says itself which lab it means, and `local` is of one engine alone.
    pub(super) fn put_into(&self, text: &str) -> String {
        let mut parts = text.split(COMMAND);
        let mut typed = parts.next().unwrap_or_default().to_owned();
        for rest in parts {
            typed.push_str(COMMAND);
            let engine = self.engine.as_ref();
            let engine = engine.filter(|_| !rest.starts_with("local "));
            if !rest.starts_with("--") {
                for option in self.root.iter().chain(&self.lab).chain(engine) {
                    typed.push_str(option);
                    typed.push(' ');
                }
            }
            typed.push_str(rest);
        }
        typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_of_a_text_means_the_same_lab() {
        let options = Options {
            root: Some("--root '/a b'".to_owned()),
            lab: None,
            engine: Some("--engine local".to_owned()),
        };
        let said = "cargo xtask teardown && cargo xtask setup; `cargo xtask local stop`, or \
                    cargo xtask --engine k3d setup";
        let typed = "cargo xtask --root '/a b' --engine local teardown && \
                     cargo xtask --root '/a b' --engine local setup; \
                     `cargo xtask --root '/a b' local stop`, or cargo xtask --engine k3d setup";
        assert_eq!(options.put_into(said), typed);
        let ha = Options {
            lab: Some("--lab ha".to_owned()),
            ..Options::default()
        };
        let typed = ha.put_into("cargo xtask setup, or cargo xtask --lab image setup");
        assert_eq!(
            typed,
            "cargo xtask --lab ha setup, or cargo xtask --lab image setup"
        );
        assert_eq!(Options::default().put_into(said), said);
    }
}
