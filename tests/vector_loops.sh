#!/usr/bin/env bash
# Every `#pragma omp simd` of the CPU's kernels is a loop that the compiler must turn into vector instructions, for AVX2
# and for AVX-512. This reads the compiler's own report and names the loops that stay scalar:
#   vector_loops.sh COMPILER INCLUDE_FOLDER SOURCE_FOLDER FLAGS...
set -euo pipefail
export LC_ALL=C  # reports are translated
compiler=$1 include=$2 source=$3 clang=0
shift 3
cd "$source"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if "$compiler" --version | grep -q clang; then
  clang=1
  report=(-Rpass=loop-vectorize -Wno-pass-failed -gline-tables-only)  # with them, places are exact
else
  report=(-fopt-info-vec-optimized)
fi

# In f32: the double versions of exp and tanh are the standard library's.
compile() {
  mkdir -p "$work/glimpse/$(dirname "$1")"
  sed 's/^GLIMPSE_.*(Cpu, double)$//' "$1" >"$work/glimpse/$1"
  "$compiler" -std=c++20 -O3 "${@:2}" "${report[@]}" -I"$include" -S -o /dev/null "$work/glimpse/$1" \
    >"$work/${1//\//_}.report" 2>&1 || { cat "$work/${1//\//_}.report" >&2; return 1; }
}
mapfile -t files < <(grep -l 'base/vectors.h' kernels/*.cpp kernels/*/*.cpp data/*.cpp)
running=0
for file in "${files[@]}"; do
  if ((running >= 2)); then wait -n; running=$((running - 1)); fi
  compile "$file" "$@" &
  running=$((running + 1))
done
while ((running > 0)); do wait -n; running=$((running - 1)); done

# The loops that must be there: file, line of the pragma, last line on which its loop begins, how many functions stand
# behind it. elementwise.cpp has one loop for all functions of one tensor; the logarithm alone is the standard library's.
functions=$(sed -n '/^#define GLIMPSE_FOR_EACH_UNARY_OP(/,/^#define GLIMPSE_FOR_EACH_BINARY(/p' kernels/functors.h |
  grep -oE '(op|instance)\([A-Z][a-z]' | wc -l)
loops() {
  grep -n '^#pragma omp simd' kernels/*.cpp kernels/*/*.cpp kernels/*/*.h kernels/*/*/*.h data/resize.cpp |
    while IFS=: read -r file line _; do
      least=1
      next=$(sed -n "$((line + 1))p" "$file")
      # clang unrolls loops over the lanes of a block, whose number is a constant, and joins the pieces elsewhere.
      if ((clang)) && [[ $next =~ \<\ (B|lanes|Width|blocks)\; ]]; then continue; fi
      case $file:$next in
        kernels/elementwise.cpp:*f.apply\(x\[i\]\)*) least=$((functions - 1)) ;;
        kernels/elementwise.cpp:*f.gradient*) least=$functions ;;
        kernels/dropout.cpp:*philox_round*) file=kernels/base/philox.h line=16 ;;  # what is reported is the inlined body
      esac
      echo "$file $line $((line + 2)) $least"
    done
}

loops >"$work/loops"
cat "$work"/*.report >"$work/all"
awk -v loops="$work/loops" '
  # GCC: "FILE:LINE:COLUMN: optimized: loop vectorized using 64 byte vectors"
  # clang: "FILE:LINE:COLUMN: remark: vectorized loop (vectorization width: 16, ..."
  /loop vectorized using|vectorized loop \(vectorization width/ {
    split($1, place, ":")
    file = place[1]
    sub(/.*glimpse\//, "", file)
    if (match($0, /using [0-9]+ byte/)) width = substr($0, RSTART + 6, RLENGTH - 11)
    else { match($0, /width: [0-9]+/); width = "w" substr($0, RSTART + 7, RLENGTH - 7) }
    ++count[file, place[2], width]
  }
  function found(file, from, to, width,   n, i) {
    for (i = from; i <= to; ++i) n += count[file, i, width]
    return n + 0
  }
  END {
    while ((getline line < loops) > 0) {
      split(line, want, " ")
      file = want[1]; from = want[2]; to = want[3]; least = want[4]; ++total
      wide = found(file, from, to, "64"); half = found(file, from, to, "32")
      # Elements of a vector, of which AVX-512 has four times as many as the baseline: 4, 8, 16 floats or 2, 4, 8 doubles.
      if (found(file, from, to, "w16") || found(file, from, to, "w8")) {
        big = found(file, from, to, "w16") ? 16 : 8
        wide = found(file, from, to, "w" big); half = found(file, from, to, "w" big / 2)
      }
      if (wide < least || half < least) {
        printf "%s:%d: scalar: %d of %d functions use vectors of AVX-512, %d of AVX2\n", file, from, wide, least, half
        ++missing
      }
    }
    printf "%d loops, %d not vectorised\n", total, missing
    exit (missing > 0 || total == 0)
  }' "$work/all"
