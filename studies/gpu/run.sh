#!/bin/sh
# Checks, times and a table of real evaluations on one GPU, in one call of under nine minutes.
#   sh studies/gpu/run.sh BUNDLE OUT            BUNDLE is made by studies/gpu/bundle.py
#   sh studies/gpu/run.sh BUNDLE OUT --tiny     the same to the last line in minutes on a CPU
# Needs torch, transformers, numpy and what comes with them; no network.
set -eu
bundle=$(realpath "$1") out=$(mkdir -p "$2" && realpath "$2")
shift 2
cd "$(dirname "$0")/../.."
export OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1
for part in check table speed; do
    "${PYTHON:-python3}" -m studies.gpu.measure --bundle "$bundle" --out "$out" --parts $part --plan twelve \
        --minutes 4 --speed-minutes 2.5 "$@"
done
