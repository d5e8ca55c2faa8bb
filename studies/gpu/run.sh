#!/bin/sh
# Times one candidate of the paper's protocol on a GPU, and many small candidates at once. Needs torch, transformers,
# numpy and what comes with them; no data, no weights, no network.   sh studies/h200/run.sh [--tiny] [--trace FILE]
set -eu
cd "$(dirname "$0")/../.."
exec "${PYTHON:-python3}" -m studies.h200.profile_phases "$@"
