"""The classic nucleus: downloaded whole, signed by the right one, installed with the documented arguments."""

from __future__ import annotations

import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.bootstrap.kit_folder import TILL, write_kit

SCRIPTS = Path(__file__).resolve().parents[2] / "pi_bootstrap"
PLUGIN = "aws-greengrass-FleetProvisioningByClaim/fleetprovisioningbyclaim-1.2.2.jar"
JAVA = """#!/bin/sh
printf '%s\\n' "$@" >"$RECORD/arguments"
while [ $# -gt 1 ]; do [ "$1" = --init-config ] && cp "$2" "$RECORD/config.yaml"; shift; done
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder; says a longer length than it sends for `half`, as a cut line does."""

    half: str = ""

    def log_message(self, *_: Any) -> None: ...

    def send_header(self, keyword: str, value: str) -> None:
        longer = keyword == "Content-Length" and self.half and self.path.endswith(self.half)
        super().send_header(keyword, str(int(value) + 1000) if longer else value)


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "store.p12"
    for alias, name in (("good", "CN=Amazon.com Services LLC"), ("bad", "CN=Mallory")):
        options = ["-storepass", "changeit", "-keyalg", "RSA", "-dname", name, "-alias", alias]
        subprocess.run(
            ["keytool", "-genkeypair", "-keystore", path, *options], check=True, capture_output=True
        )
    return path


def sign(archive: Path, keystore: Path, alias: str = "good") -> None:
    subprocess.run(
        ["jarsigner", "-keystore", keystore, "-storepass", "changeit", archive, alias],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def mirror(tmp_path: Path, keystore: Path) -> Path:
    folder = tmp_path / "mirror"
    (folder / PLUGIN).parent.mkdir(parents=True)
    for name, member in (("greengrass-2.18.2.zip", "lib/Greengrass.jar"), (PLUGIN, "plugin.class")):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(member, "bytes of " + member)
        sign(folder / name, keystore)
    return folder


@pytest.fixture
def served(mirror: Path) -> Iterator[tuple[str, type[Quiet]]]:
    handler = type("Handler", (Quiet,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(mirror)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def install(tmp_path: Path, url: str) -> subprocess.CompletedProcess[str]:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "java").write_text(JAVA)
    (tools / "java").chmod(0o755)
    kit = write_kit(tmp_path / "kit")
    sources = f"source {SCRIPTS}/lib/download.sh; source {SCRIPTS}/flavours/classic.sh"
    environment = {
        **TILL,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "NUCLEUS_MIRROR": url,
        "KIT_DIR": str(kit),
        "GREENGRASS_ROOT": str(tmp_path / "gg"),
        "RECORD": str(tmp_path),
        "no_proxy": "*",
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{sources}; flavour_install"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_the_installer_gets_the_documented_arguments_and_keys(
    tmp_path: Path, served: tuple[str, type[Quiet]]
):
    done = install(tmp_path, served[0])
    assert done.returncode == 0, done.stderr
    root = tmp_path / "gg"
    arguments = (tmp_path / "arguments").read_text().split("\n")[:-1]
    assert arguments[:3] == [f"-Droot={root}", "-Dlog.store=FILE", "-jar"]
    assert arguments[3].endswith("/lib/Greengrass.jar")
    assert arguments[4:7] == ["--trusted-plugin", f"{root}/fleetprovisioning.jar", "--init-config"]
    assert arguments[8:] == [
        "--component-default-user",
        "ggc_user:ggc_group",
        "--setup-system-service",
        "true",
    ]
    config = (tmp_path / "config.yaml").read_text()
    for line in (
        'version: "2.18.2"',
        f'rootPath: "{root}"',
        'awsRegion: "eu-west-1"',
        'iotDataEndpoint: "data.iot.test"',
        'iotCredentialEndpoint: "credentials.iot.test"',
        'iotRoleAlias: "greentill-tills"',
        'provisioningTemplate: "greentill-provisioning"',
        f'claimCertificatePath: "{root}/claim-certs/claim.pem.crt"',
        f'claimCertificatePrivateKeyPath: "{root}/claim-certs/claim.private.key"',
        f'rootCaPath: "{root}/rootCA.pem"',
        'SerialNumber: "PI0001"',
    ):
        assert line in config
    assert (root / "claim-certs" / "claim.private.key").stat().st_mode & 0o777 == 0o600


def refused(tmp_path: Path, url: str, reason: str) -> None:
    done = install(tmp_path, url)
    assert done.returncode != 0
    assert reason in done.stderr
    assert not (tmp_path / "arguments").exists()
    assert not (tmp_path / "gg").exists()


@pytest.mark.parametrize("name", ["greengrass-2.18.2.zip", PLUGIN])
def test_an_archive_with_something_added_is_refused(
    tmp_path: Path, mirror: Path, served: tuple[str, type[Quiet]], name: str
):
    with zipfile.ZipFile(mirror / name, "a") as archive:
        archive.writestr("lib/extra.jar", "slipped in")
    refused(tmp_path, served[0], "was not signed, or was changed")


def test_an_archive_with_changed_bytes_is_refused(
    tmp_path: Path, mirror: Path, served: tuple[str, type[Quiet]]
):
    path = mirror / "greengrass-2.18.2.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["lib/Greengrass.jar"] = b"another program"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    refused(tmp_path, served[0], "was not signed, or was changed")


def test_an_archive_that_somebody_else_signed_is_refused(
    tmp_path: Path, mirror: Path, keystore: Path, served: tuple[str, type[Quiet]]
):
    path = mirror / "greengrass-2.18.2.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lib/Greengrass.jar", "another program")
    sign(path, keystore, "bad")
    refused(tmp_path, served[0], "signed by somebody else than Amazon")


def test_half_a_download_is_refused(tmp_path: Path, served: tuple[str, type[Quiet]]):
    url, handler = served
    handler.half = "greengrass-2.18.2.zip"
    refused(tmp_path, url, "could not be downloaded whole")
