# shellcheck shell=bash
# What the person at the Pi reads, one line per step, and the same in the log.

# Names of files and lines of logs are others' words: they give no orders to a terminal and begin no line of ours.
say() {
  local told="$*"
  told=${told//[[:cntrl:]]/?}
  printf '%s\n' "$told"
  if [[ -w ${LOG_FILE:-} ]]; then
    # on a full card an uninstall goes on all the same
    printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$told" 2>/dev/null >>"$LOG_FILE" || true
  fi
}

# doing "what": told when the next command fails; explained: its reason has been told already.
DOING=start
EXPLAINED=no
doing() { DOING=$*; }
explained() { EXPLAINED=yes; }

already() { say "ok       $*"; }
note() { say "note     $*"; }

fatal() {
  EXPLAINED=yes
  say "refused  $*" >&2
  exit 1
}

# change "what it does" command...: run it and say so, or only say so with --dry-run.
change() {
  local what=$1
  shift
  CHANGES=$((CHANGES + 1))
  if [[ $DRY_RUN == yes ]]; then
    say "would    $what"
    return 0
  fi
  DOING=$what
  "$@" >>"$LOG_FILE" 2>&1
  say "done     $what"
}

open_log() {
  # doctor changes nothing, and must work where nothing can be written
  if [[ $DRY_RUN == yes || $COMMAND == doctor ]]; then
    LOG_FILE=/dev/null
    return 0
  fi
  if ! make_log 2>/dev/null; then
    fatal "the log $LOG_FILE can't be written: the card is full, or mounted read-only as a failing one is. Look with:" \
      "df -h / && findmnt /"
  fi
  only_one
}

make_log() {
  install -d -m 755 "$(dirname "$LOG_FILE")" && (umask 027 && : >>"$LOG_FILE") && chmod 640 "$LOG_FILE"
}

# Two runs at once would write the same files. What a lost session left at work counts as one.
only_one() {
  exec 8>>"$LOG_FILE"
  flock --nonblock 8 || fatal "another pi_bootstrap.sh is at work on this machine: wait until it has ended."
}

# Any command that failed without a word of ours ends here.
explain_exit() {
  local status=$?
  if [[ $status -ne 0 && $EXPLAINED == no ]]; then
    if [[ -f $LOG_FILE ]]; then
      tail -n 15 "$LOG_FILE" >&2
    fi
    printf 'stopped  while: %s. The log is %s; run the same command again to go on.\n' "$DOING" "$LOG_FILE" >&2
  fi
}

# Write standard input to a file unless it holds just that; true when it must be or was written.
place() {
  local mode=$1 path=$2 content
  content=$(cat && printf x)
  content=${content%x}
  if [[ -f $path && $(cat "$path" && printf x) == "${content}x" ]]; then
    already "$path"
    return 0
  fi
  change "write $path" write_file "$mode" "$path" "$content"
}

write_file() {
  local mode=$1 path=$2 content=$3
  install -d -m 755 "$(dirname "$path")"
  (umask 077 && printf '%s' "$content" >"$path.new")
  chmod "$mode" "$path.new"
  sync "$path.new"
  mv "$path.new" "$path"
}
