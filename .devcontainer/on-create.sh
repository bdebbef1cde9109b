#!/usr/bin/env bash
# onCreateCommand: what the system needs, once. The dev container's features bring all of
# it; on a plain Debian or Ubuntu this installs what is missing.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

missing=()
need() { # COMMAND PACKAGE...
  command -v "$1" >/dev/null || missing+=("${@:2}")
}
need curl curl ca-certificates
need git git
need cc gcc libc6-dev
need python3 python3 python3-venv
need ps procps
if command -v python3 >/dev/null && ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  missing+=(python3-venv)
fi
if [ "${#missing[@]}" -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    say "error: this machine lacks ${missing[*]}, and has no apt-get to install it with.
  next: install it, then run again: bash .devcontainer/on-create.sh" \
      "erreur : il manque ${missing[*]}, et cette machine n'a pas apt-get pour l'installer.
  ensuite : installez-le, puis relancez : bash .devcontainer/on-create.sh"
    exit 3
  fi
  export DEBIAN_FRONTEND=noninteractive
  online "reading the lists of packages" "lecture des listes de paquets" \
    as_root apt-get update -q -o APT::Update::Error-Mode=any
  online "installing ${missing[*]}" "installation de ${missing[*]}" \
    as_root apt-get install -q -y --no-install-recommends "${missing[@]}"
fi

if ! command -v cargo >/dev/null; then
  case "$(uname -m)" in
    aarch64 | arm64) target=aarch64-unknown-linux-gnu ;;
    *) target=x86_64-unknown-linux-gnu ;;
  esac
  release="https://static.rust-lang.org/rustup/dist/$target/rustup-init"
  folder=$(mktemp -d)
  for file in "$release" "$release.sha256"; do
    online "downloading rustup" "téléchargement de rustup" \
      curl --proto '=https' --tlsv1.2 --retry 3 -sSfL -o "$folder/$(basename "$file")" "$file"
  done
  sum=$(cut -d ' ' -f 1 "$folder/rustup-init.sha256")
  echo "$sum  $folder/rustup-init" | sha256sum --quiet -c -
  chmod +x "$folder/rustup-init"
  "$folder/rustup-init" -q -y --profile minimal --default-toolchain none
  rm -r "$folder"
  # shellcheck source=/dev/null
  . "$HOME/.cargo/env"
fi
# The version of rust-toolchain.toml, once.
if ! cargo --version >/dev/null 2>&1; then
  online "installing the Rust of rust-toolchain.toml" "installation du Rust de rust-toolchain.toml" \
    rustup toolchain install
fi
say "The system has what the lab needs." "Le système a ce qu'il faut pour le lab."
