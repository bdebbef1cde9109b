//! The first page of help: the commands by what they are for.

use clap::CommandFactory;

use super::Cli;

/// Every command that a person types, in the order in which it is read.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "Everyday",
        &[
            "setup", "status", "open", "add", "backup", "restore", "undo", "export", "adopt",
            "offsite", "prune", "watch", "monitor", "logs", "reset",
        ],
    ),
    (
        "Disasters",
        &[
            "tour", "scenario", "gameday", "drill", "measure", "report", "runs",
        ],
    ),
    ("Teaching", &["check"]),
    (
        "Stages of setup on a cluster, one at a time",
        &["cluster", "image", "import", "push", "deploy", "forward"],
    ),
    (
        "Maintenance",
        &[
            "preflight",
            "teardown",
            "test",
            "faults",
            "bench",
            "guide",
            "local",
            "completions",
            "help",
        ],
    ),
];

/// The command line, with its first page of help in groups.
pub fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    let groups: String = GROUPS.iter().map(|group| listed(&command, group)).collect();
    let template = format!(
        "{{about}}\n\n{{usage-heading}} {{usage}}\n\n{groups}Options:\n{{options}}{{after-help}}"
    );
    Cli::command().help_template(template)
}

fn listed(command: &clap::Command, (title, names): &(&str, &[&str])) -> String {
    let lines = names.iter().map(|name| {
        let about = command
            .find_subcommand(name)
            .and_then(|found| found.get_about());
        let about = about.map(ToString::to_string).unwrap_or_default();
        format!("  {name:<12} {about}\n")
    });
    format!("{title}:\n{}\n", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    /// A command in no group would be missing from the help.
    #[test]
    fn every_command_is_in_one_group() {
        let mut command = Cli::command();
        command.build();
        let visible = command.get_subcommands().filter(|one| !one.is_hide_set());
        let mut there: Vec<&str> = visible.map(clap::Command::get_name).collect();
        let grouped = GROUPS.iter().flat_map(|(_, names)| names.iter().copied());
        let mut grouped: Vec<&str> = grouped.collect();
        there.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(there, grouped);
    }

    #[test]
    fn the_first_page_says_what_each_command_is_for() {
        let page = command().render_long_help().to_string();
        for wanted in [
            "Everyday:\n",
            "Bring the lab up",
            "--dry-run",
            "Exit codes:",
        ] {
            assert!(page.contains(wanted), "{wanted} is not in: {page}");
        }
    }
}
