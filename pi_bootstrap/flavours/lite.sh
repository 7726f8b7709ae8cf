# shellcheck shell=bash
# Nucleus lite (C, a Debian package), provisioned by its fleet-provisioning program. Not yet run on a Pi.
#
# Variables besides the kit's:
#   NUCLEUS_MIRROR   folder that holds greengrass-lite-<version>-<arch>.deb   none: or use --offline-bundle
#   LITE_SHA256      digest of that package, from its release page            none: it must be given

NUCLEUS_MIRROR=${NUCLEUS_MIRROR:-}
LITE_ROOT=/var/lib/greengrass # fixed by the package's units
LITE_CONFIG=${LITE_CONFIG:-/etc/greengrass/config.yaml}
LITE_UNIT=${UNIT_DIR:-/etc/systemd/system}/greengrass.service

# A bundle's sums have been checked, so they name the package as well as LITE_SHA256 does.
flavour_preflight() {
  if [[ -z ${LITE_SHA256:-} && -n ${OFFLINE_BUNDLE:-} ]]; then
    return 0
  fi
  if [[ ! ${LITE_SHA256:-} =~ ^[0-9a-f]{64}$ ]]; then
    printf 'Set LITE_SHA256 to the digest of nucleus lite %s, from its release page.\n' "$NUCLEUS_VERSION" >&2
    return 1
  fi
  if [[ -z $NUCLEUS_MIRROR && -z ${OFFLINE_BUNDLE:-} ]]; then
    printf 'Set NUCLEUS_MIRROR, or give --offline-bundle with the package of nucleus lite.\n' >&2
    return 1
  fi
}

flavour_install() (
  # A function of its own shell: the scratch folder goes whatever happens.
  set -e
  if flavour_provisioned; then
    systemctl enable --quiet --now greengrass.service
    exit 0
  fi
  local scratch
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder as it is now
  trap "rm -rf '$scratch'" EXIT
  lite_package "$scratch/lite.deb"
  systemctl stop greengrass-lite.target 2>/dev/null || true
  dpkg --install "$scratch/lite.deb"
  install -d -m 755 "$GREENGRASS_ROOT" "$(dirname "$LITE_CONFIG")"
  install -d -m 750 -g ggcore "$GREENGRASS_ROOT/claim-certs"
  install -m 644 "$KIT_DIR/root-ca.pem" "$GREENGRASS_ROOT/rootCA.pem"
  install -m 640 -g ggcore "$KIT_DIR/claim.pem.crt" "$KIT_DIR/claim.private.key" "$GREENGRASS_ROOT/claim-certs/"
  lite_config >"$LITE_CONFIG"
  lite_unit >"$LITE_UNIT"
  systemctl daemon-reload
  systemctl enable --quiet --now greengrass.service
  fleet-provisioning
  systemctl restart greengrass-lite.target
)

# What an offline bundle holds of this nucleus, and whether a file of it may be used.
flavour_downloads() { printf 'greengrass-lite-%s-%s.deb\n' "$NUCLEUS_VERSION" "$(dpkg --print-architecture)"; }

flavour_check_download() {
  if ! sha256sum --check --status <<<"$LITE_SHA256  $1"; then
    printf 'The package of nucleus lite is not the one that LITE_SHA256 names: it is not installed.\n' >&2
    return 1
  fi
}

lite_package() {
  fetch "$(flavour_downloads)" "$1"
  [[ -z ${LITE_SHA256:-} ]] || flavour_check_download "$1"
}

lite_config() {
  cat <<YAML
---
system:
  privateKeyPath: ""
  certificateFilePath: ""
  rootCaPath: ""
  rootPath: "$LITE_ROOT/"
  thingName: ""
services:
  aws.greengrass.NucleusLite:
    componentType: "NUCLEUS"
    configuration:
      awsRegion: "$REGION"
      iotCredEndpoint: ""
      iotDataEndpoint: ""
      iotRoleAlias: "$ROLE_ALIAS"
      runWithDefault:
        posixUser: "ggc_user:ggc_group"
      greengrassDataPlanePort: "8443"
  aws.greengrass.fleet_provisioning:
    configuration:
      iotDataEndpoint: "$IOT_DATA_ENDPOINT"
      iotCredEndpoint: "$IOT_CREDENTIALS_ENDPOINT"
      rootCaPath: "$GREENGRASS_ROOT/rootCA.pem"
      claimKeyPath: "$GREENGRASS_ROOT/claim-certs/claim.private.key"
      claimCertPath: "$GREENGRASS_ROOT/claim-certs/claim.pem.crt"
      csrCommonName: "$THING"
      templateName: "$PROVISIONING_TEMPLATE"
      templateParams:
        SerialNumber: "$SERIAL"
YAML
}

# One name for both nuclei: greengrass.service stands for lite's target, so that restarting it restarts lite.
lite_unit() {
  cat <<'UNIT'
[Unit]
Description=Greengrass nucleus lite

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/systemctl --no-block restart greengrass-lite.target
ExecStop=/usr/bin/systemctl --no-block stop greengrass-lite.target

[Install]
WantedBy=multi-user.target
UNIT
}

# fleet-provisioning makes both files before it asks AWS IoT, so an empty one says nothing.
flavour_provisioned() { [[ -s $LITE_ROOT/credentials/certificate.pem && -s $LITE_ROOT/credentials/priv_key ]]; }

flavour_certificate() { printf '%s\n' "$LITE_ROOT/credentials/certificate.pem"; }

flavour_private_key() { printf '%s\n' "$LITE_ROOT/credentials/priv_key"; }

flavour_logs() { journalctl --no-pager -n 50 -u 'ggl.*'; }

flavour_uninstall() {
  systemctl disable --quiet --now greengrass.service || true
  systemctl stop greengrass-lite.target || true
  rm -f "$LITE_UNIT"
  dpkg --purge aws-greengrass-lite || true
  rm -rf "$GREENGRASS_ROOT" "$LITE_ROOT" "$LITE_CONFIG"
  systemctl daemon-reload
}
