"""Head office knows what a till has left to deliver, from the till's own word beside its head."""

from __future__ import annotations

import pytest

from edge_components.edgekit.ledger import LedgerReader
from edge_components.sync.report import Reporter, installed_version
from tests.sync.till import EPOCH, LATER_EPOCH, Till


@pytest.fixture
def reporter(till: Till) -> Reporter:
    return Reporter(till.settings, LedgerReader(till.settings.ledger), till.state, till.cloud)


def test_a_till_that_delivered_nothing_says_nothing(till: Till, reporter: Reporter) -> None:
    till.ledger.sell(3)
    assert reporter.step() is False
    assert till.head() is None


def test_what_one_of_the_sinks_lacks_is_backlog_over_all_epochs(till: Till, reporter: Reporter) -> None:
    till.ledger.sell(4)
    till.drain()
    delivered = len(till.ledger.records)
    till.ledger.sell(2)
    till.ledger.open_epoch(LATER_EPOCH)
    till.ledger.sell(1)
    till.table.step()  # the table has the epoch's rest; the bucket has not
    reporter.step()
    head = till.head()
    assert head is not None
    assert (head["epoch"], head["seq"]) == ({"S": EPOCH}, {"N": "5"})
    assert head["backlog"] == {"N": "4"}
    assert head["oldest_at"] == {"S": till.ledger.records[delivered]["recorded_at"]}


def test_a_till_that_delivered_everything_says_so_and_since_when(till: Till, reporter: Reporter) -> None:
    till.ledger.sell(4)
    till.drain()
    till.ledger.sell(2)
    reporter.step()
    till.drain()
    reporter.step()
    head = till.head()
    assert head is not None
    assert head["backlog"] == {"N": "0"}
    assert "oldest_at" not in head
    assert head["reported_at"]["S"].endswith("Z")
    assert head["seq"] == {"N": "7"}


def test_the_version_is_the_one_in_the_path_that_a_nucleus_unpacks_to() -> None:
    unpacked = "/greengrass/v2/packages/artifacts-unarchived/com.greentill.Sync/1.4.0/sync"
    assert installed_version(unpacked) == "1.4.0"
    assert installed_version("/home/me/greentill") is None
    assert installed_version("") is None


def test_head_office_hears_the_version_with_the_backlog(till: Till) -> None:
    till.ledger.sell(1)
    till.drain()
    Reporter(till.settings, LedgerReader(till.settings.ledger), till.state, till.cloud, "1.4.0").step()
    head = till.head()
    assert head is not None
    assert head["version"] == {"S": "1.4.0"}
