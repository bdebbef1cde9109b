#!/usr/bin/env bash
# What a new Codespace runs, in its order: for a plain Debian or Ubuntu, which has no hooks.
# A second run finds everything done.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

for hook in on-create update-content post-create; do
  bash ".devcontainer/$hook.sh"
done
if ! command -v cargo >/dev/null; then
  say "In this shell, first: . ~/.cargo/env" "Dans ce terminal, d'abord : . ~/.cargo/env"
fi
