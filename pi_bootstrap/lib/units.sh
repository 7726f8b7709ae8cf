# shellcheck shell=bash
# What the machine's own services must do for a till: clock, logs, and the nucleus's service.

# All of it, as repair puts it back.
ensure_units() {
  ensure_clock
  ensure_logs
  ensure_service
}

# A Pi has no clock chip. The nucleus is ordered after time-sync.target, which a waiting service holds back
# until a time server has answered: for ever without a network. The waits are bounded instead.
ensure_clock() {
  local wait
  for wait in systemd-time-wait-sync chrony-wait ntp-wait; do
    place 644 "$UNIT_DIR/$wait.service.d/greentill.conf" <<UNIT
[Service]
TimeoutStartSec=$CLOCK_WAIT_SECONDS
UNIT
  done
  if has_saved_clock; then
    already "the clock goes on after a restart without a network"
  else
    note "no clock chip, and no package that saves the time: after a restart without network, times are those of the image"
  fi
}

# Logs outlive a power cut, since they say what led to it, but are bounded and written to the card seldom.
ensure_logs() {
  place 644 "$JOURNALD_DIR/greentill.conf" <<'CONF'
[Journal]
Storage=persistent
Compress=yes
SystemMaxUse=64M
SystemMaxFileSize=8M
RuntimeMaxUse=16M
MaxRetentionSec=1month
SyncIntervalSec=5m
RateLimitIntervalSec=30s
RateLimitBurst=1000
CONF
  place 644 "$LOGROTATE_DIR/greentill" <<CONF
# The nucleus rotates what is in its logs folder itself; its loader's log and ours would grow for ever.
$(dirname "$LOG_FILE")/*.log $GREENGRASS_ROOT/alts/loader.log {
  weekly
  size 1M
  rotate 4
  compress
  copytruncate
  missingok
  notifempty
  su root root
}
CONF
}

# However often it fails, the nucleus is started again; a till may be without a network for a week.
ensure_service() {
  place 644 "$UNIT_DIR/greengrass.service.d/greentill.conf" <<UNIT
[Unit]
StartLimitIntervalSec=0

[Service]
EnvironmentFile=-$ETC_DIR/environment
RestartSec=5
UNIT
  if [[ $DRY_RUN == no ]]; then
    doing "reload systemd"
    systemctl daemon-reload >>"$LOG_FILE" 2>&1
  fi
}
