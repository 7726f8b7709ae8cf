# shellcheck shell=bash
# doctor: what is wrong and the command that mends it. uninstall: take the till off this machine again.

doctor() {
  FAULTS=0
  expect "user ggc_user has a home" "sudo pi_bootstrap.sh --kit DIR" test -d "$(getent passwd ggc_user | cut -d: -f6)"
  expect "$(operator_user) is in ggc_group" "sudo usermod -aG ggc_group $(operator_user), then log in again" \
    in_group "$(operator_user)"
  expect "$GREENGRASS_ROOT can be passed" "sudo chmod 755 $(dirname "$GREENGRASS_ROOT") $GREENGRASS_ROOT" \
    passable "$(dirname "$GREENGRASS_ROOT")" "$GREENGRASS_ROOT"
  expect "$STATE_DIR belongs to ggc_user" "sudo chown ggc_user:ggc_group $STATE_DIR && sudo chmod 2775 $STATE_DIR" \
    has_mode "$STATE_DIR" "ggc_user:ggc_group 2775"
  expect "nothing in $STATE_DIR belongs to root" "sudo chown -R ggc_user:ggc_group $STATE_DIR" nothing_of_root
  expect "root may act as ggc_user" "sudo visudo, and add: root ALL=(ALL:ALL) ALL" sudo -n -u ggc_user -g ggc_group true
  expect "greengrass.service is enabled" "sudo systemctl enable greengrass" systemctl is-enabled --quiet greengrass.service
  expect "greengrass.service is running" "sudo systemctl restart greengrass" systemctl is-active --quiet greengrass.service
  expect "the till answers on $TILL_URL" "journalctl -u greengrass; logs in $GREENGRASS_ROOT/logs" till_answers
  if [[ $FAULTS -gt 0 ]]; then
    explained
    say "$FAULTS faults"
    exit 1
  fi
  say "nothing wrong"
}

expect() {
  local what=$1 remedy=$2
  shift 2
  if "$@" >/dev/null 2>&1; then
    say "ok       $what"
  else
    FAULTS=$((FAULTS + 1))
    say "FAULT    not so: $what. To mend it: $remedy"
  fi
}

in_group() { id -nG "$1" | tr ' ' '\n' | grep -qx ggc_group; }
has_mode() { [[ $(stat -c '%U:%G %a' "$1") == "$2" ]]; }
nothing_of_root() { [[ -d $STATE_DIR && -z $(find "$STATE_DIR" -user root -print -quit) ]]; }

passable() {
  local path
  for path in "$@"; do [[ $(stat -c %a "$path") =~ [15][15]$|755$ ]] || return 1; done
}

uninstall() {
  if [[ -f $ETC_DIR/flavour.sh ]]; then
    read_settings "$ETC_DIR/till.conf"
    # shellcheck source=/dev/null
    source "$ETC_DIR/flavour.sh"
    change "stop and remove the nucleus" flavour_uninstall
  fi
  local path
  for path in "$UNIT_DIR/greengrass.service.d" "$UNIT_DIR/systemd-time-wait-sync.service.d/greentill.conf" \
    "$UNIT_DIR/chrony-wait.service.d/greentill.conf" "$JOURNALD_DIR/greentill.conf" "$ETC_DIR" "$GREENGRASS_ROOT"; do
    if [[ -e $path ]]; then
      change "remove $path" rm -rf "$path"
    fi
  done
  remove_state
  if [[ $KEEP_LEDGER == no ]] && getent passwd ggc_user >/dev/null; then
    change "remove user ggc_user and its home" userdel --remove ggc_user
  fi
  if [[ $KEEP_LEDGER == no ]] && getent group ggc_group >/dev/null; then
    change "remove group ggc_group" groupdel ggc_group
  fi
  [[ $DRY_RUN == yes ]] || systemctl daemon-reload >>"$LOG_FILE" 2>&1
  say "left     the packages and $LOG_FILE; the till's registration and certificates in the cloud are untouched"
}

remove_state() {
  [[ -d $STATE_DIR ]] || return 0
  if [[ $KEEP_LEDGER == yes ]]; then
    change "remove everything in $STATE_DIR but the ledger and what has been delivered" \
      find "$STATE_DIR" -mindepth 1 -maxdepth 1 ! -name 'ledger*' ! -name 'sync.db*' ! -name refused ! -name cursors \
      -exec rm -rf {} +
  else
    change "remove $STATE_DIR, ledger included" rm -rf "$STATE_DIR"
  fi
}
