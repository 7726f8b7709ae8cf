# shellcheck shell=bash
# The nucleus flavour that pi_bootstrap.sh sources with --nucleus-dir. It reads the variables of the kit
# (GREENGRASS_ROOT KIT_DIR NUCLEUS_DIR SERIAL REGION IOT_DATA_ENDPOINT IOT_CREDENTIALS_ENDPOINT
# PROVISIONING_TEMPLATE ROLE_ALIAS NUCLEUS) and, for machines that differ, CORE_UNIT_DIR.

CORE_UNIT_DIR=${CORE_UNIT_DIR:-/etc/systemd/system}

flavour_preflight() {
  local setting
  for setting in GREENGRASS_ROOT KIT_DIR NUCLEUS_DIR SERIAL REGION IOT_DATA_ENDPOINT \
    IOT_CREDENTIALS_ENDPOINT PROVISIONING_TEMPLATE ROLE_ALIAS; do
    if [[ -z ${!setting:-} ]]; then
      printf 'The kit does not say %s: make it again.\n' "$setting" >&2
      return 1
    fi
  done
  if ! PYTHONPATH=$NUCLEUS_DIR/site python3 -c 'import sys, awscrt; sys.exit(sys.version_info < (3, 11))'; then
    printf 'The core needs a python3 of at least 3.11 on the architecture that it was built for.\n' >&2
    return 1
  fi
}

flavour_install() {
  local changed=no
  install -d -m 755 "$(dirname "$GREENGRASS_ROOT")" "$GREENGRASS_ROOT" "$GREENGRASS_ROOT/logs"
  install -d -m 700 "$GREENGRASS_ROOT/claim-certs" "$GREENGRASS_ROOT/config"
  if ! cmp -s "$NUCLEUS_DIR/digest" "$GREENGRASS_ROOT/core/digest"; then
    rm -rf "$GREENGRASS_ROOT/core.new"
    install -d -m 755 "$GREENGRASS_ROOT/core.new"
    cp -a "$NUCLEUS_DIR/greentill_core" "$NUCLEUS_DIR/site" "$GREENGRASS_ROOT/core.new/"
    cp "$NUCLEUS_DIR/digest" "$GREENGRASS_ROOT/core.new/"
    chown -R root:root "$GREENGRASS_ROOT/core.new"
    rm -rf "$GREENGRASS_ROOT/core"
    mv "$GREENGRASS_ROOT/core.new" "$GREENGRASS_ROOT/core"
    changed=yes
  fi
  core_place 644 "$GREENGRASS_ROOT/rootCA.pem" <"$KIT_DIR/root-ca.pem" && changed=yes
  if ! flavour_provisioned; then
    core_place 600 "$GREENGRASS_ROOT/claim-certs/claim.pem.crt" <"$KIT_DIR/claim.pem.crt" && changed=yes
    core_place 600 "$GREENGRASS_ROOT/claim-certs/claim.private.key" <"$KIT_DIR/claim.private.key" &&
      changed=yes
  fi
  core_place 600 "$GREENGRASS_ROOT/config/environment" < <(core_environment) && changed=yes
  core_place 600 "$GREENGRASS_ROOT/config/core.json" < <(core_settings) && changed=yes
  core_place 644 "$CORE_UNIT_DIR/greengrass.service" < <(core_unit) && changed=yes
  systemctl daemon-reload
  systemctl enable --quiet greengrass.service
  if [[ $changed == yes ]]; then
    systemctl restart greengrass.service
  else
    systemctl start greengrass.service
  fi
}

flavour_provisioned() {
  [[ -s $GREENGRASS_ROOT/config/identity.json && -s $GREENGRASS_ROOT/thingCert.crt ]]
}

flavour_certificate() { printf '%s\n' "$GREENGRASS_ROOT/thingCert.crt"; }

flavour_private_key() { printf '%s\n' "$GREENGRASS_ROOT/privKey.key"; }

flavour_logs() {
  tail -n "${1:-50}" "$GREENGRASS_ROOT/logs/greengrass.log" 2>/dev/null ||
    journalctl --no-pager --lines "${1:-50}" --unit greengrass.service
}

flavour_uninstall() {
  systemctl disable --quiet --now greengrass.service 2>/dev/null || true
  rm -f "$CORE_UNIT_DIR/greengrass.service"
  systemctl daemon-reload
  rm -rf "$GREENGRASS_ROOT"
}

# Write standard input to a file unless it holds just that; true when the file changed.
core_place() {
  local mode=$1 path=$2
  (umask 077 && cat >"$path.new")
  chmod "$mode" "$path.new"
  if cmp -s "$path.new" "$path"; then
    rm "$path.new"
    return 1
  fi
  mv "$path.new" "$path"
}

core_environment() {
  if [[ -f $KIT_DIR/environment ]]; then
    cat "$KIT_DIR/environment"
  fi
}

core_settings() {
  python3 -c '
import json, sys
names = ("root", "region", "iot_data_endpoint", "iot_credentials_endpoint", "provisioning_template", "serial",
         "role_alias", "claim_certificate", "claim_private_key", "root_ca", "nucleus")
print(json.dumps(dict(zip(names, sys.argv[1:], strict=True)), indent=1))' \
    "$GREENGRASS_ROOT" "$REGION" "$IOT_DATA_ENDPOINT" "$IOT_CREDENTIALS_ENDPOINT" "$PROVISIONING_TEMPLATE" \
    "$SERIAL" "$ROLE_ALIAS" "$GREENGRASS_ROOT/claim-certs/claim.pem.crt" \
    "$GREENGRASS_ROOT/claim-certs/claim.private.key" "$GREENGRASS_ROOT/rootCA.pem" "${NUCLEUS:-classic}"
}

# Not After=network-online.target: a till starts selling without a network.
core_unit() {
  cat <<UNIT
[Unit]
Description=Greengrass Core
After=network.target

[Service]
Type=exec
Environment=PYTHONPATH=$GREENGRASS_ROOT/core:$GREENGRASS_ROOT/core/site
EnvironmentFile=-$GREENGRASS_ROOT/config/environment
ExecStart=/usr/bin/python3 -u -m greentill_core --root $GREENGRASS_ROOT
KillMode=mixed
TimeoutStopSec=45
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
UNIT
}
