# shellcheck shell=bash
# The classic nucleus (Java), provisioned by its own fleet provisioning plugin.
#
# Variables besides the kit's:
#   NUCLEUS_MIRROR   folder of the downloads   AWS's release CDN
#   NUCLEUS_SIGNER   must be in the name of who signed them   Amazon

NUCLEUS_MIRROR=${NUCLEUS_MIRROR:-https://d2s8p88vqu9w66.cloudfront.net/releases}
NUCLEUS_SIGNER=${NUCLEUS_SIGNER:-Amazon}
PLUGIN_NAME=aws-greengrass-FleetProvisioningByClaim/fleetprovisioningbyclaim-latest.jar
# jarsigner comes with a JDK, not with a JRE.
# shellcheck disable=SC2034 # read by lib/system.sh
FLAVOUR_PACKAGES=(default-jdk-headless)

flavour_preflight() {
  if ! command -v java >/dev/null || ! command -v jarsigner >/dev/null; then
    printf 'java and jarsigner are needed: apt-get install default-jdk-headless.\n' >&2
    return 1
  fi
}

flavour_install() (
  # A function of its own shell: the scratch folder goes whatever happens.
  set -e
  if flavour_provisioned && systemctl cat greengrass.service >/dev/null 2>&1; then
    systemctl enable --quiet --now greengrass.service
    exit 0
  fi
  local scratch
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder as it is now
  trap "rm -rf '$scratch'" EXIT
  fetch "greengrass-$NUCLEUS_VERSION.zip" "$scratch/nucleus.zip"
  classic_verify "$scratch/nucleus.zip"
  fetch "$PLUGIN_NAME" "$scratch/plugin.jar"
  classic_verify "$scratch/plugin.jar"
  python3 -m zipfile -e "$scratch/nucleus.zip" "$scratch/nucleus"
  install -d -m 755 "$GREENGRASS_ROOT"
  install -d -m 700 "$GREENGRASS_ROOT/claim-certs"
  install -m 644 "$scratch/plugin.jar" "$GREENGRASS_ROOT/fleetprovisioning.jar"
  install -m 644 "$KIT_DIR/root-ca.pem" "$GREENGRASS_ROOT/rootCA.pem"
  install -m 600 "$KIT_DIR/claim.pem.crt" "$GREENGRASS_ROOT/claim-certs/claim.pem.crt"
  install -m 600 "$KIT_DIR/claim.private.key" "$GREENGRASS_ROOT/claim-certs/claim.private.key"
  classic_config >"$scratch/config.yaml"
  java "-Droot=$GREENGRASS_ROOT" -Dlog.store=FILE -jar "$scratch/nucleus/lib/Greengrass.jar" \
    --trusted-plugin "$GREENGRASS_ROOT/fleetprovisioning.jar" --init-config "$scratch/config.yaml" \
    --component-default-user ggc_user:ggc_group --setup-system-service true
)

# The whole archive must be signed, by the one we expect: jarsigner ends with 0 for unsigned ones, too.
classic_verify() {
  local file=$1 told
  told=$(jarsigner -verify -verbose "$file" 2>&1) || true
  if ! grep -q '^jar verified\.' <<<"$told" || grep -q 'unsigned entries' <<<"$told"; then
    printf '%s was not signed, or was changed after it was signed: it is not installed.\n' "$(basename "$file")" >&2
    return 1
  fi
  if ! grep -q "Signed by .*$NUCLEUS_SIGNER" <<<"$told"; then
    printf '%s was signed by somebody else than %s: it is not installed.\n' "$(basename "$file")" "$NUCLEUS_SIGNER" >&2
    return 1
  fi
}

classic_config() {
  cat <<YAML
---
services:
  aws.greengrass.Nucleus:
    version: "$NUCLEUS_VERSION"
  aws.greengrass.FleetProvisioningByClaim:
    configuration:
      rootPath: "$GREENGRASS_ROOT"
      awsRegion: "$REGION"
      iotDataEndpoint: "$IOT_DATA_ENDPOINT"
      iotCredentialEndpoint: "$IOT_CREDENTIALS_ENDPOINT"
      iotRoleAlias: "$ROLE_ALIAS"
      provisioningTemplate: "$PROVISIONING_TEMPLATE"
      claimCertificatePath: "$GREENGRASS_ROOT/claim-certs/claim.pem.crt"
      claimCertificatePrivateKeyPath: "$GREENGRASS_ROOT/claim-certs/claim.private.key"
      rootCaPath: "$GREENGRASS_ROOT/rootCA.pem"
      templateParameters:
        SerialNumber: "$SERIAL"
YAML
}

# The plugin writes the name into the effective configuration once the certificate is on disk.
flavour_provisioned() {
  [[ -s $GREENGRASS_ROOT/thingCert.crt ]] &&
    grep -qE "thingName: \"?$THING\"?\$" "$GREENGRASS_ROOT/config/effectiveConfig.yaml" 2>/dev/null
}

flavour_logs() { tail -n 50 "$GREENGRASS_ROOT/logs/greengrass.log" 2>/dev/null || journalctl --no-pager -n 50 -u greengrass; }

flavour_uninstall() {
  systemctl disable --quiet --now greengrass.service || true
  rm -f /etc/systemd/system/greengrass.service
  systemctl daemon-reload
  rm -rf "$GREENGRASS_ROOT"
}
