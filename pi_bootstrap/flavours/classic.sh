# shellcheck shell=bash
# The classic nucleus (Java), provisioned by its own fleet provisioning plugin.
#
# Variables besides the kit's:
#   NUCLEUS_MIRROR   folder of the downloads   AWS's release CDN
#   NUCLEUS_SIGNER   must be in the name of who signed them   Amazon
#   PLUGIN_VERSION   of the fleet provisioning plugin         1.2.2

NUCLEUS_MIRROR=${NUCLEUS_MIRROR:-https://d2s8p88vqu9w66.cloudfront.net/releases}
NUCLEUS_SIGNER=${NUCLEUS_SIGNER:-Amazon}
PLUGIN_VERSION=${PLUGIN_VERSION:-1.2.2}
PLUGIN_NAME=aws-greengrass-FleetProvisioningByClaim/fleetprovisioningbyclaim-$PLUGIN_VERSION.jar
# jarsigner comes with a JDK, not with a JRE.
# shellcheck disable=SC2034 # read by lib/system.sh
FLAVOUR_PACKAGES=(default-jdk-headless)

flavour_preflight() {
  local version
  if ! command -v java >/dev/null || ! command -v jarsigner >/dev/null; then
    printf 'java and jarsigner are needed: apt-get install default-jdk-headless.\n' >&2
    return 1
  fi
  version=$(java -version 2>&1 | sed -nE 's/.*version "(1\.)?([0-9]+).*/\2/p' | head -n 1)
  if [[ ${version:-0} -lt 8 ]]; then
    printf 'java is of version %s, the nucleus needs 8 or later: apt-get install default-jdk-headless.\n' "${version:-unknown}" >&2
    return 1
  fi
}

# What an offline bundle holds of this nucleus, and whether a file of it may be used.
flavour_downloads() { printf '%s\n' "greengrass-$NUCLEUS_VERSION.zip" "$PLUGIN_NAME"; }

flavour_check_download() { classic_verify "$1"; }

# The mark says that the installer came to its end: from then on only the service provisions.
flavour_install() {
  if flavour_provisioned && systemctl cat greengrass.service >/dev/null 2>&1; then
    systemctl enable --quiet --now greengrass.service
  elif classic_installed; then
    classic_claim
    systemctl enable --quiet greengrass.service
    systemctl restart greengrass.service
  else
    classic_install
  fi
}

classic_installed() { [[ -e $GREENGRASS_ROOT/installed ]] && systemctl cat greengrass.service >/dev/null 2>&1; }

classic_install() (
  # A function of its own shell: the scratch folder goes whatever happens.
  set -e
  local scratch
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder as it is now
  trap "rm -rf '$scratch'" EXIT
  fetch "greengrass-$NUCLEUS_VERSION.zip" "$scratch/nucleus.zip"
  classic_verify "$scratch/nucleus.zip"
  fetch "$PLUGIN_NAME" "$scratch/plugin.jar"
  classic_verify "$scratch/plugin.jar"
  python3 -I -m zipfile -e "$scratch/nucleus.zip" "$scratch/nucleus"
  # What an interrupted installer left is still at work, or in the way.
  systemctl stop greengrass.service 2>/dev/null || true
  install -d -m 755 "$GREENGRASS_ROOT"
  install -m 644 "$scratch/plugin.jar" "$GREENGRASS_ROOT/fleetprovisioning.jar"
  classic_claim
  classic_config >"$scratch/config.yaml"
  java "-Droot=$GREENGRASS_ROOT" -Dlog.store=FILE -jar "$scratch/nucleus/lib/Greengrass.jar" \
    --trusted-plugin "$GREENGRASS_ROOT/fleetprovisioning.jar" --init-config "$scratch/config.yaml" \
    --component-default-user ggc_user:ggc_group --setup-system-service true
  sync --file-system "$GREENGRASS_ROOT"
  : >"$GREENGRASS_ROOT/installed"
)

classic_claim() {
  install -m 644 "$KIT_DIR/root-ca.pem" "$GREENGRASS_ROOT/rootCA.pem"
  if ! flavour_provisioned; then
    install -d -m 700 "$GREENGRASS_ROOT/claim-certs"
    install -m 600 "$KIT_DIR/claim.pem.crt" "$KIT_DIR/claim.private.key" "$GREENGRASS_ROOT/claim-certs/"
  fi
}

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
    configuration:
      logging:
        fileSizeKB: "1024"
        totalLogsSizeKB: "10240"
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
  [[ -s $(flavour_certificate) && -s $(flavour_private_key) ]] &&
    grep -qE "thingName: \"?$THING\"?\$" "$GREENGRASS_ROOT/config/effectiveConfig.yaml" 2>/dev/null
}

flavour_certificate() { classic_path certificateFilePath thingCert.crt; }

flavour_private_key() { classic_path privateKeyPath privKey.key; }

# The path that the nucleus itself names, or the usual one.
classic_path() {
  local named
  named=$(sed -nE "s/^  $1: \"?([^\"]+)\"?\$/\1/p" "$GREENGRASS_ROOT/config/effectiveConfig.yaml" 2>/dev/null || true)
  named=${named%%$'\n'*}
  printf '%s\n' "${named:-$GREENGRASS_ROOT/$2}"
}

flavour_logs() { tail -n 50 "$GREENGRASS_ROOT/logs/greengrass.log" 2>/dev/null || journalctl --no-pager -n 50 -u greengrass; }

flavour_uninstall() {
  systemctl disable --quiet --now greengrass.service || true
  rm -f /etc/systemd/system/greengrass.service
  systemctl daemon-reload
  rm -rf "$GREENGRASS_ROOT"
}
