#!/usr/bin/env bash
# Installs what is missing and builds the `release` preset: build.sh [CMAKE TARGET...]
# GLIMPSE_CUDA in the environment is the CMake option of that name; without it, CUDA is built where nvcc is found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./tools/setup.sh
mkdir -p build
log=build/configure.log
if ! cmake --preset release "-DGLIMPSE_CUDA=${GLIMPSE_CUDA:-AUTO}" >"$log" 2>&1; then
  tail -n 30 "$log" >&2
  exit 1
fi
grep '^-- glimpse:' "$log" | sed 's/^-- //' || true
targets=()
for target in "$@"; do targets+=(--target "$target"); done
cmake --build --preset release "${targets[@]}"
