#!/usr/bin/env bash
# Builds Glimpse, trains a captioner on the built-in scenes, scores it, and captions a few pictures: quickstart.sh [RUN]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
run=${1:-runs/scenes}
bin=build/release/bin

./tools/build.sh train_flickr evaluate caption
echo
echo "== Training on the built-in scenes (about five minutes on two cores) =="
"$bin/train_flickr" --run "$run"
echo
echo "== The test split: combinations of colour and shape never seen in training =="
"$bin/evaluate" --model "$run/best.safetensors" --json "$run/test_scores.json"
