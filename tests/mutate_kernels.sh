#!/usr/bin/env bash
# Mutation proof of the CUDA kernels: mutate_kernels.py says what is done and takes the same options.
set -euo pipefail
exec python3 "$(dirname "${BASH_SOURCE[0]}")/mutate_kernels.py" "$@"
