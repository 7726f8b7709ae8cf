# shellcheck shell=bash
# What the till is: its settings, its certificate and key, and secrets that should be gone.

WARN_SECONDS=$((30 * 24 * 3600))

# The flavour says where the nucleus keeps its identity; it is sourced only while nobody but root can change it.
check_settings() {
  if ! has_till; then
    unsafe not-installed "this machine is not a till yet" "$(ours --kit "$(its_kit)")"
    return 0
  fi
  if [[ ! -f $ETC_DIR/till.conf ]] || ! (read_settings "$ETC_DIR/till.conf") >/dev/null 2>&1; then
    unsafe settings-damaged "$ETC_DIR/till.conf is missing or not whole" "$(ours --kit "$(its_kit)"), with the till's own kit"
    return 0
  fi
  read_settings "$ETC_DIR/till.conf"
  if [[ ! -f $ETC_DIR/flavour.sh ]]; then
    unsafe settings-damaged "$ETC_DIR/flavour.sh is missing" "$(ours --kit "$(its_kit)"), with the till's own kit"
  elif [[ $(stat -c %U "$ETC_DIR/flavour.sh") != root || $((8#$(stat -c %a "$ETC_DIR/flavour.sh") & 8#22)) -ne 0 ]]; then
    unsafe settings-writable "$ETC_DIR/flavour.sh, which runs as root, can be changed by others" \
      "sudo rm $(quoted "$ETC_DIR/flavour.sh") && $(ours --kit "$(its_kit)"), with the till's own kit"
  else
    # shellcheck source=/dev/null
    source "$ETC_DIR/flavour.sh"
  fi
}

is_provisioned() { declare -F flavour_provisioned >/dev/null && flavour_provisioned; }

till_certificate() {
  if declare -F flavour_certificate >/dev/null; then flavour_certificate; else printf '%s\n' "$GREENGRASS_ROOT/thingCert.crt"; fi
}

till_private_key() {
  if declare -F flavour_private_key >/dev/null; then flavour_private_key; else printf '%s\n' "$GREENGRASS_ROOT/privKey.key"; fi
}

check_identity() {
  local certificate key shown
  if declare -F flavour_provisioned >/dev/null && ! flavour_provisioned; then
    unsafe not-provisioned "the till has no identity of its own yet" "$(ours --kit "$(its_kit)")"
    return 0
  fi
  certificate=$(till_certificate)
  key=$(till_private_key)
  shown=$(openssl x509 -in "$certificate" -noout -startdate -enddate -pubkey 2>/dev/null || true)
  if [[ -n $shown ]]; then
    check_validity "$shown"
  else
    unsafe certificate-missing "the till's certificate $certificate is missing or can't be read" \
      "greentill till replace (on the engineer's machine), then $(ours --kit DIR) with the new kit"
  fi
  if [[ ! -s $key ]]; then
    unsafe key-missing "the till's private key $key is missing" \
      "greentill till replace (on the engineer's machine), then $(ours --kit DIR) with the new kit"
    return 0
  fi
  check_key_mode "$key"
  if [[ -n $shown && $shown != *"$(openssl pkey -in "$key" -pubout 2>/dev/null || echo unreadable)"* ]]; then
    unsafe key-mismatch "$key does not belong to $certificate" \
      "greentill till replace (on the engineer's machine), then $(ours --kit DIR) with the new kit"
  fi
}

# check_validity SHOWN: what openssl shows of the certificate, its dates among it.
check_validity() {
  local now from until line
  while IFS= read -r line; do
    case $line in
      notBefore=*) from=$(date -d "${line#*=}" +%s) ;;
      notAfter=*) until=$(date -d "${line#*=}" +%s) ;;
    esac
  done <<<"$1"
  now=$(date +%s)
  if [[ $now -lt $from ]]; then
    from=$(date -u -d "@$from" +%FT%TZ)
    unsafe certificate-not-yet-valid "the certificate is valid from $from: the clock is behind" \
      "sudo timedatectl set-ntp true, or without a network: sudo date -u -s $from"
  elif [[ $now -ge $until ]]; then
    unsafe certificate-expired "the certificate ended on $(date -u -d "@$until" +%FT%TZ), or the clock is ahead" \
      "look at: date -u; then greentill till replace (on the engineer's machine)"
  elif [[ $((now + WARN_SECONDS)) -ge $until ]]; then
    unsafe certificate-expiring "the certificate ends on $(date -u -d "@$until" +%FT%TZ)" \
      "greentill till rotate $THING (on the engineer's machine)"
  fi
}

# Nucleus lite's own group reads its key; nobody else may.
check_key_mode() {
  local key=$1 mode
  mode=$(stat -c %a "$key")
  if [[ $((8#$mode & 8#7)) -ne 0 || ($((8#$mode & 8#70)) -ne 0 && $(stat -c %G "$key") != ggcore) ]]; then
    safe key-mode "the private key $key can be read by others (mode $mode)" chmod go= "$key"
  fi
}

# After provisioning the claim is of no use but to a thief.
check_claim_key() {
  is_provisioned || return 0
  if [[ -e $GREENGRASS_ROOT/claim-certs/$CLAIM_KEY ]]; then
    safe claim-key-left "the claim's private key is still in $GREENGRASS_ROOT/claim-certs" \
      shred --force --remove "$GREENGRASS_ROOT/claim-certs/$CLAIM_KEY"
  fi
  if [[ -e $KIT_DIR/$CLAIM_KEY && $(sed -n 's/^THING=//p' "$KIT_DIR/till.conf" 2>/dev/null) == "$THING" ]]; then
    unsafe claim-key-left "the claim's private key is still in the kit $KIT_DIR" \
      "sudo shred --force --remove $(quoted "$KIT_DIR/$CLAIM_KEY")"
  fi
}
