#!/usr/bin/env bash
# Compiles every CUDA kernel for all architectures that Glimpse is tuned for, and PTX, with warnings as errors, and reads
# what ptxas says of them: no kernel may spill registers or keep anything in local memory.
#   compile_kernels.sh NVCC INCLUDE_FOLDER SOURCE_FOLDER NVCC_OPTION...
set -euo pipefail
nvcc=$1 include=$2 source=$3
shift 3
options=("$@")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

compile() {
  local file=$1 name
  name=${file#"$source"/kernels/}
  name=${name%.cu}
  name=${name//\//.}
  "$nvcc" "${options[@]}" -Werror=all-warnings -O3 -DNDEBUG -I"$include" -Xptxas=-v \
    -gencode arch=compute_75,code=sm_75 -gencode arch=compute_80,code=sm_80 \
    -gencode arch=compute_90,code='[sm_90,compute_90]' -c "$file" -o "$work/$name.o" &>"$work/$name.log" ||
    touch "$work/$name.failed"
  rm -f "$work/$name.o"
}

# As many compilers at a time as there are processors.
for file in "$source"/kernels/*.cu "$source"/kernels/*/*.cu; do
  while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n; done
  compile "$file" &
done
wait

bad=0
kernels=0
for log in "$work"/*.log; do
  name=$(basename "$log" .log)
  if [[ -e $work/$name.failed ]]; then
    echo "kernels/${name//.//}.cu does not compile:"
    grep -v '^ptxas info' "$log" | head -n 20
    bad=1
    continue
  fi
  if grep -q 'warning' "$log"; then
    echo "kernels/${name//.//}.cu:"
    grep 'warning' "$log"
    bad=1
  fi
  # "Compiling entry function 'NAME' for 'ARCH'", and after it "N bytes stack frame, N bytes spill stores, ..."
  awk -v file="kernels/${name//.//}.cu" '
    /Compiling entry function/ { kernel = $0; sub(/.*entry function /, "", kernel) }
    /bytes stack frame/ { if ($1 != 0 || $5 != 0 || $9 != 0) print file ": " kernel ": " $0 }' "$log" >"$work/spills"
  if [[ -s $work/spills ]]; then
    c++filt <"$work/spills"
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
