"""A till on a machine that doctor finds nothing wrong with: a kit, and a nucleus that only listens."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bootstrap import aws_iot
from tests.bootstrap.kit_folder import write_kit
from twin.machines import Machine

SCRIPT = "/home/pi/kit/pi_bootstrap.sh"
DAY = datetime.timedelta(days=1)
# Valid from and until, relative to now.
IDENTITIES = {
    "good": (-DAY, 365 * DAY),
    "expired": (-2 * DAY, -DAY),
    "expiring": (-DAY, 10 * DAY),
    "future": (DAY, 365 * DAY),
}
FLAVOUR = """\
# shellcheck shell=bash
flavour_preflight() { :; }
flavour_install() {
  install -d -m 755 "$GREENGRASS_ROOT" "$GREENGRASS_ROOT/logs"
  install -m 755 "$NUCLEUS_DIR/listen.py" "$GREENGRASS_ROOT/listen.py"
  install -m 600 "$NUCLEUS_DIR/good.key" "$(flavour_private_key)"
  install -m 644 "$NUCLEUS_DIR/good.pem" "$(flavour_certificate)"
  unit greengrass 443 8443 8883 >/etc/systemd/system/greengrass.service
  unit till 8080 >/etc/systemd/system/till.service
  systemctl daemon-reload
  systemctl enable --now greengrass.service till.service
}
unit() {
  printf '[Service]\\nType=notify\\nExecStart=/usr/bin/python3 %s\\n' "$GREENGRASS_ROOT/listen.py ${*:2}"
  printf '[Install]\\nWantedBy=multi-user.target\\n'
}
flavour_provisioned() { [ -s "$GREENGRASS_ROOT/thingCert.crt" ]; }
flavour_certificate() { echo "$GREENGRASS_ROOT/thingCert.crt"; }
flavour_private_key() { echo "$GREENGRASS_ROOT/privKey.key"; }
flavour_logs() { :; }
flavour_uninstall() {
  systemctl disable --now greengrass.service till.service
  rm -rf /etc/systemd/system/greengrass.service /etc/systemd/system/till.service "$GREENGRASS_ROOT"
}
"""
LISTEN = """\
import os, socket, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Health(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "selling"}')


servers = [ThreadingHTTPServer(("127.0.0.1", int(port)), Health) for port in sys.argv[1:]]
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notice:
    notice.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
for server in servers:
    threading.Thread(target=server.serve_forever).start()
"""
RUNTIME = """\
set -e
runtime=/var/lib/greentill/runtime/1.0.0
mkdir -p $runtime
python3 -m venv --without-pip $runtime/venv
python3 -c 'import json, sys; print(json.dumps({"python": "%d.%d" % sys.version_info[:2]}))' >$runtime/ready
chown -hR ggc_user:ggc_group /var/lib/greentill/runtime
echo '127.0.0.1 data.iot.test credentials.iot.test' >>/etc/hosts
"""


def write_nucleus(folder: Path) -> Path:
    """The flavour's folder, with the identities of IDENTITIES; `good` is installed."""
    folder.mkdir()
    (folder / "flavour.sh").write_text(FLAVOUR)
    (folder / "listen.py").write_text(LISTEN)
    for name, (begins, ends) in IDENTITIES.items():
        certificate, key = identity(begins, ends)
        (folder / f"{name}.pem").write_text(certificate)
        (folder / f"{name}.key").write_text(key)
    return folder


def identity(begins: datetime.timedelta, ends: datetime.timedelta) -> tuple[str, str]:
    """Certificate and private key, valid between two times relative to now."""
    made = aws_iot.authority().issue("greentill-PI0001", begins=begins, ends=ends)
    return made.certificate, made.private_key


@dataclass(frozen=True)
class SoundTill:
    """The machine, and what its bootstrap says."""

    machine: Machine
    seconds: float = 120

    def sh(self, script: str, **options: Any) -> str:
        """Run a script inside; what it printed. It must succeed."""
        done = self.machine.run(["sh", "-c", script], timeout=self.seconds, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def bootstrap(self, *arguments: str) -> tuple[int, str]:
        """Run the kit's script as `sudo` from the login user would; its exit status and words."""
        command = ["env", "SUDO_USER=pi", "HEALTH_SECONDS=60", "bash", SCRIPT, *arguments]
        done = self.machine.run(command, timeout=self.seconds)
        return done.returncode, done.stdout + done.stderr

    def findings(self) -> list[dict[str, Any]]:
        """What doctor finds."""
        status, told = self.bootstrap("doctor", "--json")
        said: dict[str, Any] = json.loads(told)
        findings: list[dict[str, Any]] = said["findings"]
        assert (status, said["ok"]) == ((1, False) if findings else (0, True))
        return findings

    def codes(self) -> set[str]:
        """The codes that doctor finds."""
        return {finding["code"] for finding in self.findings()}


def install(machine: Machine, scratch: Path, *options: str, seconds: float = 120) -> SoundTill:
    """Make the booted `machine` a till; `options` go to the bootstrap."""
    machine.copy_in(write_kit(scratch / "kit"), "/home/pi/kit")
    machine.copy_in(write_nucleus(scratch / "nucleus"), "/home/pi/nucleus")
    till = SoundTill(machine, seconds)
    with aws_iot.answering(machine, scratch):
        status, told = till.bootstrap("--nucleus-dir", "/home/pi/nucleus", *options)
    assert status == 0, told
    till.sh(RUNTIME)
    return till
