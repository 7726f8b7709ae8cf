# shellcheck shell=bash
# uninstall: take the till off this machine again.

uninstall() {
  check_nothing_is_lost
  if [[ -f $ETC_DIR/flavour.sh ]]; then
    if (read_settings "$ETC_DIR/till.conf") >/dev/null 2>&1; then
      read_settings "$ETC_DIR/till.conf"
    else
      note "$ETC_DIR/till.conf is missing or not whole; the nucleus is removed without it"
    fi
    # shellcheck source=/dev/null
    source "$ETC_DIR/flavour.sh"
    change "stop and remove the nucleus" flavour_uninstall
  fi
  remove_helper
  if component_processes | grep -q .; then
    change "end what ggc_user still runs" end_component_processes
  fi
  local path
  for path in "$UNIT_DIR/greengrass.service.d" "$UNIT_DIR"/{systemd-time-wait-sync,chrony-wait,ntp-wait}.service.d \
    "$JOURNALD_DIR/greentill.conf" "$LOGROTATE_DIR/greentill" "$DOWNLOAD_DIR" "$ETC_DIR" "$GREENGRASS_ROOT"; do
    remove_ours "$path"
  done
  for path in "$JOURNALD_DIR" "$(dirname "$GREENGRASS_ROOT")"; do
    remove_if_empty "$path"
  done
  remove_state
  if [[ $KEEP_LEDGER == no ]] && getent passwd ggc_user >/dev/null; then
    change "remove user ggc_user and its home" userdel --remove ggc_user
  fi
  if [[ $KEEP_LEDGER == no ]] && getent group ggc_group >/dev/null; then
    change "remove group ggc_group" groupdel ggc_group
  fi
  [[ $DRY_RUN == yes ]] || systemctl daemon-reload >>"$LOG_FILE" 2>&1
  say "left     the packages and the log; the till's registration and certificates in the cloud are untouched"
}

# What only this card holds is destroyed when somebody says so, never by the way.
check_nothing_is_lost() {
  [[ $KEEP_LEDGER == no && $DISCARD_SALES == no ]] || return 0
  check_folder outbox "files that have not reached the cloud" "let the till deliver them first"
  check_folder refused "records that the cloud would not take" "copy them off it first"
  check_folder set-aside "files of ledgers whose sales may not be in the cloud" \
    "copy them off it first, for greentill sales recover"
  check_ledger
}

# check_folder NAME WHAT INSTEAD
check_folder() {
  local left
  left=$(find "$STATE_DIR/$1" -mindepth 1 ! -type d -printf x 2>/dev/null | wc -c) || true
  [[ $left -eq 0 ]] || fatal "$STATE_DIR/$1 holds $2 ($left): $3," \
    "or uninstall --keep-ledger, or destroy them with uninstall --discard-sales."
}

check_ledger() {
  local left
  [[ -s $STATE_DIR/ledger.db ]] || return 0
  left=$(curl --silent --noproxy '*' --max-time 5 "$TILL_URL/v1/health" | sed -n 's/.*"backlog": *\([0-9][0-9]*\).*/\1/p') || true
  [[ $left != 0 ]] || return 0
  fatal "${left:-an unknown number of} records of the ledger have not reached the cloud (unknown while the till is off):" \
    "let it deliver them first, or uninstall --keep-ledger, or destroy them with uninstall --discard-sales."
}

# A component may have left its service's group; while it runs it writes, and its user can't be removed.
end_component_processes() {
  local deadline=$((SECONDS + 30))
  while component_processes | grep -q .; do
    [[ $SECONDS -lt $deadline ]] || return 1
    component_processes | xargs --no-run-if-empty kill -KILL 2>/dev/null || true
    sleep 0.2
  done
}

component_processes() {
  if getent passwd ggc_user >/dev/null; then
    find /proc -maxdepth 1 -name '[0-9]*' -user ggc_user -printf '%f\n' 2>/dev/null || true
  fi
}

# A drop-in folder may hold somebody else's files, too; a run that was killed left what it wrote as .new.
remove_ours() {
  local path=$1 half
  if [[ $path == *.service.d ]]; then
    [[ ! -e $path/greentill.conf && ! -e $path/greentill.conf.new ]] ||
      change "remove $path/greentill.conf" remove_drop_in "$path"
    return 0
  fi
  for half in "$path" "$path.new"; do
    [[ ! -e $half ]] || change "remove $half" rm -rf "$half"
  done
}

remove_drop_in() {
  rm -f "$1/greentill.conf" "$1/greentill.conf.new"
  rmdir --ignore-fail-on-non-empty "$1"
}

# The installation made it, unless it is a package's.
remove_if_empty() {
  local path=$1
  if [[ -d $path && -z $(find "$path" -mindepth 1 -print -quit) ]] && ! dpkg-query --search "$path" >/dev/null 2>&1; then
    change "remove $path, which is empty" rmdir "$path"
  fi
}

remove_state() {
  [[ -d $STATE_DIR ]] || return 0
  if [[ $KEEP_LEDGER == yes ]]; then
    change "remove everything in $STATE_DIR but the ledgers, the outbox and what has been delivered" \
      find "$STATE_DIR" -mindepth 1 -maxdepth 1 ! -name 'ledger*' ! -name 'sync.db*' ! -name refused ! -name cursors \
      ! -name outbox ! -name set-aside -exec rm -rf {} +
  else
    change "remove $STATE_DIR, ledger included" rm -rf "$STATE_DIR"
  fi
}
