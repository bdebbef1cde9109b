#!/usr/bin/env bash
# updateContentCommand: what follows from the checkout. A prebuild has it done, and does it
# again when the checkout changes: the programs built, packages, tools and images at hand.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

online "building cargo xtask" "compilation de cargo xtask" \
  cargo build --locked --package xtask --package report
# Without Docker, which a prebuild may lack, the local engine's packages are all there is.
wait_for_docker || true
online "downloading what the lab needs" "téléchargement de ce qu'il faut au lab" \
  cargo xtask preflight --download
