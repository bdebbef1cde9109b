#!/usr/bin/env bash
# postStartCommand: a lab that was stopped with its Codespace comes back. One that somebody
# has torn down does not.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# A lab on processes comes back without Docker; what needs it says so itself.
wait_for_docker || true
cargo xtask setup --existing --yes
