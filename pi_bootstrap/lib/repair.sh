# shellcheck shell=bash
# repair: runs the commands of doctor's findings that are safe on a till that sells, and looks again. It changes
# owners and modes, never what a file of the ledger holds. A second run finds nothing left to mend.

repair() {
  examine mending
  if [[ $DRY_RUN == yes ]]; then
    [[ $CHANGES -gt 0 && ${#CODES[@]} -eq 0 ]] || report
    explained
    [[ $CHANGES -eq 0 && ${#CODES[@]} -eq 0 ]] || exit 1
    return 0
  fi
  examine looking
  say "mended   $CHANGES of what was wrong"
  report
  end_with_findings
}

# What could not be mended is found again by the second look, which says so.
mend() {
  local code=$1 message=$2 remedy=$3
  shift 3
  if [[ $DRY_RUN == yes ]]; then
    CHANGES=$((CHANGES + 1))
    say "would    $code: $message: $remedy"
  elif "$@" >>"$LOG_FILE" 2>&1; then
    CHANGES=$((CHANGES + 1))
    say "mended   $code: $message: $remedy"
  else
    say "failed   $code: $message: $remedy"
  fi
}
