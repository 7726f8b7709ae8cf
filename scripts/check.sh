#!/usr/bin/env bash
# Lint, types, import contracts, shell scripts. Runs every check before it fails, so that one run shows all.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
PATH=$PWD/.venv/bin:$PATH

PYTHON_PATHS=(app.py benchmarks catalogue edge_components fleet_provisioning greentill infra pi_bootstrap release sales tests twin)
failed=()

step() { # name, command...
  local name=$1
  shift
  if "$@"; then
    printf 'ok    %s\n' "$name"
  else
    printf 'FAIL  %s\n' "$name"
    failed+=("$name")
  fi
}

shell_files() { git ls-files '*.sh' '.ci/run' 'pi_bootstrap/root/greentill-helper'; }

no_registry_host() {
  ! git ls-files -z | xargs -0 grep -InE '(py[p]i|pythonh[o]sted|npm[j]s|deb[i]an)\.(org|com)/|registry\.n[p]m|extra-i[n]dex' | cut -c1-140 | grep .
}

main() {
  step "ruff" ruff check --quiet "${PYTHON_PATHS[@]}"
  step "format" ruff format --quiet --check "${PYTHON_PATHS[@]}"
  step "mypy" mypy --no-error-summary "${PYTHON_PATHS[@]}"
  step "imports" lint-imports --no-cache
  mapfile -t scripts < <(shell_files)
  step "shellcheck" shellcheck "${scripts[@]}"
  step "shfmt" shfmt -d -i 2 -ci "${scripts[@]}"
  step "no registry host in a file" no_registry_host
  if [ ${#failed[@]} -gt 0 ]; then
    printf '%s of the checks failed: %s\n' "${#failed[@]}" "${failed[*]}"
    exit 1
  fi
}

main "$@"
