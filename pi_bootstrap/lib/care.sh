# shellcheck shell=bash
# uninstall: take the till off this machine again.

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
