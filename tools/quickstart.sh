#!/usr/bin/env bash
# Builds Glimpse, trains a captioner on the built-in scenes, scores it on shapes that it never saw in these colours, and
# draws where it looked: quickstart.sh [FOLDER OF THE RUN]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
run=${1:-runs/scenes}
bin=build/release/bin
minutes() { printf '%d min %02d s' "$(($1 / 60))" "$(($1 % 60))"; }

# Kernels for GPUs take longer to compile than all else: only where one answers.
if [[ -z ${GLIMPSE_CUDA:-} ]] && ! nvidia-smi -L 2>/dev/null | grep -q '^GPU'; then export GLIMPSE_CUDA=OFF; fi

echo "== Building (about ten minutes on two cores, where it was not built before) =="
./tools/build.sh train_flickr evaluate caption
built=$SECONDS
echo "built in $(minutes "$built")"
echo
echo "== Training on the built-in scenes (about three minutes on two cores) =="
if [[ -e $run/last.safetensors ]]; then
  "$bin/train_flickr" --run "$run" --resume
else
  "$bin/train_flickr" --run "$run"
fi
echo
echo "== The test split: combinations of colour and shape that training never showed =="
"$bin/evaluate" --model "$run/best.safetensors" --json "$run/test_scores.json" --out "$run/test_captions.json" \
  --attention "$run/attention"
echo
echo "Look at     $run/attention/*.png (where the network looked at each word) and $run/report.html"
echo "Next        $bin/train_flickr --help, and README.md: \"Caption photographs\""
echo "Took        $(minutes "$SECONDS"), $(minutes "$built") of it for building"
