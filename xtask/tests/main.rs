//! The end-to-end tests, in one program: most of their time is waiting, which the tests of all
//! files share this way. `cargo test -p xtask --test main disasters` runs those of one file.

mod support;

mod checkouts;
mod codespace;
mod commands;
mod completions;
mod copies;
mod copies_targets;
mod disasters;
mod drill;
mod dry_runs;
mod engines;
mod environment;
mod faulty_labs;
mod french;
mod gameday;
mod gameday_cut_off;
mod guide;
mod interrupted_scenarios;
mod interrupts;
mod k3d_deletion;
mod k3d_nodes;
mod k3d_owners;
mod k3d_tools;
mod k3d_up;
mod k3d_volumes;
mod layers;
mod local_changes;
mod local_engine;
mod local_folder;
mod local_leftovers;
mod local_life;
mod marking;
mod marking_fences;
mod resets;
mod restores;
mod scenarios;
mod texts;
mod tidy;
mod tours;
