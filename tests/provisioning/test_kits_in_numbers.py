"""Hundreds of kits from a list: a wrong list makes none, and a run can be repeated until all is done."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer
from botocore.exceptions import ClientError

from fleet_provisioning import claims, kit_files
from fleet_provisioning.batch import Outcome, make_all
from fleet_provisioning.errors import NotDeployedError, ProvisioningError, SerialTakenError
from fleet_provisioning.kits import KitMaker
from fleet_provisioning.order import Order
from fleet_provisioning.orders import read_orders
from fleet_provisioning.registry import Registry
from greentill.till_kits import kit_command

ORDERS = [Order(f"PI000{number}", "ST-367", "dev") for number in range(1, 4)]


def listed(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "tills.csv"
    file.write_text("serial,store,stage,terminals\n" + "".join(f"{line}\n" for line in lines))
    return file


def run(account: Any, out: Path, orders: list[Order] = ORDERS) -> dict[str, Outcome]:
    return {outcome.order.serial: outcome for outcome in make_all(account.maker(), orders, out)}


class PowerCut(BaseException):
    """The run ends here; nothing is undone, as after SIGKILL."""


def cut_off(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> Any:
    """The next call of `owner.name` is the last thing that the run does."""

    def cut(*_: Any, **__: Any) -> None:
        raise PowerCut

    context = monkeypatch.context()
    patch = context.__enter__()
    patch.setattr(owner, name, cut)
    patch.setattr(KitMaker, "_withdraw", lambda *_: None)
    patch.setattr(kit_files.Workplace, "remove", lambda place: place._mark.close())
    return context


def test_every_wrong_line_is_named_and_no_kit_is_made(account: Any, tmp_path: Path):
    file = listed(
        tmp_path,
        "PI0001,ST-367,dev,T1 T2",
        "PI0002,ST-1,dev,",
        "PI0003,ST-367,live,",
        "a-b,ST-367,dev,",
        ",ST-367,dev,",
        "PI0001,ST-367,dev,",
        "PI0004,ST-367,dev,T1,T2",
    )
    with pytest.raises(ProvisioningError) as refused:
        read_orders(file, account.settings)
    told = str(refused.value)
    for line, reason in {
        3: "store 'ST-1' isn't in fleet.toml",
        4: "stage 'live' isn't in fleet.toml",
        5: "4 to 32 letters and digits",
        6: "serial missing",
        7: "PI0001 is in line 2 already",
        8: "more values than columns",
    }.items():
        assert f"line {line}: " in told
        assert reason in told.partition(f"line {line}: ")[2].partition("; line")[0]
    assert "line 2: " not in told
    assert account.rows() == []


def test_a_list_of_nonsense_is_told_shortly(account: Any, tmp_path: Path):
    file = listed(tmp_path, *(f"PI{number:04},nowhere,dev," for number in range(500)))
    with pytest.raises(ProvisioningError, match=r"and 480 more$"):
        read_orders(file, account.settings)


@pytest.mark.parametrize("text", ["", "serial,store\nPI0001,ST-367\n", "serial,store,stage\n"])
def test_a_file_that_is_no_list_is_refused_with_its_name(account: Any, tmp_path: Path, text: str):
    (tmp_path / "tills.csv").write_text(text)
    with pytest.raises(ProvisioningError, match=r"tills\.csv"):
        read_orders(tmp_path / "tills.csv", account.settings)


def test_one_bad_kit_of_a_list_does_not_stop_the_others(account: Any, tmp_path: Path):
    account.maker().make(Order("PI0002", "ST-367", "dev"), tmp_path / "earlier")
    outcomes = run(account, tmp_path / "kits")
    assert outcomes["PI0001"].kit
    assert "registered already" in outcomes["PI0002"].error
    assert outcomes["PI0003"].kit
    assert (tmp_path / "kits" / "PI0003" / "SHA256SUMS").exists()


def test_a_second_run_makes_nothing_anew_and_calls_that_no_failure(account: Any, tmp_path: Path):
    first = run(account, tmp_path)
    rows, certificates = account.rows(), account.certificates()
    second = run(account, tmp_path)
    assert all(outcome.already and not outcome.error for outcome in second.values())
    assert [outcome.kit for outcome in second.values()] == [outcome.kit for outcome in first.values()]
    assert (account.rows(), account.certificates()) == (rows, certificates)


def test_a_till_that_has_used_its_kit_counts_as_made(account: Any, tmp_path: Path):
    run(account, tmp_path)
    account.table.update_item(
        Key={"thing": "greentill-PI0001"},
        UpdateExpression="SET #state = :done",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":done": "provisioned"},
    )
    assert run(account, tmp_path)["PI0001"].already


POINTS = [
    (Registry, "register"),
    (claims, "make_claim"),
    (Registry, "record_claim"),
    (claims, "permit"),
    (kit_files, "write"),
    (claims, "activate"),
    (Registry, "open_claim"),
    (kit_files.Workplace, "finish"),
]


@pytest.mark.parametrize(("owner", "name"), POINTS, ids=[name for _, name in POINTS])
def test_a_run_that_was_killed_anywhere_is_finished_by_the_next(
    account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
):
    run(account, tmp_path, ORDERS[:1])
    context = cut_off(monkeypatch, owner, name)
    with pytest.raises(PowerCut):
        run(account, tmp_path)
    context.__exit__(None, None, None)
    outcomes = run(account, tmp_path)
    assert not any(outcome.error for outcome in outcomes.values())
    assert [outcome.already for outcome in outcomes.values()] == [True, False, False]
    rows = {row["thing"]: row for row in account.rows()}
    assert {row["claim_state"] for row in rows.values()} == {"open"}
    active = {one["certificateId"] for one in account.certificates() if one["status"] == "ACTIVE"}
    assert active == {row["claim_certificate_id"] for row in rows.values()}
    assert not list(tmp_path.rglob(".unfinished"))
    assert all(kit_files.whole(tmp_path / order.serial) for order in ORDERS)


def test_two_runs_into_one_folder_do_not_mix(account: Any, tmp_path: Path):
    place = kit_files.Workplace(tmp_path / "PI0001")
    place.begin("the other run")
    with pytest.raises(ProvisioningError, match="another run"):
        account.maker().make(ORDERS[0], tmp_path / "PI0001")
    assert account.rows() == []
    place.remove()


def test_another_fleets_engineer_does_not_lose_a_till_to_a_folder_with_a_mark(account: Any, tmp_path: Path):
    account.maker().make(ORDERS[0], tmp_path / "theirs")
    place = kit_files.Workplace(tmp_path / "mine")
    place.begin("2020-01-01T00:00:00.000000Z")
    place._mark.close()
    with pytest.raises(SerialTakenError):
        account.maker().make(ORDERS[0], tmp_path / "mine")
    assert account.rows()[0]["claim_state"] == "open"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"store": "ST-406"}, "has a kit for store ST-406, stage dev"),
        ({"terminals": ["T1", "T2"]}, "terminals T1,T2"),
        ({"claim_expires_at": 1}, "has expired.*till replace"),
        ({"state": "revoked"}, "till that is revoked"),
        ({"claim_certificate_id": "f" * 64}, "registry doesn't know"),
    ],
)
def test_a_kit_that_no_longer_fits_its_row_is_a_failure_that_says_what_to_do(
    account: Any, tmp_path: Path, values: dict[str, Any], says: str
):
    run(account, tmp_path, ORDERS[:1])
    account.table.put_item(Item=account.rows()[0] | values)
    with pytest.raises(ProvisioningError, match=says):
        account.maker().made_already(ORDERS[0], tmp_path / "PI0001")


def test_a_damaged_kit_is_not_taken_for_made(account: Any, tmp_path: Path):
    run(account, tmp_path, ORDERS[:1])
    (tmp_path / "PI0001" / "till.conf").write_text("SERIAL=PI0002\n")
    assert "till.conf differs" in run(account, tmp_path, ORDERS[:1])["PI0001"].error


def test_what_would_meet_every_till_ends_the_run_and_the_next_one_goes_on(
    account: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls = iter(range(10))

    def expiring(*arguments: Any) -> Any:
        if next(calls) == 1:
            raise ClientError({"Error": {"Code": "ExpiredToken", "Message": "expired"}}, "CreateCertificate")
        return make(*arguments)

    make = claims.make_claim
    with monkeypatch.context() as patch:
        patch.setattr(claims, "make_claim", expiring)
        with pytest.raises(ClientError):
            run(account, tmp_path)
    assert [row["thing"] for row in account.rows()] == ["greentill-PI0001"]
    outcomes = run(account, tmp_path)
    assert [outcome.already for outcome in outcomes.values()] == [True, False, False]


def test_without_an_identity_stack_a_list_stops_at_its_first_kit(bare_account: Any, tmp_path: Path):
    with pytest.raises(NotDeployedError, match="make deploy"):
        run(bare_account, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_expiry_counts_from_when_the_kit_was_made(account: Any, tmp_path: Path):
    kit = account.maker(expires_days=1).make(ORDERS[0], tmp_path / "PI0001")
    later = datetime.now(UTC) + timedelta(days=1, minutes=1)
    with pytest.raises(ProvisioningError, match="expired"):
        account.maker().made_already(ORDERS[0], tmp_path / "PI0001", now=later)
    assert account.maker().made_already(ORDERS[0], tmp_path / "PI0001") == kit
    shutil.rmtree(tmp_path / "PI0001")
    assert account.maker().made_already(ORDERS[0], tmp_path / "PI0001") is None


def test_the_command_ends_with_a_summary_and_can_be_given_again(
    account: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    account.maker().make(Order("PI0002", "ST-367", "dev"), tmp_path / "elsewhere")
    file = listed(tmp_path, "PI0001,ST-367,dev,", "PI0002,ST-367,dev,", "PI0003,ST-367,dev,")
    for summary in (
        "2 kits made in kits, 0 made already, 1 failed; the same command goes on from here",
        "0 kits made in kits, 2 made already, 1 failed; the same command goes on from here",
    ):
        with pytest.raises(typer.Exit) as ended:
            kit_command(out_dir=tmp_path / "kits", csv_file=file)
        told = capsys.readouterr()
        assert ended.value.exit_code == 1
        assert " ".join(told.out.replace(f"{tmp_path}/", "").split()) == summary
        assert "PI0002: serial PI0002 is registered already" in told.err
        assert "3 of 3 kits" in told.err
