"""A component that was taken over, runs as ggc_user and wants root, through what root looks at and mends."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.bootstrap.faults import ROOT, STATE
from tests.bootstrap.sound_till import SCRIPT, SoundTill, install
from twin.machines import Machine, ensure_root, reclaim

pytestmark = pytest.mark.machine
RAN = "/root/ran"  # what a component can't make


@pytest.fixture(scope="module")
def till(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundTill]:
    work_dir = tmp_path_factory.mktemp("hostile")
    machine = Machine("EVIL0001", ensure_root(), work_dir)
    try:
        machine.boot()
        yield install(machine, work_dir)
    finally:
        reclaim(work_dir, erase=True)


def component(till: SoundTill, script: str) -> None:
    """What the component does."""
    done = till.machine.run(["sh", "-c", script], user="ggc_user")
    assert done.returncode == 0, done.stdout + done.stderr


def test_doctor_runs_no_program_that_a_component_left(till: SoundTill) -> None:
    runtime = f"{STATE}/runtime/6.6.6"
    script = f"#!/bin/sh\\nid >/tmp/as-whom\\nid >{RAN}\\n"
    component(till, f"mkdir -p {runtime}/venv/bin; cp {STATE}/runtime/1.0.0/ready {runtime}/ready")
    component(till, f"printf '{script}' >{runtime}/venv/bin/python; chmod 755 {runtime}/venv/bin/python")
    assert till.findings() == []
    assert till.bootstrap("repair")[0] == 0
    assert till.sh(f"ls -d {RAN} /tmp/as-whom 2>&- || true") == ""
    component(till, f"rm -r {runtime}")


@pytest.mark.parametrize("mark", ["ln -s /dev/zero {ready}", "mkfifo {ready}", "mkdir {ready}"])
def test_a_mark_without_end_does_not_hold_doctor_up(till: SoundTill, mark: str) -> None:
    ready = f"{STATE}/runtime/6.6.6/ready"
    component(till, f"mkdir -p {STATE}/runtime/6.6.6; " + mark.format(ready=ready))
    assert till.codes() == {"runtime-broken"}
    component(till, f"rm -r {STATE}/runtime/6.6.6")


def test_no_module_is_imported_from_the_folder_that_the_script_is_started_in(till: SoundTill) -> None:
    for module in ("venv", "ensurepip", "platform"):
        component(till, f"echo 'import os; os.system(\"id >{RAN}\")' >{STATE}/{module}.py")
    for command in (
        f"bash {SCRIPT} doctor",
        f"HEALTH_SECONDS=60 bash {SCRIPT} --nucleus-dir /home/pi/nucleus",
    ):
        till.machine.run(["sh", "-c", f"cd {STATE} && {command}"])
    assert till.sh(f"ls -d {RAN} 2>&- || true") == ""
    component(till, f"rm {STATE}/*.py")


def test_what_a_component_calls_its_files_gives_no_orders_to_the_terminal(till: SoundTill) -> None:
    name = f"{STATE}/a\\033[2Jb\\nFAULT    x: y"
    till.sh(f'touch "$(printf "{name}")"')
    status, told = till.bootstrap("doctor")
    assert status == 1
    assert "\033" not in told
    assert [line for line in told.splitlines() if line.startswith("FAULT    x")] == []
    assert till.bootstrap("repair")[0] == 0
    component(till, f'rm "$(printf "{name}")"')


@pytest.mark.parametrize("path", ["/etc/shadow", f"{ROOT}/privKey.key", "/root/.ssh/id_ed25519"])
def test_nobody_is_told_to_open_the_systems_own_files_because_a_log_names_them(
    till: SoundTill, path: str
) -> None:
    till.sh("install -D -m 600 /dev/null /root/.ssh/id_ed25519")
    log = f"{ROOT}/logs/com.example.Evil.log"
    till.sh(f"""echo "PermissionError: [Errno 13] Permission denied: '{path}'" >{log}""")
    findings = till.findings()
    till.sh(f"rm -r {log} /root/.ssh")
    assert "chgrp" not in json.dumps(findings)


def test_repair_opens_nothing_that_has_another_name_elsewhere(till: SoundTill) -> None:
    folder = f"{ROOT}/packages/artifacts/com.greentill.Evil/1.0.0"
    till.sh(f"install -d -o ggc_user -g ggc_group {folder}; install -m 600 /dev/null {ROOT}/secret")
    # as a component could where fs.protected_hardlinks is off
    till.sh(f"ln {ROOT}/secret {folder}/link")
    till.bootstrap("repair")
    assert till.sh(f"stat -c %a {ROOT}/secret") == "600\n"
    till.sh(f"rm -r {ROOT}/packages/artifacts/com.greentill.Evil {ROOT}/secret")
