"""Who may use the till: cashiers by PIN, terminals by code and token."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_components.pos.access.cashiers import Cashiers, save
from edge_components.pos.access.errors import AccessRefusedError
from edge_components.pos.access.limits import Attempts
from edge_components.pos.access.pins import PinError, Pins, check_hash
from edge_components.pos.access.sign_in import APPROVAL_SECONDS, SignIn
from edge_components.pos.access.terminals import CODE_SECONDS, Codes, Terminals
from tests.pos.pos_process import ROOT, Pos


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def add_cashier(data: Path, cashier: str, pin: str, role: str = "cashier") -> None:
    """As a technician does it on the till."""
    command = [sys.executable, "-m", "edge_components.pos.access", cashier, "--name", f"Name {cashier}"]
    subprocess.run(
        [*command, "--role", role, "--data-dir", str(data)],
        input=f"{pin}\n".encode(),
        cwd=ROOT,
        check=True,
        timeout=240,
    )


def sign_in(pos: Pos, cashier: str, pin: str):
    return pos.client.post("/v1/cashiers/sign-in", json={"cashier": cashier, "pin": pin})


@pytest.fixture
def supervisor(tmp_path):
    """A list with one supervisor, S1, whose PIN is 4711."""
    pins = Pins()
    entry = {"name": "Sam", "role": "supervisor", "pin_hash": pins.hash("4711")}
    clock = Clock()
    yield SignIn(Cashiers(tmp_path / "none.json", {"S1": entry}), pins, clock=clock), clock
    pins.close()


def test_a_cashier_signs_in_with_the_pin_and_with_no_other(selling):
    add_cashier(selling.data, "C1", "1234")
    add_cashier(selling.data, "S1", "998877", role="supervisor")
    assert sign_in(selling, "C1", "1234").json() == {"cashier": "C1", "name": "Name C1", "role": "cashier"}
    assert sign_in(selling, "S1", "998877").json()["role"] == "supervisor"
    for cashier, pin in (("C1", "12345"), ("C1", "998877"), ("nobody", "1234")):
        refused = sign_in(selling, cashier, pin)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "pin_wrong")


def test_cashiers_outlive_the_till_and_their_file_says_nothing_to_others(selling):
    add_cashier(selling.data, "C1", "1234")
    path = selling.data / "cashiers.json"
    assert path.stat().st_mode & 0o007 == 0
    assert "1234" not in path.read_text()
    selling.kill()
    selling.start()
    assert sign_in(selling, "C1", "1234").status_code == 200


def test_guessing_a_pin_is_slowed_down_and_the_right_pin_has_to_wait_too(selling):
    add_cashier(selling.data, "C1", "1234")
    answers = [sign_in(selling, "C1", f"{pin:04d}") for pin in range(6)]
    assert [answer.status_code for answer in answers] == [403] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert sign_in(selling, "C1", "1234").status_code == 429
    add_cashier(selling.data, "C2", "5678")
    assert sign_in(selling, "C2", "5678").status_code == 200


def test_guesses_at_many_cashiers_are_slowed_down_for_the_terminal(selling):
    codes = [sign_in(selling, f"C{number % 7}", "0000").status_code for number in range(20)]
    assert codes[-1] == 429
    assert codes.count(403) == 15


def test_a_supervisor_approves_for_five_minutes_and_a_cashier_never(supervisor):
    import asyncio

    signing, clock = supervisor
    assert not signing.approves("S1")
    assert asyncio.run(signing.sign_in("S1", "4711", "T1")).role == "supervisor"
    assert signing.approves("S1")
    assert not signing.approves("C1")
    clock.now += APPROVAL_SECONDS + 1
    assert not signing.approves("S1")


def test_many_guesses_at_the_same_moment_count_as_many(supervisor):
    import asyncio

    signing, _ = supervisor

    async def guess(pin: str) -> int:
        try:
            await signing.sign_in("S1", pin, "T1")
        except AccessRefusedError as error:
            return error.status
        return 200

    async def together() -> list[int]:
        return await asyncio.gather(*(guess(f"{pin:04d}") for pin in range(12)))

    assert asyncio.run(together()).count(403) == 5


def test_waits_double_up_to_a_limit_and_end():
    clock = Clock()
    attempts = Attempts(2, first_wait=10, longest_wait=60, clock=clock)
    waits = []
    for _ in range(6):
        attempts.wrong("C1")
        waits.append(attempts.wait("C1"))
    assert waits == [0, 10, 20, 40, 60, 60]
    clock.now += 60
    assert attempts.wait("C1") == 0
    assert attempts.wait("C2") == 0


def test_invented_names_do_not_fill_the_memory():
    attempts = Attempts(1)
    for number in range(5_000):
        attempts.wrong(f"invented {number}")
    assert len(attempts._tries) == 1_024


def test_a_hash_that_would_take_the_tills_memory_is_refused():
    greedy = "$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
    with pytest.raises(PinError, match="more than"):
        check_hash(greedy)
    with pytest.raises(PinError, match="not an Argon2 hash"):
        check_hash("1234")
    with pytest.raises(PinError, match="4 to 12 digits"):
        Pins().hash("12a4")


def test_a_cashier_of_the_configuration_wins_and_a_broken_entry_hurts_nobody_else(tmp_path):
    pins = Pins()
    path = tmp_path / "cashiers.json"
    listed = Cashiers(path, {"C1": {"name": "Ana", "pin_hash": pins.hash("1111")}, "C2": {"pin_hash": "x"}})
    found = listed.find("C1")
    assert found is not None
    save(path, found.__class__("C1", "Other", "supervisor", pins.hash("2222")))
    save(path, found.__class__("C3", "Cem", "cashier", pins.hash("3333")))
    assert [one.name for one in map(listed.find, ("C1", "C3")) if one] == ["Ana", "Cem"]
    assert listed.find("C2") is None
    path.write_text("not json")
    assert listed.find("C3") is not None  # as before it was spoiled
    path.unlink()
    assert listed.find("C3") is None
    assert listed.any()


def test_a_pairing_code_is_good_for_one_use_and_for_five_minutes():
    clock = Clock()
    codes = Codes(clock)
    code = codes.make()
    codes.use(code.lower(), "10.0.0.5")
    with pytest.raises(AccessRefusedError) as refused:
        codes.use(code, "10.0.0.5")
    assert refused.value.status == 403
    late = codes.make()
    clock.now += CODE_SECONDS + 1
    with pytest.raises(AccessRefusedError):
        codes.use(late, "10.0.0.6")


def test_guessing_pairing_codes_is_slowed_down_also_from_many_addresses():
    codes = Codes(Clock())
    statuses = []
    for number in range(40):
        with pytest.raises(AccessRefusedError) as refused:
            codes.use("GUESSED2", f"10.0.0.{number}")
        statuses.append(refused.value.status)
    assert statuses == [403] * 30 + [429] * 10


def test_tokens_are_kept_as_hashes_survive_a_restart_and_can_be_revoked(tmp_path):
    path = tmp_path / "terminals.json"
    token = Terminals(path).pair("T1")
    assert token not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    again = Terminals(path)
    assert again.known(token) == "T1"
    assert again.revoke("T1")
    assert again.known(token) is None
    assert Terminals(path).known(token) is None
    assert not again.revoke("T1")


def test_pairing_again_ends_the_earlier_token(tmp_path):
    terminals = Terminals(tmp_path / "terminals.json")
    first, second = terminals.pair("T1"), terminals.pair("T1")
    assert terminals.known(first) is None
    assert terminals.known(second) == "T1"


def test_codes_are_made_on_the_till_itself_and_not_for_a_web_page_under_another_name(selling):
    made = selling.client.post("/v1/terminals/codes")
    assert made.status_code == 201
    assert made.json()["url"] is None  # the listener is off
    assert made.headers["Cache-Control"] == "no-store"
    rebound = selling.client.post("/v1/terminals/codes", headers={"Host": "evil.example:8080"})
    assert (rebound.status_code, rebound.json()["error"]["code"]) == (403, "only_on_the_till")


def test_a_terminal_is_paired_over_http_listed_and_revoked(selling):
    def pair(code: str, terminal: str):
        return selling.client.post("/v1/terminals/pair", json={"code": code, "terminal": terminal})

    code = selling.client.post("/v1/terminals/codes").json()["code"]
    assert pair(code, "T9").json()["error"]["code"] == "terminal_unknown"
    assert pair(code, "T1").status_code == 201  # the refusal before did not spend the code
    assert pair(code, "T1").json()["error"]["code"] == "code_wrong"
    listed = selling.client.get("/v1/terminals").json()["terminals"]
    assert [one["terminal"] for one in listed] == ["T1"]
    assert selling.client.delete("/v1/terminals/T1").status_code == 204
    assert selling.client.delete("/v1/terminals/T1").status_code == 404


def test_an_entry_for_the_configuration_can_be_printed(tmp_path):
    command = [sys.executable, "-m", "edge_components.pos.access", "C1", "--print"]
    printed = subprocess.run(command, input=b"1234\n", cwd=ROOT, check=True, capture_output=True, timeout=240)
    entry = json.loads(printed.stdout)["cashiers"]["C1"]
    assert check_hash(entry["pin_hash"])
    assert entry["role"] == "cashier"
    assert list(tmp_path.iterdir()) == []
