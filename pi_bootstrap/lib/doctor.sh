# shellcheck shell=bash
# doctor: looks for every known cause of "Permission denied" and of a component that stays broken, and names the
# command that mends each. It changes nothing. What each code means: docs/troubleshooting.md.

MODE=looking # or mending, while repair runs the checks
CODES=()
MESSAGES=()
REMEDIES=()
SAFES=()

doctor() {
  examine looking
  report
  end_with_findings
}

# In this order, since what comes first is often the cause of what comes later.
examine() {
  MODE=$1
  local checks=(settings disks space read_only noexec clock) check
  if has_till; then
    checks+=(accounts operator sudo paths state work artifacts secrets identity claim_key units helper time_waits
      java python runtime components denied network leftovers till)
  fi
  checks+=(update_files)
  CODES=() MESSAGES=() REMEDIES=() SAFES=()
  for check in "${checks[@]}"; do
    "check_$check" || unsafe check-failed "it could not be checked: $check" "$(ours doctor)"
  done
}

# A Greengrass that was set up by hand is looked at as well.
has_till() { [[ -f $ETC_DIR/till.conf || -d $GREENGRASS_ROOT ]]; }

# safe CODE MESSAGE COMMAND...: the command mends it without harm to a till that sells, so repair runs it.
safe() {
  local code=$1 message=$2
  shift 2
  safe_through "$code" "$message" "sudo $(quoted "$@")" "$@"
}

# safe_through CODE MESSAGE REMEDY COMMAND...: for a command of ours, which REMEDY names to the person at the Pi.
safe_through() {
  local code=$1 message=$2 remedy=$3
  shift 3
  if [[ $MODE == mending ]]; then
    mend "$code" "$message" "$remedy" "$@"
  else
    found "$code" "$message" "$remedy" true
  fi
}

# unsafe CODE MESSAGE REMEDY: a person decides.
unsafe() { found "$1" "$2" "$3" false; }

found() {
  CODES+=("$1")
  MESSAGES+=("$2")
  REMEDIES+=("$3")
  SAFES+=("$4")
}

# ours ARGUMENTS: this script, to be pasted anywhere. The copy that every till keeps, where it is there.
ours() {
  local script=${HELPER_DIR:-/usr/local/lib/greentill}/bootstrap/pi_bootstrap.sh
  [[ -x $script ]] || script=${SCRIPT_DIR:-${BASH_SOURCE[0]%/lib/*}}/pi_bootstrap.sh
  printf 'sudo %s %s' "$(quoted "$script")" "$*"
}

# The kit that the script was started from or told of; DIR stands for one that it doesn't know.
its_kit() {
  if [[ -f ${KIT_DIR:-}/till.conf ]]; then quoted "$KIT_DIR"; else printf 'DIR'; fi
}

quoted() {
  local words
  printf -v words '%q ' "$@"
  printf '%s' "${words% }"
}

report() {
  if [[ $JSON == yes ]]; then
    report_json
    return 0
  fi
  local number
  for number in "${!CODES[@]}"; do
    say "FAULT    ${CODES[number]}: ${MESSAGES[number]}"
    say "         to mend it: ${REMEDIES[number]}$([[ ${SAFES[number]} == false ]] || printf '   (repair does it)')"
  done
  if [[ ${#CODES[@]} -eq 0 ]]; then
    say "nothing wrong"
  else
    say "${#CODES[@]} faults"
  fi
}

report_json() {
  local number separator='' ok=true
  [[ ${#CODES[@]} -eq 0 ]] || ok=false
  printf '{"ok": %s, "findings": [' "$ok"
  for number in "${!CODES[@]}"; do
    printf '%s{"code": %s, "message": %s, "remedy": %s, "safe": %s}' "$separator" "$(json_string "${CODES[number]}")" \
      "$(json_string "${MESSAGES[number]}")" "$(json_string "${REMEDIES[number]}")" "${SAFES[number]}"
    separator=', '
  done
  printf ']}\n'
}

# Python may be what is broken, so it isn't asked.
json_string() {
  local LC_ALL=C text=$1
  text=${text//[^ -~]/?}
  text=${text//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

end_with_findings() {
  explained
  [[ ${#CODES[@]} -eq 0 ]] || exit 1
}
