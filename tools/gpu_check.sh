#!/usr/bin/env bash
# Builds Glimpse for the GPU at hand, proves it there and measures it, and leaves one folder of results.
#
#   tools/gpu_check.sh [OPTION...] [PART...]
#
# Parts, in this order, all of them where none is named; each takes less than eight minutes on 16 cores:
#   build      the library, tests, programs and benchmarks, and the tests with the label `gpu`
#   sanitize   these tests under compute-sanitizer: memcheck, racecheck, initcheck, synccheck
#   bench      bench_kernels and the ladders
#   torch      the kernels' sizes in PyTorch, and one table of both
#   captioner  training, beam search and encoders, side by side with PyTorch
#   train      loss curves of CPU and GPU over 50 steps, and a whole run on the built-in scenes; the same on photographs
#              where --images, --captions and --weights are given
#   pack DIR   needs no GPU: collects the headers of a Debian machine into DIR, for --deps on a machine that has none
#
# Options:
#   --out DIR       results (default build/gpu_check)
#   --build DIR     build folder (default build/gpu)
#   --deps DIR      what `pack` made, or a folder with include/{CLI,nlohmann,fmt,catch2,stb} and cmake/Catch.cmake
#   --python FILE   a Python with torch (default python3); without torch, what needs it is left out and said so
#   --images DIR --captions FILE --weights FILE [--encoder NAME]   photographs for `train` (default densenet169)
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds_of_part=${GLIMPSE_GPU_CHECK_SECONDS:-470}
out=$PWD/build/gpu_check build=$PWD/build/gpu deps='' python=python3
images='' captions='' weights='' encoder=densenet169
parts=()
failures=0

die() {
  echo "gpu_check: $1" >&2
  exit 1
}

# A path as the caller means it.
absolute() {
  case $1 in
    /*) echo "$1" ;;
    *) echo "$called_from/$1" ;;
  esac
}

# --- What is said, and counted.

# step NAME LOG COMMAND...: runs it within what is left of the part; its output goes to LOG.
step() {
  local name=$1 file=$2 log=$out/$2 left code=0
  shift 2
  left=$((part_end - SECONDS))
  if ((left <= 0)); then
    record "$name" "NOT RUN: the part's time is over"
    return 1
  fi
  timeout "$left" "$@" >>"$log" 2>&1 || code=$?
  case $code in
    0) record "$name" ok ;;
    124) record "$name" "NOT FINISHED in $left s, see $file" ;;
    *) record "$name" "FAILED with exit code $code, see $file" ;;
  esac
  return "$code"
}

# record NAME VERDICT: anything but "ok" and "left out" counts as a failure.
record() {
  printf '%-52s %s\n' "$1" "$2" | tee -a "$out/summary.txt"
  case $2 in
    ok | 'left out'*) ;;
    *) failures=$((failures + 1)) ;;
  esac
}

# All results of a part have names that begin with its own; those of an earlier run go.
begin_part() {
  part_end=$((SECONDS + seconds_of_part))
  rm -f "${out:?}/$1"_*
  echo "== $1 ==" | tee -a "$out/summary.txt"
}

have_torch() { "$python" -c 'import torch; assert torch.cuda.is_available()' >/dev/null 2>&1; }

# --- Headers that are carried along.

pack() {
  local target=$1 header found module
  mkdir -p "$target/include" "$target/cmake"
  for header in CLI/CLI.hpp nlohmann/json.hpp fmt/core.h catch2/catch.hpp stb/stb_image.h; do
    found=''
    for root in /usr/include /usr/local/include; do
      [[ -e $root/$header ]] && found=$root/${header%%/*}
    done
    [[ -n $found ]] || die "pack: $header is not installed here (tools/setup.sh installs it on Debian 12)"
    cp -rL "$found" "$target/include/"
  done
  for module in Catch.cmake CatchAddTests.cmake; do
    found=$(find /usr/lib/cmake /usr/share/cmake /usr/local/lib/cmake -name "$module" -print -quit 2>/dev/null || true)
    [[ -n $found ]] || die "pack: Catch2's $module is not installed here"
    cp -L "$found" "$target/cmake/"
  done
  echo "packed $(du -sh "$target" | cut -f1) into $target"
}

# Package files for headers alone: package NAME TARGET [LINE OF CMAKE].
package() {
  local folder=$build/deps/$1
  mkdir -p "$folder"
  cat >"$folder/$1Config.cmake" <<END
if(NOT TARGET $2)
  add_library($2 INTERFACE IMPORTED)
  target_include_directories($2 INTERFACE "$deps/include")
endif()
${3:-}
END
  cmake_options+=("-D$1_DIR=$folder")
}

use_deps() {
  [[ -e $deps/include/CLI/CLI.hpp ]] || die "--deps $deps: there is no include/CLI/CLI.hpp; make the folder with: $0 pack DIR"
  package CLI11 CLI11::CLI11
  package nlohmann_json nlohmann_json::nlohmann_json
  package fmt fmt::fmt 'set_property(TARGET fmt::fmt PROPERTY INTERFACE_COMPILE_DEFINITIONS FMT_HEADER_ONLY=1)'
  package Catch2 Catch2::Catch2 "list(APPEND CMAKE_MODULE_PATH \"$deps/cmake\")"
  cmake_options+=("-DSTB_INCLUDE_DIR=$deps/include/stb")
}

# --- The parts.

require_gpu() {
  if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L 2>/dev/null | grep -q 'GPU 0'; then
    die "no NVIDIA GPU answers here (nvidia-smi -L names none); nothing was checked"
  fi
}

describe_machine() {
  {
    date -u +'%Y-%m-%d %H:%M UTC'
    git rev-parse HEAD 2>/dev/null || echo 'no git'
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm,power.limit --format=csv
    grep -m 1 'model name' /proc/cpuinfo || true
    echo "$(nproc) processors"
    "$nvcc" --version | tail -n 2
    "$python" -c 'import torch; print("torch", torch.__version__)' 2>/dev/null || echo "no torch in $python"
  } >"$out/machine.txt" 2>&1
}

part_build() {
  local cmake_options=(-DCMAKE_BUILD_TYPE=Release -DGLIMPSE_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=native
    "-DCMAKE_CUDA_COMPILER=$nvcc")
  command -v ninja >/dev/null && cmake_options+=(-G Ninja)
  [[ -n $deps ]] && use_deps
  local targets=(test_gpu train_flickr evaluate bench_kernels bench_train bench_beam bench_encoder) ladder
  for ladder in bench/ladders/*.cu; do targets+=("ladder_$(basename "$ladder" .cu)"); done
  step 'configure' build_log.txt cmake -S . -B "$build" "${cmake_options[@]}" || return 0
  step 'compile' build_log.txt cmake --build "$build" -j "$(nproc)" --target "${targets[@]}" || return 0
  step 'tests on the GPU' build_tests.txt ctest --test-dir "$build" -L '^gpu$' -j 8 --no-tests=error --output-on-failure \
    --output-junit "$out/build_tests.xml" || return 0
  # A test that skips itself counts as passed for ctest; where a GPU answers none may.
  if grep -q 'Skipped' "$out/build_tests.txt"; then record 'no test was skipped' 'FAILED, see build_tests.txt'; fi
}

# sanitize_shard TOOL NUMBER: one of the lists of tests under one tool. Only Glimpse's kernels are looked at, and refused
# calls, which some tests make on purpose, are no errors.
sanitize_shard() {
  compute-sanitizer --tool "$1" --kernel-regex kns=glimpse --report-api-errors no --error-exitcode 9 --print-limit 20 \
    "$build/tests/test_gpu" --input-file "$build/shards/tests.$2"
}

part_sanitize() {
  command -v compute-sanitizer >/dev/null || {
    record 'compute-sanitizer' 'FAILED: it is not on PATH'
    return 0
  }
  local tool shard count=4
  rm -rf "$build/shards"
  mkdir -p "$build/shards"
  # Catch2 2 and 3 name tests by different options; 2 returns their number.
  if ! "$build/tests/test_gpu" --list-tests --verbosity quiet >"$build/shards/all" 2>/dev/null; then
    "$build/tests/test_gpu" --list-test-names-only >"$build/shards/all" || true
  fi
  if head -n 1 "$build/shards/all" | grep -q 'test cases:$'; then
    "$build/tests/test_gpu" --list-test-names-only >"$build/shards/all" || true
  fi
  [[ -s $build/shards/all ]] || {
    record 'list of tests' 'FAILED: test_gpu named none'
    return 0
  }
  split --number=r/$count --numeric-suffixes --suffix-length=1 "$build/shards/all" "$build/shards/tests."
  export -f sanitize_shard
  export build
  for tool in memcheck racecheck initcheck synccheck; do
    for shard in 0 1 2 3; do
      [[ -s $build/shards/tests.$shard ]] || continue
      timeout "$((part_end - SECONDS))" bash -c "sanitize_shard $tool $shard" >"$out/sanitize_$tool.$shard.txt" 2>&1 &
      echo "$!" >"$build/shards/$tool.$shard.pid"
    done
  done
  for tool in memcheck racecheck initcheck synccheck; do
    local verdict=ok code
    for shard in 0 1 2 3; do
      [[ -e $build/shards/$tool.$shard.pid ]] || continue
      code=0
      wait "$(<"$build/shards/$tool.$shard.pid")" || code=$?
      if ((code == 124)); then
        verdict="NOT FINISHED, see sanitize_$tool.txt"
      elif ((code != 0)); then
        verdict="FAILED with exit code $code, see sanitize_$tool.txt"
      fi
      cat "$out/sanitize_$tool.$shard.txt" >>"$out/sanitize_$tool.txt"
      rm "$out/sanitize_$tool.$shard.txt"
    done
    record "compute-sanitizer $tool" "$verdict"
  done
}

part_bench() {
  local ladder
  step 'bench_kernels' bench_kernels.txt "$build/bin/bench_kernels" --device cuda --json "$out/bench_kernels.json" || true
  for ladder in "$build"/bin/ladder_*; do
    step "$(basename "$ladder")" bench_ladders.txt "$ladder" || true
  done
}

part_torch() {
  if ! have_torch; then
    record 'kernels in PyTorch' "left out: $python has no torch that sees the GPU"
    return 0
  fi
  step 'kernels in PyTorch' torch_kernels.txt "$python" bench/torch_kernels.py --like "$out/bench_kernels.json" \
    --json "$out/torch_kernels.json" --seconds "$((seconds_of_part - 40))" || return 0
  step 'one table of both' torch_kernels.txt "$python" bench/compare.py "$out/bench_kernels.json" "$out/torch_kernels.json" \
    --out "$out/torch_table.md" || true
}

part_captioner() {
  local dtype
  if ! have_torch; then
    record 'captioner beside PyTorch' "left out: $python has no torch that sees the GPU"
    return 0
  fi
  for dtype in f32 tf32 bf16; do
    step "captioner beside PyTorch, $dtype" captioner_log.txt "$python" bench/side_by_side.py --bin "$build/bin" \
      --python "$python" --device cuda --dtype "$dtype" --rounds 2 --inner-rounds 5 --out "$out/captioner_$dtype.md" || true
  done
}

# curve NAME OPTION...: the same training on the CPU and on the GPU, and whether their losses agree.
curve() {
  local name=$1 device
  shift
  for device in cuda cpu; do
    step "$name: steps on $device" "train_$name.txt" "$build/bin/train_flickr" --device "$device" --overwrite \
      --run "$build/runs/$name-$device" --epochs 1 "$@" --set training.log_every=1 || true
    cp "$build/runs/$name-$device/log.jsonl" "$out/train_curve_${name}_$device.jsonl" 2>/dev/null || true
  done
  step "$name: CPU and GPU follow the same curve" "train_$name.txt" "$python" bench/compare_curves.py \
    "$out/train_curve_${name}_cpu.jsonl" "$out/train_curve_${name}_cuda.jsonl" || true
}

# train_whole NAME OPTIONS OF train_flickr -- OPTIONS OF evaluate
train_whole() {
  local name=$1 options=()
  shift
  while [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  shift
  step "$name: a run on the GPU" "train_$name.txt" "$build/bin/train_flickr" --device cuda --overwrite \
    --run "$build/runs/$name" "${options[@]}" || return 0
  cp "$build/runs/$name/log.jsonl" "$out/train_log_$name.jsonl"
  cp "$build/runs/$name/report.html" "$out/train_report_$name.html" 2>/dev/null || true
  step "$name: scores" "train_$name.txt" "$build/bin/evaluate" --device cuda --model "$build/runs/$name/best.safetensors" \
    --json "$out/train_scores_$name.json" "$@" || true
}

part_train() {
  # 640 images with five captions each are 50 steps.
  curve scenes --set scenes.train=640 scenes.val=20 scenes.test=20
  train_whole scenes --
  if [[ -z $images || -z $captions || -z $weights ]]; then
    record 'photographs' 'left out: --images, --captions and --weights were not given'
    return 0
  fi
  local data=(--images "$images" --captions "$captions") model=(--encoder "$encoder" --weights "$weights"
    --features "$build/runs/features.safetensors")
  train_whole photographs "${data[@]}" "${model[@]}" --epochs 3 -- "${data[@]}" --split val --beam 3
  curve photographs "${data[@]}" "${model[@]}" --set validation.beam=1
}

# --- The command line.

while (($#)); do
  case $1 in
    -h | --help)
      sed -n '2,/^set -euo/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'
      exit 0
      ;;
    --out | --build | --deps | --images | --captions | --weights)
      (($# > 1)) || die "$1 needs a value"
      printf -v "${1#--}" '%s' "$(absolute "$2")"
      shift 2
      ;;
    --python | --encoder)
      (($# > 1)) || die "$1 needs a value"
      printf -v "${1#--}" '%s' "$2"
      shift 2
      ;;
    pack)
      (($# > 1)) || die 'pack needs a folder'
      pack "$(absolute "$2")"
      exit 0
      ;;
    build | sanitize | bench | torch | captioner | train)
      parts+=("$1")
      shift
      ;;
    *) die "unknown argument $1 (see --help)" ;;
  esac
done
all=0
if ((${#parts[@]} == 0)); then
  all=1
  parts=(build sanitize bench torch captioner train)
fi

require_gpu
nvcc=$(command -v nvcc || true)
[[ -n $nvcc ]] || nvcc=/usr/local/cuda/bin/nvcc
[[ -x $nvcc ]] || die 'nvcc is neither on PATH nor in /usr/local/cuda/bin'
command -v cmake >/dev/null || die 'cmake is not installed'
mkdir -p "$out" "$build"
if ((all)); then rm -f "$out/summary.txt"; fi
describe_machine
for part in "${parts[@]}"; do
  if [[ $part != build && ! -x $build/tests/test_gpu ]]; then
    record "$part" "NOT RUN: $build holds no build; run the part build first"
    continue
  fi
  begin_part "$part"
  "part_$part"
done
echo
echo "Results: $out ($failures failed)"
((failures == 0))
