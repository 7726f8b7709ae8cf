"""What doctor reads and writes, without a machine: logs, versions of Java, JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from twin.core.greentill_core import logs
from twin.core.greentill_core.states import State

LIB = Path(__file__).resolve().parents[2] / "pi_bootstrap" / "lib"


def bash(script: str, **environment: str) -> str:
    parts = (
        "say",
        "doctor",
        "repair",
        "checks_access",
        "checks_machine",
        "checks_identity",
        "checks_nucleus",
    )
    sources = "".join(f"source {LIB}/{part}.sh; " for part in parts)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", sources + script],
        env={"PATH": os.environ["PATH"], "JSON": "yes", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_component_counts_as_broken_only_while_that_is_its_last_state(tmp_path: Path):
    log = logs.of_core(tmp_path / "logs")
    for name, state in (
        ("com.greentill.Pos", State.BROKEN),
        ("com.greentill.Sync", State.BROKEN),
        ("com.greentill.Pos", State.RUNNING),
    ):
        logs.of_state(log, name, state)
    classic = "2026-11-21T14:00:00Z [INFO] (pool-2-thread-9) com.greentill.Heartbeat: service-set-state."
    with (tmp_path / "logs" / "greengrass.log").open("a") as file:
        file.write(
            classic + " {serviceName=com.greentill.Heartbeat, currentState=ERRORED, newState=BROKEN}\n"
        )
    told = bash("broken_components", GREENGRASS_ROOT=str(tmp_path))
    assert told.split() == ["com.greentill.Heartbeat", "com.greentill.Sync"]


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ('openjdk version "17.0.13" 2024-10-15', None),
        ('java version "1.8.0_402"', None),
        ('java version "1.7.0_80"', "java-old"),
        ("no version at all", "java-old"),
    ],
)
def test_a_java_that_is_too_old_for_the_classic_nucleus_is_found(tmp_path: Path, says: str, code: str | None):
    java = tmp_path / "java"
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    java.chmod(0o755)
    script = "FLAVOUR_PACKAGES=(default-jdk-headless); check_java; report"
    found = json.loads(bash(script, PATH=f"{tmp_path}:{os.environ['PATH']}"))
    assert [finding["code"] for finding in found["findings"]] == ([code] if code else [])


def test_a_missing_java_matters_to_the_classic_nucleus_alone(tmp_path: Path):
    for package, codes in (("default-jdk-headless", ["java-missing"]), ("libevent", [])):
        tools = tmp_path / package
        tools.mkdir()
        for tool in ("bash", "sed"):
            (tools / tool).symlink_to(f"/bin/{tool}")
        found = json.loads(bash(f"FLAVOUR_PACKAGES=({package}); check_java; report", PATH=str(tools)))
        assert [finding["code"] for finding in found["findings"]] == codes


def test_two_components_that_wait_for_two_runtimes_are_told_apart(tmp_path: Path):
    launcher = LIB.parents[1] / "edge_components" / "launcher.py"
    waiting = [
        subprocess.Popen(
            [sys.executable, launcher, "--runtime", version, "--runtimes", tmp_path, "edge_components.pos"],
            stderr=subprocess.DEVNULL,
        )
        for version in ("7.7.7", "8.8.8")
    ]
    try:
        assert {"7.7.7", "8.8.8"} <= set(bash("wanted_runtimes").split())
    finally:
        for process in waiting:
            process.terminate()
            process.wait(60)


def test_any_file_name_comes_out_as_json():
    name = 'a "b" \\ c\n\t\x01 ü'
    found = json.loads(bash('unsafe odd "$NAME" "$(quoted rm "$NAME")"; report', NAME=name, LC_ALL="C.UTF-8"))
    assert found["ok"] is False
    assert found["findings"][0]["message"].startswith('a "b" \\ c')


def test_a_check_that_can_not_be_done_is_a_finding_and_the_others_go_on(tmp_path: Path):
    checks = "settings disks space read_only noexec clock update_files"
    defined = "; ".join(f"check_{name}() {{ :; }}" for name in checks.split())
    script = f"{defined}; check_space() {{ false; }}; examine looking; report"
    found = json.loads(bash(script, ETC_DIR=str(tmp_path), GREENGRASS_ROOT=str(tmp_path / "none")))
    assert [finding["code"] for finding in found["findings"]] == ["check-failed"]


@pytest.mark.parametrize(
    ("status", "log"), [("no_assignment", "Sync"), ("ledger_closed", "Pos"), ("disk_full", "Pos")]
)
def test_a_till_that_does_not_sell_leads_to_the_log_of_whom_it_waits_for(
    tmp_path: Path, status: str, log: str
):
    curl = tmp_path / "curl"
    curl.write_text(f'#!/bin/sh\necho \'{{"status": "{status}"}}\'\n')
    curl.chmod(0o755)
    places = {"GREENGRASS_ROOT": "/greengrass/v2", "TILL_URL": "http://127.0.0.1:1", "FLEET": "greentill"}
    told = bash("check_till; report", PATH=f"{tmp_path}:{os.environ['PATH']}", **places)
    (finding,) = json.loads(told)["findings"]
    assert finding["code"] == "till-not-selling"
    assert status in finding["message"]
    assert f"/greengrass/v2/logs/com.greentill.{log}.log" in finding["remedy"]


@pytest.mark.parametrize("installed", [True, False])
def test_a_remedy_of_ours_names_the_script_by_the_path_that_it_really_has(tmp_path: Path, installed: bool):
    helper = tmp_path / "helper"
    script = helper / "bootstrap" / "pi_bootstrap.sh"
    if installed:
        script.parent.mkdir(parents=True)
        script.write_text("")
        script.chmod(0o755)
    told = bash("ours repair", HELPER_DIR=str(helper), SCRIPT_DIR="/media/my kit")
    assert told == (f"sudo {script} repair" if installed else r"sudo /media/my\ kit/pi_bootstrap.sh repair")


def test_a_remedy_names_the_kit_that_the_script_was_started_from(tmp_path: Path):
    (tmp_path / "till.conf").write_text("")
    assert bash("its_kit", KIT_DIR=str(tmp_path)) == str(tmp_path)
    assert bash("its_kit", KIT_DIR=str(tmp_path / "none")) == "DIR"


LATER = 4_000_000_000  # seconds since 1970: in the year 2096


def clock(tmp_path: Path, script: str = "") -> list[dict[str, str]]:
    folders = {"STATE_DIR": "state", "ETC_DIR": "etc", "GREENGRASS_ROOT": "nucleus"}
    places = {name: str(tmp_path / folder) for name, folder in folders.items()}
    found = json.loads(bash(f"{script} check_clock; report", **places))["findings"]
    return [{key: finding[key] for key in ("code", "remedy")} for finding in found]


def dated(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    os.utime(path, (LATER, LATER))


def test_a_clock_that_is_behind_may_be_set_by_what_the_system_itself_has_dated(tmp_path: Path):
    dated(tmp_path / "etc" / "till.conf")
    (finding,) = clock(tmp_path)
    assert finding["code"] == "clock-behind"
    assert "sudo date -u -s 2096-" in finding["remedy"]


def test_nobody_is_told_to_set_the_clock_by_what_a_component_may_have_dated(tmp_path: Path):
    dated(tmp_path / "state" / "ledger.db-wal")
    (finding,) = clock(tmp_path)
    assert finding["code"] == "clock-behind"
    assert "2096" not in finding["remedy"]
    assert "watch" in finding["remedy"]
    # and a file of the system's that has another owner is a component's as well
    dated(tmp_path / "etc" / "till.conf")
    owned = "stat() { command stat \"$@\" | sed 's/^root /ggc_user /'; };"
    assert "2096" not in clock(tmp_path, owned)[0]["remedy"]
