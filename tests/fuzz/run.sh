#!/usr/bin/env bash
# Runs all fuzz targets of a folder: run.sh FOLDER [SECONDS IN ALL]. Each begins with its seeds and what earlier runs
# found worth keeping. The first fault ends it, with the input that shows it under FOLDER/NAME.faults/.
set -euo pipefail
cd "$1"
seconds=${2:-60}

targets=()
for program in fuzz_*; do
  [[ -x $program && -f $program ]] && targets+=("$program")
done
((${#targets[@]} > 0)) || { echo "run.sh: no fuzz targets in $1" >&2; exit 1; }
each=$((seconds / ${#targets[@]}))
for program in "${targets[@]}"; do
  name=${program#fuzz_}
  mkdir -p "$name.corpus" "$name.faults"
  ./"$program" "--seeds=$PWD/$name.seeds"
  # No input may ask for more at once than 512 MB, hold more than 1.5 GB or take more than 20 seconds.
  ./"$program" -max_total_time=$((each > 0 ? each : 1)) -timeout=20 -malloc_limit_mb=512 -rss_limit_mb=1536 \
    -artifact_prefix="$name.faults/" -print_final_stats=1 -verbosity=0 "$name.corpus" "$name.seeds" >"$name.log" 2>&1 ||
    { tail -n 40 "$name.log"; exit 1; }
  echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$name.log") inputs, no fault"
done
