#!/usr/bin/env bash
# The hooks on machines that have nothing yet: a fresh Debian and a fresh Ubuntu in a
# folder, without network, a second time, and after everything was stopped; and
# devcontainer.json against the published schema. Takes minutes, root and the network;
# what it cannot do here it says, and counts. The quick tests are those of
# `cargo test -p xtask --test main codespace`.
#
#   .devcontainer/test.sh [schema] [debian] [ubuntu]
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD

# devcontainers/spec, MIT (LICENSE-CODE); fetched, since it is none of ours.
schema_commit=c95ffeed1d059abfe9ffbe79762dc2fa4e7c2421
schema_sha256=a0883c0405ff433db188849d458fb20b9c0d73e0ba1a6e44c1d83f3b485408dd
schema_url=https://raw.githubusercontent.com/devcontainers/spec/$schema_commit/schemas/devContainer.base.schema.json

passed=0 failed=0 skipped=0
work=$(mktemp -d "${TMPDIR:-/tmp}/devcontainer-test-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

pass() { passed=$((passed + 1)); echo "ok: $1"; }
fail() { failed=$((failed + 1)); echo "FAILED: $1"; [ -z "${2:-}" ] || tail -n 30 "$2"; }
skip() { skipped=$((skipped + 1)); echo "SKIPPED: $1"; }

schema() {
  local file="${DEVCONTAINER_SCHEMA:-$work/schema.json}"
  if [ ! -f "$file" ] && ! curl -sSfL --retry 2 -m 60 -o "$file" "$schema_url"; then
    skip "the schema: it cannot be fetched here; DEVCONTAINER_SCHEMA names a copy of $schema_url"
    return
  fi
  if ! echo "$schema_sha256  $file" | sha256sum --quiet -c -; then
    fail "the schema is not the one that is pinned: $file"
    return
  fi
  if ! python3 -m venv "$work/venv" || ! "$work/venv/bin/pip" install -q jsonschema==4.23.0; then
    skip "the schema: jsonschema cannot be installed here"
    return
  fi
  if "$work/venv/bin/python" - "$file" .devcontainer/devcontainer.json <<'PYTHON'
import json, sys
from jsonschema.validators import validator_for
schema, container = (json.load(open(path, encoding="utf-8")) for path in sys.argv[1:])
check = validator_for(schema)(schema)
wrong = [f"{list(error.path)}: {error.message}" for error in check.iter_errors(container)]
print("\n".join(wrong))
# What checks anything refuses this.
assert not check.is_valid({**container, "postStart": "true"}), "a property that does not exist"
assert not check.is_valid({**container, "forwardPorts": "8080"}), "ports that are no list"
sys.exit(bool(wrong))
PYTHON
  then pass "devcontainer.json keeps to the published schema"
  else fail "devcontainer.json breaks the published schema"
  fi
}

# Runs a command in a root, in namespaces of its own: when it ends, all that it left
# running ends, as in a Codespace that is stopped. NET=no: without network.
inside() {
  local root="$1" flags=(--mount --pid --fork --uts --ipc)
  shift
  [ "${NET:-yes}" = yes ] || flags+=(--net)
  # shellcheck disable=SC2016
  unshare "${flags[@]}" bash -c '
    mount --make-rprivate /
    mount -t proc proc "$0/proc"
    mount --rbind /dev "$0/dev"
    exec chroot "$0" env -i HOME=/root USER=root TERM=dumb LANG=C.UTF-8 LANGUAGE="${TOLD:-en}" \
      PATH=/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      SSL_CERT_FILE=/host-certificates.crt CURL_CA_BUNDLE=/host-certificates.crt \
      PIP_CERT=/host-certificates.crt CARGO_HTTP_CAINFO=/host-certificates.crt \
      bash -c "cd /work/lab && $*"' "$root" "$@"
}

# SUITE NAME MIRROR [mmdebstrap options]
system() {
  local suite="$1" name="$2" mirror="$3" root="$work/$1" log="$work/$1.log" began
  shift 3
  if [ "$(id -u)" -ne 0 ]; then skip "$name: needs root"; return; fi
  if ! command -v mmdebstrap >/dev/null; then skip "$name: needs mmdebstrap"; return; fi
  if ! mmdebstrap --variant=minbase --include=apt "$@" "$suite" "$root" "$mirror" >"$log" 2>&1; then
    tail -n 5 "$log"
    skip "$name: $mirror gives no system"
    return
  fi
  mkdir -p "$root/work"
  # Also what is not committed yet.
  git clone -q --no-local "$checkout" "$root/work/lab"
  git ls-files -z --modified --others --exclude-standard | tar --null -T - -c --ignore-failed-read 2>/dev/null |
    tar -x -C "$root/work/lab"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  cp /etc/ssl/certs/ca-certificates.crt "$root/host-certificates.crt"
  sed -i 's/^port = 8080/port = 0/' "$root/work/lab/lab.toml"

  local code=0
  NET=no TOLD=fr inside "$root" bash .devcontainer/create.sh >"$log" 2>&1 || code=$?
  if [ "$code" -ne 0 ] && grep -q "vérifiez que cette machine atteint le réseau" "$log"; then
    pass "$name: without network it ends with $code and says what to do"
  else
    fail "$name: without network it ended with $code" "$log"
  fi

  began=$SECONDS
  if inside "$root" "bash .devcontainer/create.sh && cargo xtask add 'before the stop' &&
      cargo xtask status" >"$log" 2>&1 && grep -q "2 of 2 ready" "$log"; then
    pass "$name: create.sh makes the lab of a fresh system, in $((SECONDS - began)) s"
  else
    fail "$name: create.sh in a fresh system" "$log"
    return
  fi

  # All of it was ended with the namespaces.
  if inside "$root" "bash .devcontainer/start.sh && cargo xtask status" >"$log" 2>&1 &&
    grep -q "2 of 2 ready" "$log" && grep -Eq "^rows +1$" "$log"; then
    pass "$name: start.sh brings the lab back, with its row"
  else
    fail "$name: start.sh after everything was stopped" "$log"
  fi

  began=$SECONDS
  if inside "$root" "bash .devcontainer/create.sh && cargo xtask teardown --yes &&
      bash .devcontainer/start.sh && cargo xtask status" >"$log" 2>&1 &&
    ! grep -q "Compiling\|Setting up\|Downloading" "$log" && grep -q "The lab is down" "$log"; then
    pass "$name: a second run finds everything done, in $((SECONDS - began)) s; a torn-down lab stays down"
  else
    fail "$name: a second run" "$log"
  fi
  rm -rf --one-file-system "$root"
}

debian() {
  system trixie "Debian 13" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
}

ubuntu() {
  local keys="${UBUNTU_KEYS:-/usr/share/keyrings/ubuntu-archive-keyring.gpg}"
  if [ ! -f "$keys" ]; then skip "Ubuntu 24.04: needs its keys (package ubuntu-keyring)"; return; fi
  system noble "Ubuntu 24.04" "${UBUNTU_MIRROR:-http://archive.ubuntu.com/ubuntu}" \
    --keyring="$keys" --components=main,universe
}

[ "$#" -gt 0 ] || set -- schema debian ubuntu
for part in "$@"; do
  case "$part" in
    schema | debian | ubuntu) "$part" ;;
    *) echo "there is no part $part: schema, debian, ubuntu" >&2; exit 2 ;;
  esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
