#!/usr/bin/env bash
# Installs what is missing and builds the `release` preset: build.sh [CMAKE TARGET...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./tools/setup.sh
mkdir -p build
log=build/configure.log
if ! cmake --preset release >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  exit 1
fi
grep '^-- glimpse:' "$log" | sed 's/^-- //' || true
targets=()
for target in "$@"; do targets+=(--target "$target"); done
cmake --build --preset release "${targets[@]}"
