#!/usr/bin/env bash
# Builds everything and runs all tests: test.sh [CTEST ARGUMENT...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./tools/build.sh
ctest --preset release -j "$(nproc)" "$@"
