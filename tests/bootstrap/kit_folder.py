"""A kit folder as greentill till kit writes it, and a nucleus that does nothing but provision."""

from __future__ import annotations

from pathlib import Path

from fleet_provisioning import kit_files
from tests.bootstrap.aws_iot import authority

TILL = {
    "FLEET": "greentill",
    "SERIAL": "PI0001",
    "THING": "greentill-PI0001",
    "STAGE": "dev",
    "REGION": "eu-west-1",
    "IOT_DATA_ENDPOINT": "data.iot.test",
    "IOT_CREDENTIALS_ENDPOINT": "credentials.iot.test",
    "PROVISIONING_TEMPLATE": "greentill-provisioning",
    "ROLE_ALIAS": "greentill-tills",
    "NUCLEUS": "classic",
    "NUCLEUS_VERSION": "2.18.2",
}

FLAVOUR = """\
# shellcheck shell=bash
flavour_preflight() { :; }
flavour_install() {
  install -d -m 755 "$GREENGRASS_ROOT"
  install -d -m 700 "$GREENGRASS_ROOT/claim-certs"
  if ! flavour_provisioned; then
    install -m 600 "$KIT_DIR/claim.private.key" "$GREENGRASS_ROOT/claim-certs/claim.private.key"
    install -m 644 "$NUCLEUS_DIR/certificate.pem" "$(flavour_certificate)"
    install -m 600 "$NUCLEUS_DIR/private.key" "$(flavour_private_key)"
  fi
  cat >"$UNIT_DIR/greengrass.service" <<UNIT
[Unit]
After=time-sync.target
[Service]
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
UNIT
  systemctl daemon-reload
  systemctl enable --now greengrass.service
  if [ ! -e "$NUCLEUS_DIR/never" ]; then touch "$GREENGRASS_ROOT/provisioned"; fi
}
flavour_provisioned() { [ -e "$GREENGRASS_ROOT/provisioned" ]; }
flavour_certificate() { echo "$GREENGRASS_ROOT/thingCert.crt"; }
flavour_private_key() { echo "$GREENGRASS_ROOT/privKey.key"; }
flavour_logs() { echo "the nucleus says: no answer from AWS IoT"; }
flavour_uninstall() {
  systemctl disable --now greengrass.service || true
  rm -rf "$UNIT_DIR/greengrass.service" "$GREENGRASS_ROOT"
}
"""


def write_kit(folder: Path, **changed: str) -> Path:
    """A whole kit; `changed` replaces settings of till.conf."""
    workplace = kit_files.Workplace(folder)
    workplace.begin("a test's")
    texts = {
        "till.conf": kit_files.key_values(TILL | changed),
        "environment": "HTTPS_PROXY=http://user:s3cret@proxy:3128\nNO_PROXY=.test\n",
        "claim.pem.crt": authority().issue("claim").certificate,
        "root-ca.pem": authority().certificate,
    }
    kit_files.write(folder, texts, secrets={"claim.private.key": "PRIVATE-KEY-TEXT\n"})
    workplace.finish()
    return folder


def write_flavour(folder: Path) -> Path:
    folder.mkdir()
    (folder / "flavour.sh").write_text(FLAVOUR)
    identity = authority().issue(TILL["THING"])
    (folder / "certificate.pem").write_text(identity.certificate)
    (folder / "private.key").write_text(identity.private_key)
    return folder
