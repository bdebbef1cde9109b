#!/usr/bin/env bash
# What a new Codespace runs, in its order: for a plain Debian or Ubuntu, which has no hooks.
# A second run finds everything done.
set -euo pipefail
here=$(dirname "$0")
for hook in on-create update-content post-create; do
  bash "$here/$hook.sh"
done
