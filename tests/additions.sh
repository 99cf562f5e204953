#!/usr/bin/env bash
# Shows what it takes to add an element-wise op, an op with kernels of its own for both devices, and a metric: applies
# tests/additions/NAME.patch to a copy of the tree, counts the files that it touches outside tests/, builds the tests and
# runs those of the addition. By hand, not in CI; about ten minutes an addition on two cores.
#   additions.sh [NAME...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
names=("$@")
((${#names[@]})) || names=(element_wise_op op_with_kernel metric)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The files that an addition may touch outside tests/, and the tests that prove it: PROGRAM[:SECTION]...
declare -A most=([element_wise_op]=1 [op_with_kernel]=4 [metric]=1)
declare -A proofs=(
  [element_wise_op]="test_ops:softsign test_gradients:softsign test_emulated:softsign"
  [op_with_kernel]="test_ops:cumulative_sum test_gradients:cumulative_sum test_emulated:cumulative_sum"
  [metric]="test_metrics")

failed=0
git ls-files -z | xargs -0 tar -cf "$work/tree.tar"
for name in "${names[@]}"; do
  rm -rf "$work/tree"
  mkdir "$work/tree"
  tar -xf "$work/tree.tar" -C "$work/tree"
  cd "$work/tree"
  git -C "$work/tree" init -q
  git apply "$root/tests/additions/$name.patch"
  touched=$(git apply --numstat "$root/tests/additions/$name.patch" -R | awk '$3 !~ /^tests\// { print $3 }')
  count=$(grep -c . <<<"$touched" || true)
  echo "== $name: $count files outside tests/ (${touched//$'\n'/, }), at most ${most[$name]}"
  ((count <= most[$name])) || failed=1
  programs=()
  for proof in ${proofs[$name]}; do programs+=(--target "${proof%%:*}"); done
  cmake --preset release -B "$work/build" -DGLIMPSE_CUDA=OFF -DGLIMPSE_BENCH=OFF >"$work/log" 2>&1 &&
    cmake --build "$work/build" "${programs[@]}" >"$work/log" 2>&1 || { tail -n 30 "$work/log" && exit 1; }
  for proof in ${proofs[$name]}; do
    section=()
    [[ $proof == *:* ]] && section=(-c "${proof##*:}")
    "$work/build/tests/${proof%%:*}" "${section[@]}" || failed=1
  done
  cd "$root"
done
exit "$failed"
