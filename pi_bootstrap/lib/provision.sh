# shellcheck shell=bash
# Waits until the till has an identity of its own, destroys the claim's key, and looks whether the till sells.

install_nucleus() {
  if flavour_provisioned; then
    already "provisioned as $THING"
    doing "keep the nucleus up to date"
    [[ $DRY_RUN == yes ]] || flavour_install >>"$LOG_FILE" 2>&1
    return 0
  fi
  [[ -e $KIT_DIR/$CLAIM_KEY || $DRY_RUN == yes ]] ||
    fatal "the kit's claim key has been destroyed, so it can't provision again: make a new kit."
  change "install the nucleus ($FLAVOUR_FILE)" flavour_install
  [[ $DRY_RUN == yes ]] || wait_for_provisioning
}

wait_for_provisioning() {
  local deadline=$((SECONDS + PROVISION_SECONDS))
  say "waiting  for $THING to be provisioned, at most $PROVISION_SECONDS s"
  until flavour_provisioned; do
    if [[ $SECONDS -ge $deadline ]]; then
      flavour_logs 2>&1 | tail -n 30 | tee -a "$LOG_FILE" >&2
      systemctl stop greengrass.service >>"$LOG_FILE" 2>&1 || true
      fatal "not provisioned after $PROVISION_SECONDS s; greengrass.service is stopped. Its last lines are above." \
        "Check the network (ports 8883 and 443) and whether the kit has expired, then run this again."
    fi
    sleep 1
  done
  say "done     provisioned as $THING"
}

# After provisioning the claim is of no use but to a thief.
destroy_claim() {
  local copies=("$GREENGRASS_ROOT/claim-certs/$CLAIM_KEY") copy
  if [[ $KEEP_KIT == no ]]; then
    copies+=("$KIT_DIR/$CLAIM_KEY")
  fi
  for copy in "${copies[@]}"; do
    if [[ -e $copy ]]; then
      change "destroy the claim's key $copy" shred --force --remove "$copy"
    fi
  done
  if [[ $KEEP_KIT == yes && -e $KIT_DIR/$CLAIM_KEY ]]; then
    note "--keep-kit: $KIT_DIR/$CLAIM_KEY is a secret; destroy it yourself"
  fi
}

check_health() {
  [[ $DRY_RUN == no ]] || return 0
  systemctl is-active --quiet greengrass.service || fatal "greengrass.service is not running: journalctl -u greengrass"
  already "greengrass.service is running"
  local deadline=$((SECONDS + HEALTH_SECONDS))
  until till_answers; do
    if [[ $SECONDS -ge $deadline ]]; then
      note "the till doesn't answer on $TILL_URL yet: its components are still on their way. Look again with: pi_bootstrap.sh doctor"
      return 0
    fi
    sleep 1
  done
  already "the till answers on $TILL_URL"
}

till_answers() { curl --silent --noproxy '*' --max-time 2 --output /dev/null "$TILL_URL/v1/health"; }
