"""What components may ask of root: every verb on a booted machine, and askers who mean no good."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.bootstrap import aws_iot
from tests.bootstrap.asking import ASKS, Helper, wait
from tests.bootstrap.aws_iot import authority
from tests.bootstrap.kit_folder import write_flavour, write_kit
from twin.machines import Machine, ensure_root, reclaim

pytestmark = pytest.mark.machine
INSTALL = [
    "env",
    "HEALTH_SECONDS=1",
    "bash",
    "/home/pi/kit/pi_bootstrap.sh",
    "--nucleus-dir",
    "/home/pi/nucleus",
]


@pytest.fixture(scope="module")
def helper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helper]:
    work_dir = tmp_path_factory.mktemp("helper")
    machine = Machine("HELP0001", ensure_root(), work_dir)
    try:
        machine.boot()
        aws_iot.begin(machine, work_dir)
        machine.copy_in(write_kit(work_dir / "kit"), "/home/pi/kit")
        machine.copy_in(write_flavour(work_dir / "nucleus"), "/home/pi/nucleus")
        done = machine.run(INSTALL, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        yield Helper(machine)
    finally:
        reclaim(work_dir, erase=True)


@pytest.fixture
def settled(helper: Helper) -> Helper:
    """With no rotation under way, and nothing left to take."""
    helper.ask("keep-certificate")
    helper.root(f"rm -rf {ASKS}/* /etc/greentill/rotation/*; : >{aws_iot.FOLDER}/inactive")
    return helper


def swap(helper: Helper) -> tuple[str, str]:
    """Swap to a new certificate: the fingerprints before and after."""
    before = helper.in_use()
    helper.give(helper.certificate_for_new_key())
    answer = helper.ask("swap-certificate")
    assert answer["outcome"] == "done", answer
    assert answer["detail"]["fingerprint"] == helper.in_use() != before
    return before, helper.in_use()


def test_a_new_certificate_is_swapped_in_and_kept(settled: Helper) -> None:
    started = settled.root("systemctl show -p InvocationID greengrass")
    _, after = swap(settled)
    assert settled.root("systemctl show -p InvocationID greengrass") != started
    assert settled.root("stat -c '%U:%G %a' /greengrass/v2/privKey.key") == "root:root 600"
    kept = settled.ask("keep-certificate")
    assert (kept["outcome"], kept["detail"]["fingerprint"]) == ("done", after)
    assert settled.root("ls /etc/greentill/rotation") == ""
    assert settled.root("stat -c %a /etc/greentill/rotation") == "700"
    again = settled.ask("keep-certificate")
    assert (again["outcome"], again["detail"]["fingerprint"]) == ("done", after)
    assert settled.ask("restore-certificate")["outcome"] == "refused"
    assert settled.in_use() == after


def test_a_new_certificate_that_does_not_serve_is_taken_back(settled: Helper) -> None:
    before, _ = swap(settled)
    assert settled.ask("request-certificate")["outcome"] == "refused"
    restored = settled.ask("restore-certificate")
    assert (restored["outcome"], restored["detail"]["fingerprint"]) == ("done", before)
    assert settled.in_use() == before
    assert settled.root("ls /etc/greentill/rotation") == ""


def test_the_key_is_made_once_and_stays_on_the_till(settled: Helper) -> None:
    first = settled.ask("request-certificate")["detail"]["csr"]
    key = settled.root("openssl pkey -in /etc/greentill/rotation/new.key -pubout")
    assert settled.ask("request-certificate")["detail"]["csr"] == first
    assert settled.root("openssl pkey -in /etc/greentill/rotation/new.key -pubout") == key
    assert settled.root("stat -c '%U %a' /etc/greentill/rotation/new.key") == "root 600"


def test_asking_for_the_same_swap_again_changes_nothing(settled: Helper) -> None:
    before = settled.in_use()
    certificate = settled.certificate_for_new_key()
    for _ in range(2):
        settled.give(certificate)
        assert settled.ask("swap-certificate")["outcome"] == "done"
    settled.give(authority().issue("greentill-PI0001").certificate)
    assert settled.ask("swap-certificate")["outcome"] == "refused"
    assert settled.ask("restore-certificate")["detail"]["fingerprint"] == before


@pytest.mark.parametrize(
    "left",
    [
        "ln -s /greengrass/v2/thingCert.crt {file}",
        "mkdir {file}",
        "mkfifo {file}",
        "head -c 9000 /dev/zero >{file}",
        "echo no certificate >{file}",
        "true",
    ],
)
def test_what_is_no_certificate_is_refused(settled: Helper, left: str) -> None:
    before = settled.in_use()
    settled.certificate_for_new_key()
    settled.component(left.format(file=f"{ASKS}/certificate.pem"))
    answer = settled.ask("swap-certificate")
    assert (answer["outcome"], answer["detail"]["fingerprint"]) == ("refused", before)
    assert settled.in_use() == before


def test_a_certificate_of_another_key_is_refused(settled: Helper) -> None:
    before = settled.in_use()
    settled.certificate_for_new_key()
    settled.give(authority().issue("greentill-PI0001").certificate)
    answer = settled.ask("swap-certificate")
    assert answer["outcome"] == "refused"
    assert "doesn't belong to the key" in answer["message"]
    assert settled.in_use() == before


def test_a_certificate_that_gets_no_credentials_is_refused(settled: Helper) -> None:
    before = settled.in_use()
    settled.give(settled.certificate_for_new_key())
    settled.root(
        f"openssl x509 -in {ASKS}/certificate.pem -outform DER | sha256sum | cut -d' ' -f1"
        f" >{aws_iot.FOLDER}/inactive"
    )
    answer = settled.ask("swap-certificate")
    assert answer["outcome"] == "refused"
    assert "gives no credentials" in answer["message"]
    assert settled.in_use() == before


def test_an_ask_is_never_followed_or_read(settled: Helper) -> None:
    for how in (
        "ln -s /etc/passwd {ask}",
        "mkdir {ask} && touch {ask}/a",
        "mkfifo {ask}",
        "echo '$(touch /root/ran)' >{ask}",
    ):
        assert settled.ask("keep-certificate", how)["outcome"] == "done"
    assert "root:" in settled.root("cat /etc/passwd")
    assert settled.root("ls /root") == ""
    wait(lambda: settled.root("ls -A /run/greentill/taken") == "", "end of what was taken away")


def test_an_ask_that_takes_for_ever_to_remove_is_answered_and_lets_the_helper_end(settled: Helper) -> None:
    """A folder of a million files, say: a swap that nobody keeps has to be taken back in time as well."""
    helper = "/usr/local/lib/greentill/greentill-helper"
    slow = r"printf '#!/bin/sh\nsleep 1000\n' >/root/slow/rm && chmod 755 /root/slow/rm"
    settled.root(f"install -d /root/slow && {slow}")
    settled.root(f"sed 's|^PATH=|PATH=/root/slow:|' {helper} >{helper}.slow && chmod 755 {helper}.slow")
    settled.root("systemctl stop greentill-helper.path")
    settled.component(f"mkdir {ASKS}/keep-certificate && touch {ASKS}/keep-certificate/a")
    settled.root(f"timeout 100 {helper}.slow answer")
    assert settled.answer("keep-certificate")["outcome"] == "done"
    settled.root(f"rm -r /root/slow {helper}.slow && systemctl start greentill-helper.path")


def test_unknown_verbs_and_a_crowd_of_files_do_nothing(settled: Helper) -> None:
    settled.component(f"cd {ASKS} && touch shutdown -- --help '..x' 'a b' '$(id)' && seq 3000 | xargs touch")
    assert settled.ask("keep-certificate")["outcome"] == "done"
    assert settled.root("ls -A /run/greentill/answers | grep -v certificate | grep -v doctor || true") == ""


def test_many_asks_in_a_row_do_not_switch_the_helper_off(settled: Helper) -> None:
    settled.component(
        f"n=0; while [ $n -lt 400 ]; do touch {ASKS}/keep-certificate; rm -f {ASKS}/x; n=$((n+1)); done"
    )
    assert settled.ask("keep-certificate")["outcome"] == "done"
    assert settled.root("systemctl is-active greentill-helper.path") == "active"


def test_only_the_tills_group_may_ask_and_read(settled: Helper) -> None:
    done = settled.machine.run(["touch", f"{ASKS}/reboot"], user="nobody")
    assert done.returncode != 0
    assert settled.root("stat -c '%U:%G %a' /run/greentill/asks") == "ggc_user:ggc_group 2770"
    assert settled.root("stat -c '%U:%G %a' /run/greentill/answers") == "root:ggc_group 750"
    assert settled.root("stat -c '%U:%G %a' /run/greentill/answers/keep-certificate.json") == (
        "root:ggc_group 640"
    )


def test_doctor_answers_what_the_script_finds(settled: Helper) -> None:
    settled.root("chmod 700 /greengrass")
    answer = settled.ask("doctor")
    settled.root("chmod 755 /greengrass")
    assert answer["outcome"] == "done", answer
    assert answer["detail"]["ok"] is False
    assert any("/greengrass" in finding["remedy"] for finding in answer["detail"]["findings"])


def test_a_swap_that_nobody_keeps_is_taken_back_in_time_also_after_a_power_cut(settled: Helper) -> None:
    before, after = swap(settled)
    shown = settled.root("systemctl show -p TimersMonotonic greentill-rotation.timer")
    assert "OnActiveUSec=15min" in shown
    settled.machine.power_cut()
    drop_in = settled.machine.path("/etc/systemd/system/greentill-rotation.timer.d/soon.conf")
    drop_in.parent.mkdir()
    drop_in.write_text("[Timer]\nOnActiveSec=\nOnActiveSec=1s\n")
    try:
        settled.machine.boot()
        wait(lambda: settled.certificate() == before, "earlier certificate")
        wait(lambda: settled.root("ls /etc/greentill/rotation") == "", "end of the swap")
        wait(lambda: settled.root("systemctl is-active greengrass || true") == "active", "running nucleus")
    finally:
        shutil.rmtree(drop_in.parent)
    settled.root("systemctl daemon-reload")
    assert settled.in_use() == before != after


def test_power_lost_between_key_and_certificate_leaves_the_earlier_pair(settled: Helper) -> None:
    before, _ = swap(settled)
    settled.root("cp /etc/greentill/rotation/old.crt /greengrass/v2/thingCert.crt")
    settled.machine.power_cut()
    settled.machine.boot()
    assert settled.in_use() == before
    assert settled.root("ls /etc/greentill/rotation") == ""
    order = settled.root("systemctl show -p Before --value greentill-mend.service")
    assert "sysinit.target" in order.split()


def test_a_key_that_a_power_cut_left_half_destroyed_is_made_anew(settled: Helper) -> None:
    # shred has overwritten it, and was not given the time to remove it
    settled.root("install -d -m 700 /etc/greentill/rotation")
    settled.root("head -c 1704 /dev/urandom >/etc/greentill/rotation/new.key")
    before, after = swap(settled)
    assert settled.ask("keep-certificate")["detail"]["fingerprint"] == after != before


def test_a_swap_that_the_card_has_no_room_for_leaves_the_pair_in_use(settled: Helper) -> None:
    before = settled.in_use()
    settled.give(settled.certificate_for_new_key())
    # the copy of the second file can't be written, as on a full card
    settled.root("ln -s /nowhere/at/all /greengrass/v2/thingCert.crt.rotation")
    assert settled.ask("swap-certificate")["outcome"] == "failed"
    wait(lambda: settled.root("ls /etc/greentill/rotation") == "", "end of the swap")
    assert settled.in_use() == before
    assert settled.root("ls /greengrass/v2 | grep rotation || true") == ""
    assert settled.root("systemctl is-active greengrass") == "active"
    swap(settled)
    assert settled.ask("restore-certificate")["detail"]["fingerprint"] == before


def test_the_machine_restarts_on_request_but_not_in_a_loop(settled: Helper) -> None:
    boot = settled.root("cat /proc/sys/kernel/random/boot_id")
    settled.component(f"touch {ASKS}/reboot")

    def restarted() -> bool:
        done = settled.machine.run(["cat", "/proc/sys/kernel/random/boot_id"])
        return done.returncode == 0 and done.stdout.strip() != boot

    wait(restarted, "new boot")
    settled.machine.boot()
    answer = settled.ask("reboot")
    assert (answer["outcome"], "10 minutes" in answer["message"]) == ("refused", True)
