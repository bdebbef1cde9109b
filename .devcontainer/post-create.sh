#!/usr/bin/env bash
# postCreateCommand: the lab, in the container of the person who uses it.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

wait_for_docker
cargo xtask setup --yes
say "To begin: cargo xtask tour" "Pour commencer : cargo xtask tour"
