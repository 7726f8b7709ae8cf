"""A machine boots like a Pi, loses power like one, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_for
from twin.machines import Machine, MachineError, reclaim
from twin.machines.reclaim import leftovers

pytestmark = pytest.mark.machine

COUNT_BOOTS = """\
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'cat /proc/sys/kernel/random/boot_id >>/var/boots'
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def machine(root_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    work_dir = tmp_path_factory.mktemp("one")
    made = Machine("ONLY0001", root_image, work_dir)
    made.boot()
    yield made
    reclaim(work_dir, erase=True)


def output(machine: Machine, *argv: str, user: str = "root") -> str:
    return machine.run(argv, user=user).stdout.strip()


def test_it_boots_systemd_with_nothing_failed_and_runs_commands_as_root(machine: Machine) -> None:
    assert output(machine, "cat", "/proc/1/comm") == "systemd"
    assert output(machine, "systemctl", "is-system-running") == "running"
    assert output(machine, "id", "--user") == "0"
    assert output(machine, "hostname") == "till-only0001"


def test_the_operator_may_use_sudo_as_on_a_pi_and_root_may_too(machine: Machine) -> None:
    assert output(machine, "sudo", "id", "--user", user="pi") == "0"
    assert output(machine, "sudo", "-u", "pi", "-g", "pi", "id", "--user", "--name") == "pi"


def test_the_cloud_is_known_by_name_without_any_name_server(machine: Machine) -> None:
    for name in ("aws.twin.internal", "data.iot.twin.internal", "credentials.iot.twin.internal"):
        assert output(machine, "getent", "ahostsv4", name).startswith("10.77.0.1 ")
    assert not machine.path("/etc/resolv.conf").exists()


def test_an_exit_status_and_both_outputs_come_back(machine: Machine) -> None:
    done = machine.run(["sh", "-c", "cat; echo bad >&2; exit 7"], stdin="good")
    assert (done.returncode, done.stdout, done.stderr) == (7, "good", "bad\n")


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(machine: Machine) -> None:
    with pytest.raises(MachineError, match="longer than 1 s"):
        machine.stream(["sh", "-c", "sleep 601 & sleep 601"], print, timeout=1)
    assert machine.run(["pgrep", "-f", "sleep 601"]).returncode == 1


def test_a_folder_is_copied_in_with_its_modes(machine: Machine, tmp_path: Path) -> None:
    script = tmp_path / "kit" / "lib" / "hello.sh"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    machine.copy_in(tmp_path / "kit", "/home/pi/kit")
    assert output(machine, "/home/pi/kit/lib/hello.sh") == "hello"
    machine.copy_in(script, "/tmp/hello.sh")
    assert output(machine, "/tmp/hello.sh") == "hello"


def test_what_was_enabled_starts_again_after_a_power_cut_and_what_was_written_is_there(
    machine: Machine,
) -> None:
    machine.path("/etc/systemd/system/boots.service").write_text(COUNT_BOOTS)
    machine.run(["systemctl", "enable", "--now", "boots.service"])
    identity = output(machine, "cat", "/etc/machine-id")
    machine.power_cut()
    assert not machine.running
    assert len(machine.path("/var/boots").read_text().split()) == 1
    machine.boot()
    boots = machine.path("/var/boots").read_text().split()
    assert len(set(boots)) == 2
    assert output(machine, "cat", "/etc/machine-id") == identity


def test_a_reboot_from_inside_comes_back_by_itself(machine: Machine) -> None:
    before = output(machine, "cat", "/proc/sys/kernel/random/boot_id")
    pid = machine.pid
    machine.run(["systemctl", "reboot"])
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    machine.boot()
    assert output(machine, "cat", "/proc/sys/kernel/random/boot_id") != before


def test_a_power_cut_gives_no_process_the_time_to_react(machine: Machine) -> None:
    trap = "trap 'echo told >/var/told' TERM HUP INT EXIT; echo >/var/waiting; while :; do sleep 1; done"
    machine.run(["systemd-run", "--quiet", "sh", "-c", trap])
    wait_for(machine.path("/var/waiting").exists)
    machine.power_cut()
    assert not machine.path("/var/told").exists()
    machine.boot()


def test_an_orderly_halt_gives_them_that_time(machine: Machine) -> None:
    trap = "trap 'echo told >/var/told; exit' TERM; echo >/var/ready; while :; do sleep 0.1; done"
    machine.run(["systemd-run", "--quiet", "sh", "-c", trap])
    wait_for(machine.path("/var/ready").exists)
    machine.halt()
    assert machine.path("/var/told").read_text() == "told\n"
    machine.boot()


def test_a_machine_that_is_off_says_so(root_image: Path, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="not running: boot it first"):
        Machine("OFF00001", root_image, tmp_path).run(["true"])


def test_two_twins_may_use_the_same_serial_at_once(
    machine: Machine, root_image: Path, tmp_path: Path
) -> None:
    twin = Machine(machine.serial, root_image, tmp_path)
    try:
        twin.boot()
        twin.path("/var/mine").write_text("")
        assert not machine.path("/var/mine").exists()
        assert output(twin, "cat", "/etc/machine-id") != output(machine, "cat", "/etc/machine-id")
        twin.power_cut()
        assert machine.running
    finally:
        reclaim(tmp_path, erase=True)


def test_a_folder_with_blanks_in_its_name_is_reclaimed_too(root_image: Path, tmp_path: Path) -> None:
    work_dir = tmp_path / "Kassen für den Laden"
    Machine("BLANK001", root_image, work_dir).boot()
    found = reclaim(work_dir, erase=True)
    assert f"mount {work_dir}/machines/BLANK001/root" in found
    assert leftovers(work_dir) == []
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def test_nothing_is_left_after_a_shutdown_and_the_disk_can_be_booted_again(
    root_image: Path, tmp_path: Path
) -> None:
    machine = Machine("GONE0001", root_image, tmp_path)
    try:
        machine.boot()
        machine.path("/var/kept").write_text("kept")
        assert leftovers(tmp_path)
        machine.shutdown()
        assert leftovers(tmp_path) == []
        machine.boot()
        assert output(machine, "cat", "/var/kept") == "kept"
    finally:
        reclaim(tmp_path, erase=True)
    assert leftovers(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_is_found_again_and_reclaimed(root_image: Path, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from twin.machines import Machine\n"
        f"Machine('LOST0001', Path({str(root_image)!r}), Path({str(tmp_path)!r})).boot()\n"
        "print('booted', flush=True); time.sleep(600)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert run.stdout
        assert run.stdout.readline() == "booted\n"
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        again = Machine("LOST0001", root_image, tmp_path)
        assert again.running
        assert output(again, "id", "--user") == "0"
    finally:
        found = reclaim(tmp_path, erase=True)
    assert len(found) == 4
    assert leftovers(tmp_path) == []
    assert not again.running
