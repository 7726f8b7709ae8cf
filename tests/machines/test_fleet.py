"""Tills are brought up by the kit's own bootstrap, and looked after from the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from twin import fleet
from twin import state as twin_state
from twin.fleet import FleetError
from twin.link import Upstreams
from twin.machines import reclaim
from twin.state import CloudState, State

pytestmark = pytest.mark.machine

# Stands for pi_bootstrap.sh: asks for what the real one asks for, and leaves a till that answers.
BOOTSTRAP = """\
#!/usr/bin/env bash
set -euo pipefail
[ "$(id -u)" -eq 0 ] || { echo "not root"; exit 3; }
[ "$SUDO_USER" = pi ] || exit 4
[ "$1 $3" = "--kit --nucleus-dir" ] || exit 5
[ -O "$2/../.." ] || exit 6
. "$4/flavour.sh"
grep -q '^FAIL=' "$2/till.conf" && { echo "the claim was refused"; exit 1; }
mkdir -p /srv/v1
echo '{"status": "ok"}' >/srv/v1/health
cp "$2/page.service" /etc/systemd/system/
systemctl enable --quiet --now page.service
echo "provisioned $FLAVOUR"
"""
UNIT = """\
[Service]
ExecStart=/usr/bin/python3 -u -m http.server --bind 127.0.0.1 --directory /srv 8080
[Install]
WantedBy=multi-user.target
"""


def make_kit(folder: Path, serial: str, extra: str = "") -> Path:
    folder.mkdir()
    (folder / "till.conf").write_text(f"FLEET=greentill\nSERIAL={serial}\n{extra}")
    (folder / "page.service").write_text(UNIT)
    script = folder / "pi_bootstrap.sh"
    script.write_text(BOOTSTRAP)
    script.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def nucleus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nucleus")
    (folder / "flavour.sh").write_text("FLAVOUR=stand-in\n")
    return folder


@pytest.fixture(scope="module")
def work_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("fleet")
    yield folder
    reclaim(folder, erase=True)


@pytest.fixture(scope="module")
def state(upstreams: Upstreams) -> State:
    cloud = CloudState(
        pid=os.getpid(),
        endpoint=f"https://localhost:{upstreams.gateway}",
        region="eu-west-1",
        account="000000000000",
        ca="",
        mqtt_port=upstreams.mqtt,
        iot_port=upstreams.iot,
        log="",
    )
    return State(pid=os.getpid(), cloud=cloud)


@pytest.fixture(scope="module")
def up(state: State, nucleus: Path, work_dir: Path, root_image: Path) -> State:
    """Two tills that came up side by side."""
    kits = [make_kit(work_dir / serial, serial) for serial in ("FLEET001", "FLEET002")]
    lines: list[tuple[str, str]] = []
    reached = fleet.bring_up(
        state, kits, nucleus, lambda *line: lines.append(line), work_dir=work_dir, root_image=root_image
    )
    assert ("FLEET001", "provisioned stand-in") in lines
    assert ("FLEET002", "provisioned stand-in") in lines
    return reached


def greentill(*arguments: str, work_dir: Path) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "greentill", "twin", *arguments, "--work-dir", str(work_dir)]
    return subprocess.run(asked, capture_output=True, text=True, timeout=240, check=False)


def test_tills_brought_up_together_all_answer_and_are_written_down(up: State, work_dir: Path) -> None:
    answers = fleet.wait_until_healthy(up, up.tills, timeout=180)
    assert answers == {"FLEET001": {"status": "ok"}, "FLEET002": {"status": "ok"}}
    assert twin_state.load(work_dir) == up


def test_a_bootstrap_that_fails_is_named_with_its_last_words_and_the_others_stay(
    up: State, nucleus: Path, work_dir: Path, root_image: Path
) -> None:
    kit = make_kit(work_dir / "refused", "FLEET003", "FAIL=1\n")
    with pytest.raises(
        FleetError, match=r"FLEET003: the bootstrap ended with status 1 .*the claim was refused"
    ):
        fleet.bring_up(up, [kit], nucleus, lambda *_: None, work_dir=work_dir, root_image=root_image)
    assert set(twin_state.load(work_dir).tills) == {"FLEET001", "FLEET002"}


def test_a_till_brought_up_again_starts_from_nothing(
    up: State, nucleus: Path, work_dir: Path, root_image: Path
) -> None:
    machine = fleet.machine("FLEET002", work_dir=work_dir)
    machine.run(["touch", "/var/old"])
    again = fleet.bring_up(
        up, [work_dir / "FLEET002"], nucleus, lambda *_: None, work_dir=work_dir, root_image=root_image
    )
    assert not machine.path("/var/old").exists()
    assert again.tills["FLEET002"].pos_url == up.tills["FLEET002"].pos_url
    assert fleet.wait_until_healthy(again, ["FLEET002"], timeout=180)


def test_a_folder_that_is_no_kit_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match=r"is no kit.* greentill till kit"):
        fleet.read_kit(tmp_path)


def test_the_command_line_cuts_restores_and_pulls_the_plug_by_thing_name(up: State, work_dir: Path) -> None:
    def shown() -> dict[str, object]:
        answer = json.loads(greentill("status", "--json", work_dir=work_dir).stdout)
        till: dict[str, object] = answer["tills"]["FLEET001"]
        return till

    before = shown()
    assert (before["power"], before["uplink"], before["health"]) == (True, True, {"status": "ok"})
    assert greentill("cut", "greentill-FLEET001", work_dir=work_dir).returncode == 0
    assert (shown()["uplink"], shown()["health"]) == (False, {"status": "ok"})
    done = greentill("restore", "FLEET001", "--json", work_dir=work_dir)
    assert json.loads(done.stdout) == {"till": "FLEET001", "uplink": True}
    assert shown()["uplink"] is True
    assert greentill("pull-plug", "FLEET001", work_dir=work_dir).returncode == 0
    assert (shown()["power"], shown()["health"]) == (False, None)
    assert greentill("plug-in", "FLEET001", work_dir=work_dir).returncode == 0
    fleet.wait_until_healthy(twin_state.load(work_dir), ["FLEET001"], timeout=180)
    assert shown()["power"] is True


def test_a_till_that_the_twin_does_not_have_is_refused_with_the_ones_it_has(
    up: State, work_dir: Path
) -> None:
    refused = greentill("cut", "NOBODY", work_dir=work_dir)
    assert refused.returncode == 1
    assert "no till NOBODY" in refused.stderr
    assert "FLEET001" in refused.stderr


def test_a_twin_that_is_not_running_says_how_to_start_one(tmp_path: Path) -> None:
    refused = greentill("status", work_dir=tmp_path)
    assert refused.returncode == 1
    assert "greentill twin up" in refused.stderr.replace("\n", " ")
