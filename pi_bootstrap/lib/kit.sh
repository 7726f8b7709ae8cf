# shellcheck shell=bash
# Reads a kit as data: nothing in it is executed before its sums have been checked.

KIT_SETTINGS=(FLEET SERIAL THING STAGE REGION IOT_DATA_ENDPOINT IOT_CREDENTIALS_ENDPOINT
  PROVISIONING_TEMPLATE ROLE_ALIAS NUCLEUS NUCLEUS_VERSION)
CLAIM_KEY=claim.private.key

read_kit() {
  check_kit
  read_settings "$KIT_DIR/till.conf"
  check_same_till
  choose_flavour
  check_bundle
}

check_kit() {
  local listed file
  [[ -f $KIT_DIR/till.conf ]] || fatal "$KIT_DIR holds no kit: give --kit DIR, the folder that greentill till kit made."
  [[ -f $KIT_DIR/SHA256SUMS ]] || fatal "$KIT_DIR has no SHA256SUMS: it was not copied whole; copy the kit again."
  listed=$(sed 's/^[0-9a-f]*  //' "$KIT_DIR/SHA256SUMS")
  for file in till.conf environment claim.pem.crt "$CLAIM_KEY" root-ca.pem; do
    grep -qxF "$file" <<<"$listed" || fatal "SHA256SUMS of the kit doesn't list $file: make the kit again."
  done
  if ! kit_matches; then
    fatal "the kit is damaged or was changed (${BROKEN:-see above}): copy it again, or make a new one."
  fi
  already "kit in $KIT_DIR is whole"
}

# The claim's key may be gone, since it is destroyed after provisioning.
kit_matches() {
  local sums
  sums=$(cat "$KIT_DIR/SHA256SUMS")
  if [[ ! -e $KIT_DIR/$CLAIM_KEY ]]; then
    sums=$(grep -v "  $CLAIM_KEY\$" <<<"$sums")
  fi
  if ! BROKEN=$(cd "$KIT_DIR" && sha256sum --check --quiet 2>/dev/null <<<"$sums"); then
    BROKEN=${BROKEN//$'\n'/, }
    return 1
  fi
}

# Sets the upper-case settings of till.conf, which flavours read; the file is never sourced.
read_settings() {
  local file=$1 key value name
  while IFS='=' read -r key value; do
    for name in "${KIT_SETTINGS[@]}"; do
      if [[ $key == "$name" ]]; then
        [[ $value =~ ^[A-Za-z0-9._:/-]+$ ]] || fatal "$file: $key has a value that can't be right."
        printf -v "$key" '%s' "$value"
        # shellcheck disable=SC2163 # the name in $key is exported, for flavours that start programs
        export "$key"
      fi
    done
  done <"$file"
  for name in "${KIT_SETTINGS[@]}"; do
    [[ -n ${!name:-} ]] || fatal "$file doesn't say $name: make the kit again."
  done
}

check_same_till() {
  local present
  if [[ -f $ETC_DIR/till.conf ]]; then
    present=$(sed -n 's/^THING=//p' "$ETC_DIR/till.conf")
    if [[ $present != "$THING" ]]; then
      fatal "this Pi is $present already and the kit is for $THING: run pi_bootstrap.sh uninstall first."
    fi
  fi
}

install_kit_settings() {
  place 644 "$ETC_DIR/till.conf" <"$KIT_DIR/till.conf"
  place 644 "$ETC_DIR/root-ca.pem" <"$KIT_DIR/root-ca.pem"
  place 600 "$ETC_DIR/environment" <"$KIT_DIR/environment"
  place 644 "$ETC_DIR/flavour.sh" <"$FLAVOUR_FILE"
}

choose_flavour() {
  if [[ -n $NUCLEUS_DIR ]]; then
    FLAVOUR_FILE=$NUCLEUS_DIR/flavour.sh
  else
    FLAVOUR_FILE=$SCRIPT_DIR/flavours/$NUCLEUS.sh
  fi
  [[ -f $FLAVOUR_FILE ]] || fatal "there is no nucleus flavour at $FLAVOUR_FILE."
  # shellcheck source=/dev/null
  source "$FLAVOUR_FILE"
}
