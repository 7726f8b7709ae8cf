# shellcheck shell=bash
# reboot and doctor.

REBOOT_SECONDS=600 # at most one restart that a component asked for in this time

# A restart that was asked for leaves a mark on the card; the next boot takes it into memory, where it counts
# until this boot is old enough. No wall clock: a Pi's may be wrong.
verb_reboot() {
  if [[ -e $RUN_DIR/rebooted || -e $ETC_DIR/reboot-asked ]] && [[ $(seconds_up) -lt $REBOOT_SECONDS ]]; then
    reply refused "this machine was restarted on request less than $((REBOOT_SECONDS / 60)) minutes ago"
  fi
  : >"$ETC_DIR/reboot-asked"
  sync "$ETC_DIR/reboot-asked" "$ETC_DIR"
  reply "done" "the machine restarts now"
}

remember_reboot() {
  if [[ -e $ETC_DIR/reboot-asked ]]; then
    : >"$RUN_DIR/rebooted"
    rm -f "$ETC_DIR/reboot-asked"
  fi
}

# Since systemd started, which is later than the kernel where a machine is a container.
seconds_up() {
  awk -v "started=$(systemctl show --property UserspaceTimestampMonotonic --value)" \
    '{print int($1 - started / 1000000)}' /proc/uptime
}

verb_doctor() {
  local found faults
  found=$("$LIB_DIR/bootstrap/pi_bootstrap.sh" doctor --json) || [[ $? -eq 1 ]]
  faults=$(python3 -I -c 'import json, sys; print(len(json.load(sys.stdin)["findings"]))' <<<"$found")
  reply "done" "$faults faults" "$found"
}
