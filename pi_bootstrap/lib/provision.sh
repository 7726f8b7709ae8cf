# shellcheck shell=bash
# Waits until the till has an identity of its own, destroys the claim's key, and looks whether the till sells.

check_nucleus_ready() {
  [[ $DRY_RUN == yes ]] || flavour_preflight || fatal "the nucleus can't be installed here, for the reason above."
}

install_nucleus() {
  if flavour_provisioned; then
    doing "keep the nucleus up to date"
    [[ $DRY_RUN == yes ]] || flavour_install >>"$LOG_FILE" 2>&1
    already "the nucleus is installed"
    return 0
  fi
  [[ -e $KIT_DIR/$CLAIM_KEY || $DRY_RUN == yes ]] ||
    fatal "the kit's claim key has been destroyed, so it can't provision again: make a new kit."
  change "install the nucleus ($FLAVOUR_FILE)" flavour_install
}

# The installer returns before the nucleus has an identity, and the nucleus tries for ever.
wait_for_identity() {
  if flavour_provisioned; then
    already "provisioned as $THING"
    return 0
  elif [[ $DRY_RUN == yes ]]; then
    return 0
  fi
  local deadline=$((SECONDS + PROVISION_SECONDS))
  say "waiting  for $THING to be provisioned, at most $PROVISION_SECONDS s"
  until flavour_provisioned; do
    if [[ $SECONDS -ge $deadline ]]; then
      flavour_logs 2>&1 | tail -n 30 | tee -a "$LOG_FILE" >&2
      systemctl stop greengrass.service >>"$LOG_FILE" 2>&1 || true
      fatal "not provisioned after $PROVISION_SECONDS s; greengrass.service is stopped. Its last lines are above." \
        "AccessDenied there means that the cloud refused this kit: it has expired, was used already, is another" \
        "till's, or its till was revoked; head office sees which. A claim that has ended can't even connect. Otherwise" \
        "check the network (ports 8883 and 443), then run this again."
    fi
    sleep 1
  done
  say "done     provisioned as $THING"
}

# After the first connection with the new certificate the claim is of no use but to a thief. Before it, the claim
# is the only way back: the cloud lets the same kit provision again until then.
destroy_claim() {
  if claim_left && [[ $DRY_RUN == no ]] && ! certificate_works; then
    note "AWS IoT doesn't accept the new certificate yet, so the claim's key stays: $LOG_FILE says why; run this again later"
    return 0
  fi
  [[ $DRY_RUN == yes ]] || sync --file-system "$(flavour_certificate)" # on the card before the only other way goes
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

claim_left() { [[ -e $GREENGRASS_ROOT/claim-certs/$CLAIM_KEY || ($KEEP_KIT == no && -e $KIT_DIR/$CLAIM_KEY) ]]; }

# The credentials endpoint answers no one but a till whose certificate is active and has its policy. What it
# answers is a secret and looked at by nobody.
certificate_works() {
  local deadline=$((SECONDS + 30))
  use_proxy
  until curl --silent --show-error --fail --output /dev/null --max-time 10 --proto '=https' \
    --cacert "$KIT_DIR/root-ca.pem" --proxy "$PROXY" --noproxy "$PROXY_EXCEPT" --cert "$(flavour_certificate)" --key "$(flavour_private_key)" \
    --header "x-amzn-iot-thingname: $THING" \
    "https://$IOT_CREDENTIALS_ENDPOINT/role-aliases/$ROLE_ALIAS/credentials" 2>>"$LOG_FILE"; do
    [[ $SECONDS -lt $deadline ]] || return 1
    sleep 2
  done
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
