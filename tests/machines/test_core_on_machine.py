"""The core on a machine with Debian's own sudo: components start as long as root may run as their user."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import twin.core
from twin.machines import Machine, reclaim

pytestmark = pytest.mark.machine

ASK = """\
import asyncio
from greentill_core import users
print(asyncio.run(users.refusal("sudo", users.find("ggc_user:ggc_group"))))
"""


@pytest.fixture(scope="module")
def machine(root_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    work_dir = tmp_path_factory.mktemp("core")
    made = Machine("CORE0077", root_image, work_dir)
    made.boot()
    made.copy_in(Path(twin.core.__file__).with_name("greentill_core"), "/opt/core/greentill_core")
    made.run(["groupadd", "--system", "ggc_group"])
    made.run(["useradd", "--system", "--create-home", "--gid", "ggc_group", "ggc_user"])
    yield made
    reclaim(work_dir, erase=True)


def said(machine: Machine) -> str:
    as_a_unit = ["systemd-run", "--quiet", "--wait", "--pipe", "--setenv=PYTHONPATH=/opt/core"]
    asked = [*as_a_unit, "/usr/bin/python3", "-c", ASK]
    done: subprocess.CompletedProcess[str] = machine.run(asked)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_root_may_run_components_as_their_user_until_its_rule_is_gone(machine: Machine) -> None:
    assert said(machine) == "None"
    machine.run(["sed", "-i", "s/^root/#root/", "/etc/sudoers"])
    refused = said(machine)
    assert "sudo" in refused
    assert refused != "None"
    machine.run(["sed", "-i", "s/^#root/root/", "/etc/sudoers"])
    assert said(machine) == "None"
