# shellcheck shell=bash
# What the hooks share. They run in a Codespace, in a dev container, and on a plain
# Debian or Ubuntu; each can be run again.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Where rustup puts cargo if nothing else did.
if ! command -v cargo >/dev/null && [ -f "$HOME/.cargo/env" ]; then
  # shellcheck source=/dev/null
  . "$HOME/.cargo/env"
fi

# A sentence in the language that cargo xtask speaks, too: English, or French.
say() {
  local word wished="${LANGUAGE:-}:${LC_ALL:-${LC_MESSAGES:-${LANG:-}}}"
  for word in ${wished//:/ }; do
    case "$word" in
      fr*) printf '%s\n' "$2" >&2; return ;;
      en*) break ;;
    esac
  done
  printf '%s\n' "$1" >&2
}

# Runs a command that needs the network; says what to do where it fails.
online() {
  local en="$1" fr="$2" code=0
  shift 2
  "$@" || code=$?
  [ "$code" -eq 0 ] && return
  say "error: $en failed (\`$*\`, exit code $code).
  next: check that this machine reaches the network (and its proxy), then run again:
  bash .devcontainer/$(basename "$0")" \
    "erreur : $fr : échec (\`$*\`, code $code).
  ensuite : vérifiez que cette machine atteint le réseau (et son proxy), puis relancez :
  bash .devcontainer/$(basename "$0")"
  exit "$code"
}

# Docker's daemon starts beside the hooks, and may come up after them.
wait_for_docker() {
  command -v docker >/dev/null || return 0
  local limit="${DOCKER_LIMIT:-120}" told=
  local end=$((SECONDS + limit))
  until timeout 10 docker info >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$end" ]; then
      say "error: Docker did not answer within $limit s.
  next: docker info says why; then run again: bash .devcontainer/$(basename "$0")
  or, without Docker: cargo xtask --engine local setup" \
        "erreur : Docker n'a pas répondu en $limit s.
  ensuite : docker info dit pourquoi ; puis relancez : bash .devcontainer/$(basename "$0")
  ou bien, sans Docker : cargo xtask --engine local setup"
      return 3
    fi
    if [ -z "$told" ]; then
      say "Docker is still starting: waiting for it." "Docker démarre encore : attente."
      told=yes
    fi
    sleep 0.5
  done
}
