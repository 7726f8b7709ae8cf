"""A small Debian package that stands for nucleus lite's: same name, group, units and provisioning program."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

FLEET_PROVISIONING = """\
#!/bin/sh
# Like lite's: reads its configuration, and leaves a pair that only its own group may read.
set -e
mkdir -p /var/lib/greengrass/credentials
grep -q 'SerialNumber: "PI0001"' /etc/greengrass/config.yaml
runuser -u ggcore -- test -r /greengrass/v2/claim-certs/claim.private.key
cd /var/lib/greengrass/credentials
cp /home/pi/identity/certificate.pem certificate.pem
cp /home/pi/identity/private.key priv_key
chown -R ggcore:ggcore /var/lib/greengrass/credentials
chmod 600 priv_key
"""
CONTROL = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: Tests <tests@example.invalid>
Description: made in a test
{more}"""
POSTINST = """\
#!/bin/sh
set -e
getent group ggcore >/dev/null || groupadd --system ggcore
getent passwd ggcore >/dev/null || useradd --system --gid ggcore ggcore
systemctl daemon-reload || true
"""
TARGET = "[Unit]\nDescription=lite\nWants=ggl.core.service\n"
CORE = "[Unit]\nPartOf=greengrass-lite.target\n[Service]\nExecStart=/bin/sleep infinity\n"


def build(folder: Path, name: str, files: dict[str, str], *, more: str = "", postinst: str = "") -> Path:
    """A .deb in `folder`; files below /usr/bin can be run."""
    tree = folder / f"{name}.tree"
    for path, content in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        target.chmod(0o755 if path.startswith("usr/bin/") else 0o644)
    control = tree / "DEBIAN"
    control.mkdir(parents=True)
    (control / "control").write_text(CONTROL.format(name=name, version="2.6.0", more=more))
    if postinst:
        (control / "postinst").write_text(postinst)
        (control / "postinst").chmod(0o755)
    package = folder / f"{name}_2.6.0_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", tree, package], check=True, capture_output=True
    )
    shutil.rmtree(tree)
    return package


def build_lite(folder: Path, architecture: str) -> Path:
    """The stand-in for nucleus lite, under the name that the bootstrap downloads."""
    files = {
        "usr/bin/fleet-provisioning": FLEET_PROVISIONING,
        "usr/lib/systemd/system/greengrass-lite.target": TARGET,
        "usr/lib/systemd/system/ggl.core.service": CORE,
    }
    package = build(folder, "aws-greengrass-lite", files, postinst=POSTINST)
    return package.rename(folder / f"greengrass-lite-2.6.0-{architecture}.deb")


def write_sums(folder: Path) -> None:
    """SHA256SUMS of every file below `folder`."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "SHA256SUMS"
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))
