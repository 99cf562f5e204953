#!/usr/bin/env bash
# Reads what ptxas said when the CUDA kernels were built (keep_ptxas.sh): no kernel may spill registers or keep anything
# in local memory, on any of the architectures.
#   kernel_resources.sh OBJECT...
set -euo pipefail

bad=0
kernels=0
for object in "$@"; do
  log=$object.ptxas
  if [[ ! -e $log ]]; then
    echo "$log is not there: was $object built by keep_ptxas.sh?"
    bad=1
    continue
  fi
  # "Compiling entry function 'NAME' for 'ARCH'", and after it "N bytes stack frame, N bytes spill stores, ..."
  spills=$(awk -v file="$(basename "$object" .o)" '
    /Compiling entry function/ { kernel = $0; sub(/.*entry function /, "", kernel) }
    /bytes stack frame/ { if ($1 != 0 || $5 != 0 || $9 != 0) print file ": " kernel ": " $0 }' "$log")
  if [[ -n $spills ]]; then
    c++filt <<<"$spills"
    bad=1
  fi
  count=$(grep -c 'Compiling entry function' "$log" || true)
  kernels=$((kernels + count))
done
if ((kernels == 0)); then
  echo "ptxas said nothing of any kernel: is -Xptxas=-v understood?"
  bad=1
fi
echo "$kernels kernels, all architectures counted"
exit "$bad"
