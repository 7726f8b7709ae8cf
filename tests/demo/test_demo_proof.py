"""The demo succeeds only if nothing is lost, doubled, broken or left over, and the money is equal."""

import json
import subprocess
from dataclasses import replace

import pytest
from rich.console import Console

from sales.baskets import baskets
from sales.findings import Finding, Kind, TillReport
from sales.journal import Entry
from sales.reconcile import Verdict
from twin.demo.__main__ import conclude, parse, shell_settings
from twin.demo.proof import prove
from twin.demo.replaying import Selling
from twin.demo.report import write_page
from twin.demo.settings import DemoTill, Settings
from twin.demo.show import Phase, Show
from twin.demo.tills import Ledger

TILL = DemoTill("LAB00001", "ST-367", 367)
THING = "greentill-LAB00001"
EPOCH = "018f00000000aaaa"


@pytest.fixture(scope="module")
def selling():
    made = Selling(TILL, "http://127.0.0.1:1", backlog=3)
    for seq, basket in enumerate(baskets([367], limit_per_store=6), 2):
        made.entries.append(
            Entry(
                basket_id=basket.basket_id,
                store_id=367,
                total=basket.total,
                sale_id=f"sale-{seq}",
                thing=THING,
                terminal="T1",
                outcome="acknowledged",
                online=seq < 5,
                attempts=1,
                latency=0.004,
                waited=0.004,
                epoch=EPOCH,
                seq=seq,
                hash="ab" * 32,
                receipt_no=f"A-{seq}",
                at=1_790_000_000.0 + seq,
            )
        )
    made.events += [("cut", 1_790_000_005.0), ("restored", 1_790_000_007.0)]
    return made


def whole(selling, **changed):
    """A report and a ledger that agree with what was rung up."""
    money = sum(entry.total for entry in selling.entries)
    report = TillReport(
        THING, EPOCH, 7, in_table=7, in_bucket=7, sales_in_table=6, sales_in_bucket=6,
        money_in_table=money, money_in_bucket=money,
    )  # fmt: skip
    ledger = Ledger(records=7, sales=6, money=money, heads=((EPOCH, 7, "ab" * 32),))
    return prove(
        [selling],
        Verdict([replace(report, **changed.pop("report", {}))]),
        {THING: replace(ledger, **changed.pop("ledger", {}))},
        {TILL.serial: THING},
    )


def test_a_whole_run_is_good_and_its_money_is_the_data_sets(selling):
    proof = whole(selling)
    assert proof.good
    assert proof.money_in_data_set == proof.money_in_cloud == sum(entry.total for entry in selling.entries)


@pytest.mark.parametrize("kind", list(Kind))
def test_any_finding_fails_the_run_and_is_told_with_till_epoch_and_seq(selling, kind):
    proof = whole(selling, report={"findings": [Finding(kind, THING, EPOCH, 5)]})
    assert not proof.good
    assert proof.findings[0].startswith(f"till {THING} epoch {EPOCH} seq 5: ")


@pytest.mark.parametrize("place", ["money_in_table", "money_in_bucket"])
def test_a_cent_too_few_in_the_cloud_fails_the_run(selling, place):
    money = sum(entry.total for entry in selling.entries)
    assert not whole(selling, report={place: money - 1}).good


def test_a_cent_too_many_in_a_ledger_fails_the_run(selling):
    money = sum(entry.total for entry in selling.entries)
    assert not whole(selling, ledger={"money": money + 1}).good


def test_a_head_that_the_cloud_has_not_heard_fails_the_run(selling):
    proof = whole(selling, ledger={"heads": ((EPOCH, 8, "cd" * 32),)})
    assert not proof.good
    assert f"epoch {EPOCH} seq 8" in proof.problems[0]


def test_a_refused_basket_fails_the_run(selling):
    refused = replace(selling.entries[2], outcome="refused", reason="HTTP 422")
    other = Selling(TILL, "", entries=[*selling.entries[:2], refused, *selling.entries[3:]])
    assert any("HTTP 422" in text for text in whole(other).problems)


def test_a_run_in_which_nothing_was_sold_offline_shows_nothing(selling):
    online = [replace(entry, online=True) for entry in selling.entries]
    assert not whole(Selling(TILL, "", entries=online)).good


def test_a_power_cut_that_nobody_sold_after_shows_nothing(selling):
    till = replace(TILL, loses_power=True)
    assert not whole(Selling(till, "", entries=selling.entries)).good


def test_anything_left_over_fails_the_run_and_is_named(selling, tmp_path):
    proof = replace(whole(selling), left_over=("s3 bucket greentill-sales",))
    assert not proof.good
    console = Console(record=True, width=200, file=(tmp_path / "out").open("w"))
    conclude(proof, Settings(out_dir=tmp_path), Show(console), console)
    assert "left over: s3 bucket greentill-sales" in console.export_text()


def test_the_conclusion_counts_what_was_lost_doubled_and_left(selling, tmp_path):
    proof = replace(whole(selling), left_over=())
    console = Console(record=True, width=200, file=(tmp_path / "out").open("w"))
    conclude(proof, Settings(out_dir=tmp_path), Show(console), console)
    text = console.export_text()
    assert "lost 0, doubled 0, left over 0" in text
    assert "equal" in text
    assert json.loads((tmp_path / "proof.json").read_text())["good"] is True


def test_the_page_stands_alone_and_tells_what_went_wrong(selling, tmp_path):
    finding = Finding(Kind.MISSING_IN_TABLE, THING, EPOCH, 5)
    proof = whole(selling, report={"findings": [finding]})
    page = tmp_path / "report.html"
    write_page(page, proof, [selling], [Phase("cloud", "1 The twin's cloud", 2.5, False)], ["table x"])
    text = page.read_text()
    assert str(finding) in text
    assert "http" not in text.split("</head>")[0]
    assert text.count("<circle") == len(selling.entries)


def test_a_kept_twin_can_be_spoken_to_from_a_shell(tmp_path):
    settings = tmp_path / "environment"
    settings.write_text(shell_settings({"AWS_REGION": "eu-west-1", "CDK_HOME": "/a b/c"}))
    script = '. "$0"; printf "%s|%s|" "$AWS_REGION" "$CDK_HOME"; greentill twin --help'
    done = subprocess.run(
        ["bash", "-c", script, str(settings)], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.startswith("eu-west-1|/a b/c|")
    assert "pull-plug" in done.stdout


def test_files_that_are_named_in_that_shell_are_those_of_the_folder_it_is_in(tmp_path):
    settings = tmp_path / "environment"
    settings.write_text(shell_settings({}))
    (tmp_path / "products.csv").write_text("no products\n")
    script = '. "$0"; greentill catalogue publish products.csv --store ST-367'
    done = subprocess.run(
        ["bash", "-c", script, str(settings)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "the column sku is missing" in done.stderr


def test_keep_and_sabotage_are_asked_for_on_the_command_line():
    settings = parse(["--keep", "--sabotage", "swap-byte"])
    assert settings.keep
    assert settings.sabotage == "swap-byte"


def test_phases_are_timed_and_written_for_the_benchmarks(tmp_path):
    show = Show(Console(file=(tmp_path / "out").open("w")))
    with show, show.phase("cloud", "1 The twin's cloud") as say:
        say("starting")
    show.write(tmp_path / "phases.json")
    [phase] = json.loads((tmp_path / "phases.json").read_text())["phases"]
    assert phase["name"] == "cloud"
    assert phase["seconds"] >= 0
