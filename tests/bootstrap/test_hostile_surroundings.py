"""What technicians meet and do: two runs, lost sessions, kits that lost their modes, users from before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.bootstrap import aws_iot
from tests.bootstrap.asking import wait
from tests.bootstrap.kit_folder import write_flavour, write_kit
from twin.machines import Machine, ensure_root, reclaim

pytestmark = pytest.mark.machine
KIT = "/home/pi/kit"
FLAVOUR = "--nucleus-dir /home/pi/nucleus"
RUN = "cd / && HEALTH_SECONDS=0 bash"
INSTALL = f"{RUN} {KIT}/pi_bootstrap.sh {FLAVOUR}"
LOG = "/var/log/greentill/bootstrap.log"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    work_dir = tmp_path_factory.mktemp("surroundings")
    machine = Machine("ODDLY001", ensure_root(), work_dir)
    try:
        machine.boot()
        aws_iot.begin(machine, work_dir)
        machine.copy_in(write_kit(work_dir / "kit"), "/root/kit")
        machine.copy_in(write_flavour(work_dir / "nucleus"), "/home/pi/nucleus")
        yield machine
    finally:
        reclaim(work_dir, erase=True)


@pytest.fixture
def pi(machine: Machine) -> Iterator[Machine]:
    """A machine that is no till yet, with a whole kit; it is no till afterwards."""
    out(machine, f"rm -rf {KIT} && cp -r /root/kit {KIT}")
    yield machine
    out(machine, "bash /root/kit/pi_bootstrap.sh uninstall --discard-sales")


def out(machine: Machine, script: str, *, status: int = 0) -> str:
    done = machine.run(["bash", "-c", script], timeout=300)
    assert done.returncode == status, done.stdout + done.stderr
    return (done.stdout + done.stderr).strip()


def test_a_second_run_at_the_same_time_is_refused_and_harms_nothing(pi: Machine) -> None:
    told = []

    def meanwhile(line: str) -> None:
        if line.endswith(" users"):
            told.append(out(pi, INSTALL, status=1))
            told.append(out(pi, f"bash {KIT}/pi_bootstrap.sh uninstall", status=1))

    assert pi.stream(["bash", "-c", INSTALL], meanwhile) == 0
    assert ["another pi_bootstrap.sh is at work" in line for line in told] == [True, True]
    assert "nothing was changed" in out(pi, INSTALL)


# As a terminal does: the whole group of processes is signalled, and none of them ignores it from the start.
SESSION = (
    "env --default-signal=HUP,INT setsid --wait"
    f" bash -c 'echo $$ >/root/pid; exec bash {KIT}/pi_bootstrap.sh {FLAVOUR}'"
)


@pytest.mark.parametrize("signal", ["HUP", "INT"])
def test_a_run_that_is_ended_says_so_and_is_gone_on_with(pi: Machine, signal: str) -> None:
    said: list[str] = []

    def end(line: str) -> None:
        said.append(line)
        if line.startswith("waiting  for"):
            out(pi, f"kill -{signal} -- -$(cat /root/pid)")

    out(pi, "touch /home/pi/nucleus/never")
    assert pi.stream(["bash", "-c", SESSION], end) != 0
    out(pi, "rm /home/pi/nucleus/never")
    assert any(line.startswith("stopped  while") for line in said), said
    assert "finished: greentill-PI0001" in out(pi, INSTALL)
    assert "nothing was changed" in out(pi, INSTALL)


def test_a_kit_that_lost_its_modes_in_a_folder_with_spaces_serves(pi: Machine) -> None:
    place = "/srv/a kit's folder"
    out(pi, f'mkdir -p /srv && cp -r {KIT} "{place}" && chmod -R a=rwx "{place}"')
    out(pi, f'cp "{place}/till.conf" "{place}/._till.conf"')  # as a Mac leaves beside every file
    assert "finished" in out(pi, f'cd "{place}" && umask 077 && HEALTH_SECONDS=0 ./pi_bootstrap.sh {FLAVOUR}')
    assert out(pi, "stat -c %a /etc/greentill/till.conf /etc/greentill/environment") == "644\n600"
    helper = "/usr/local/lib/greentill"
    assert out(pi, f"find {helper} -perm /022") == ""
    assert out(pi, f"find {helper} ! -user root") == ""
    assert out(pi, f"sudo -u nobody cat {helper}/bootstrap/lib/say.sh | wc -l") != "0"
    assert "claim.private.key" not in out(pi, f'ls "{place}"')
    out(pi, f'rm -r "{place}"')


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("rm {kit}/lib/doctor.sh", "lib/doctor.sh is missing"),
        ("sed -i 's/$/\\r/' {kit}/SHA256SUMS", "SHA256SUMS of the kit"),
        ("sed -i 's/$/\\r/' {kit}/till.conf", "the kit is damaged or was changed"),
        (": >{kit}/root/helper/pair.sh", "root/helper/pair.sh"),
        ("truncate -s 100 {kit}/claim.private.key; echo >>{kit}/claim.private.key", "claim.private.key"),
    ],
)
def test_a_kit_that_came_over_badly_is_refused_before_anything_is_changed(
    pi: Machine, harm: str, reason: str
) -> None:
    out(pi, harm.format(kit=KIT))
    assert reason in out(pi, INSTALL, status=1)
    assert out(pi, "getent passwd ggc_user; ls /etc/greentill 2>/dev/null || true") == ""


@pytest.mark.parametrize("home", ["/nonexistent", "/home/gone"])
def test_a_component_user_that_was_made_without_a_home_is_given_one(pi: Machine, home: str) -> None:
    out(pi, f"useradd --system --no-create-home --home-dir {home} ggc_user")
    out(pi, INSTALL)
    assert out(pi, "sudo -u ggc_user -H sh -c 'cd && touch here && stat -c %U .'") == "ggc_user"
    assert "ggc_group" in out(pi, "id -nG ggc_user").split()
    assert "nothing was changed" in out(pi, INSTALL)


def test_a_card_that_takes_nothing_any_more_is_told(pi: Machine) -> None:
    out(pi, "mkdir -p /var/log/greentill && mount -t tmpfs -o ro tmpfs /var/log/greentill")
    told = out(pi, INSTALL, status=1)
    out(pi, "umount /var/log/greentill")
    assert "mounted read-only" in told
    assert "stopped  while" not in told


def test_uninstall_needs_no_whole_settings_and_waits_for_no_component(pi: Machine) -> None:
    out(pi, INSTALL)
    out(pi, "sed -i /^REGION/d /etc/greentill/till.conf")
    out(pi, "setsid sudo -u ggc_user sleep 1000 >/dev/null 2>&1 &")
    wait(lambda: out(pi, "pgrep -u ggc_user sleep || true") != "", "component")
    told = out(pi, f"bash {KIT}/pi_bootstrap.sh uninstall")
    assert "till.conf is missing or not whole" in told
    assert out(pi, "getent passwd ggc_user; ls -d /etc/greentill /greengrass 2>/dev/null || true") == ""
    assert "left     the packages" in out(pi, f"bash {KIT}/pi_bootstrap.sh uninstall")


def test_a_full_card_does_not_keep_a_till_from_being_taken_off(pi: Machine) -> None:
    out(pi, INSTALL)
    out(pi, f"mv {LOG} /root/log && mount -t tmpfs -o size=4k tmpfs /var/log/greentill && touch {LOG}")
    out(pi, "head -c 1M /dev/zero >/var/log/greentill/full || true")
    out(pi, f"bash {KIT}/pi_bootstrap.sh uninstall")
    out(pi, f"umount /var/log/greentill && mv /root/log {LOG}")
    assert out(pi, "ls -d /etc/greentill /var/lib/greentill 2>/dev/null || true") == ""


def test_a_ledger_that_was_kept_is_found_again_with_its_owner(pi: Machine) -> None:
    out(pi, INSTALL)
    out(pi, "sudo -u ggc_user sh -c 'cd /var/lib/greentill && echo sold >ledger.db && mkdir cursors'")
    before = out(pi, "stat -c '%u %g %a %i' /var/lib/greentill/ledger.db")
    for _ in range(2):
        out(pi, f"bash {KIT}/pi_bootstrap.sh uninstall --keep-ledger")
    out(pi, f"cp /root/kit/claim.private.key {KIT}/")
    out(pi, INSTALL)
    assert out(pi, "stat -c '%u %g %a %i' /var/lib/greentill/ledger.db") == before
    assert out(pi, "sudo -u ggc_user cat /var/lib/greentill/ledger.db") == "sold"


def test_a_run_that_was_killed_halfway_leaves_nothing_that_uninstall_overlooks(pi: Machine) -> None:
    def kill(line: str) -> None:
        if line.endswith(" clock"):
            out(pi, "kill -KILL -- -$(cat /root/pid)")

    pi.stream(["bash", "-c", SESSION], kill)
    halves = ("/etc/systemd/system/chrony-wait.service.d/greentill.conf", "/etc/logrotate.d/greentill")
    out(pi, " && ".join(f"mkdir -p $(dirname {half}) && touch {half}.new" for half in halves))
    assert "left     the packages" in out(pi, f"bash {KIT}/pi_bootstrap.sh uninstall --discard-sales")
    left = "find /etc /usr/local /run /var/cache /greengrass -name '*greentill*' ! -path '/etc/dpkg/*' 2>&-"
    assert out(pi, left + " || true") == ""
