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
from typing import Any, ClassVar

import pytest

from tests.bootstrap.kit_folder import TILL, write_kit

SCRIPTS = Path(__file__).resolve().parents[2] / "pi_bootstrap"
PLUGIN = "aws-greengrass-FleetProvisioningByClaim/fleetprovisioningbyclaim-1.2.2.jar"
JAVA = """#!/bin/sh
[ "$1" = -version ] && echo "openjdk version \\"${JAVA_IS:-17.0.13}\\" 2024-10-15" >&2 && exit
printf '%s\\n' "$@" >"$RECORD/arguments"
while [ $# -gt 1 ]; do [ "$1" = --init-config ] && cp "$2" "$RECORD/config.yaml"; shift; done
"""


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder, ranges too; of `half` it sends one half and hangs up, as a cut line does."""

    half: str = ""
    ranges: ClassVar[list[str]] = []

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        content = Path(self.translate_path(self.path)).read_bytes()
        asked = self.headers["Range"]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if asked:
            self.ranges.append(asked)
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        cut = bool(self.half) and self.path.endswith(self.half)
        self.wfile.write(content[start : start + len(content) // 2] if cut else content[start:])
        self.close_connection = True


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
    handler = type("Handler", (Quiet,), {"ranges": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(mirror)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


def install(
    tmp_path: Path, url: str, call: str = "flavour_install", **extra: str
) -> subprocess.CompletedProcess[str]:
    tools, kit = tmp_path / "tools", tmp_path / "kit"
    if not tools.exists():
        tools.mkdir()
        write_kit(kit)
    for name, body in {"java": JAVA, "curl": '#!/bin/sh\nexec /usr/bin/curl --retry 0 "$@"\n'}.items():
        (tools / name).write_text(body)
        (tools / name).chmod(0o755)
    sources = f"source {SCRIPTS}/lib/download.sh; source {SCRIPTS}/flavours/classic.sh"
    environment = {
        **TILL,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "NUCLEUS_MIRROR": url,
        "DOWNLOAD_DIR": str(tmp_path / "downloads"),
        "KIT_DIR": str(kit),
        "GREENGRASS_ROOT": str(tmp_path / "gg"),
        "RECORD": str(tmp_path),
        "no_proxy": "*",
        **extra,
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{sources}; {call}"],
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


def test_half_a_download_is_gone_on_with(tmp_path: Path, served: tuple[str, type[Quiet]]):
    url, handler = served
    handler.half = "greengrass-2.18.2.zip"
    refused(tmp_path, url, "could not be downloaded whole")
    handler.half = ""
    handler.ranges.clear()
    done = install(tmp_path, url)
    assert done.returncode == 0, done.stderr
    size = (tmp_path / "mirror" / "greengrass-2.18.2.zip").stat().st_size
    assert handler.ranges == [f"bytes={size // 2}-"]
    assert (tmp_path / "arguments").exists()


@pytest.mark.parametrize("size", [100, 1_000_000])
def test_what_another_file_left_is_refused_and_then_forgotten(
    tmp_path: Path, served: tuple[str, type[Quiet]], size: int
):
    part = tmp_path / "downloads" / "greengrass-2.18.2.zip.part"
    part.parent.mkdir()
    part.write_bytes(b"x" * size)
    refused(tmp_path, served[0], "was not signed, or was changed")
    assert install(tmp_path, served[0]).returncode == 0


@pytest.mark.parametrize(("version", "fits"), [("1.8.0_432", True), ("17.0.13", True), ("1.7.0_80", False)])
def test_a_java_before_8_is_refused(
    tmp_path: Path, served: tuple[str, type[Quiet]], version: str, fits: bool
):
    done = install(tmp_path, served[0], "flavour_preflight", JAVA_IS=version)
    assert (done.returncode == 0) is fits
    assert ("needs 8 or later" in done.stderr) is not fits


def test_the_pair_in_use_is_where_the_nucleus_says(tmp_path: Path, served: tuple[str, type[Quiet]]):
    shown = "flavour_certificate; flavour_private_key"
    usual = install(tmp_path, served[0], shown).stdout.split()
    assert usual == [f"{tmp_path}/gg/thingCert.crt", f"{tmp_path}/gg/privKey.key"]
    config = tmp_path / "gg" / "config" / "effectiveConfig.yaml"
    config.parent.mkdir(parents=True)
    config.write_text(
        'system:\n  certificateFilePath: "/keys/a.crt"\n  privateKeyPath: "/keys/a.key"\n'
        '  thingName: "greentill-PI0001"\n'
    )
    assert install(tmp_path, served[0], shown).stdout.split() == ["/keys/a.crt", "/keys/a.key"]
