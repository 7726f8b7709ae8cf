# shellcheck shell=bash
# Which till this is, and where its nucleus keeps certificate and key. Both files are root's own.

setting() { sed -n "s/^$1=//p" "$ETC_DIR/till.conf"; }

# The flavour reads the kit's settings as variables.
load_flavour() {
  local name
  for name in SERIAL THING REGION IOT_DATA_ENDPOINT IOT_CREDENTIALS_ENDPOINT PROVISIONING_TEMPLATE ROLE_ALIAS \
    NUCLEUS NUCLEUS_VERSION; do
    printf -v "$name" '%s' "$(setting "$name")"
    export "${name?}"
  done
  # shellcheck source=/dev/null
  source "$ETC_DIR/flavour.sh"
}

# Where the pair in use lies: sets CERTIFICATE and PRIVATE_KEY; false on a till that has none (yet).
find_pair() {
  [[ -f $ETC_DIR/till.conf && -f $ETC_DIR/flavour.sh ]] || return 1
  load_flavour
  CERTIFICATE=$(flavour_certificate)
  PRIVATE_KEY=$(flavour_private_key)
  [[ -s $CERTIFICATE && -s $PRIVATE_KEY ]]
}

restart_nucleus() { systemctl restart greengrass.service; }
