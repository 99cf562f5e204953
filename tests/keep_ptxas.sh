#!/usr/bin/env bash
# Runs nvcc and keeps what ptxas says of its kernels beside the object: keep_ptxas.sh OBJECT NVCC ARGUMENT...
set -uo pipefail
object=$1
shift
"$@" 2>"$object.ptxas"
status=$?
grep -vE '^ptxas info|^ +[0-9]+ bytes stack frame' "$object.ptxas" >&2
exit "$status"
