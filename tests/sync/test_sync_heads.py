"""pos hears how far the cloud is, so that a restored card repeats no number."""

from __future__ import annotations

import json

import pytest

from tests.sync import faulty_proxy as proxies
from tests.sync.faulty_proxy import FaultyProxy
from tests.sync.till import EPOCH, LATER_EPOCH, Till


def told(till: Till) -> dict[str, object]:
    found = json.loads(till.settings.cloud_heads.read_text())
    assert isinstance(found, dict)
    return found


def test_a_till_of_which_the_cloud_has_nothing_is_told_nothing(till: Till) -> None:
    till.heads.step()
    assert not till.settings.cloud_heads.exists()


def test_pos_is_told_the_last_record_that_the_cloud_has(till: Till) -> None:
    till.ledger.sell(4)
    till.drain()
    till.heads.step()
    last = till.ledger.records[-1]
    assert told(till) == {"epoch": EPOCH, "seq": 5, "hash": last["hash"], "time": last["recorded_at"]}


def test_a_record_beyond_the_head_counts_since_the_head_comes_last(till: Till) -> None:
    till.ledger.sell(4)
    till.drain()
    till.ledger.open_epoch(LATER_EPOCH)
    till.ledger.sell(2)
    till.table.step()
    till.heads.step()
    assert (told(till)["epoch"], told(till)["seq"]) == (LATER_EPOCH, 3)


def test_the_cloud_is_asked_before_anything_new_would_hide_what_it_had(
    till: Till, proxy: FaultyProxy
) -> None:
    till.ledger.sell(4)
    till.drain()
    before = till.ledger.records[-1]
    till.ledger.sell(6)
    till.restart()
    proxy.seen.clear()
    till.drain()
    assert told(till)["hash"] == before["hash"]
    asked = [request.operation for request in proxy.seen if not request.operation.startswith("S3")]
    assert asked[0] == "Query"


def test_nothing_goes_to_the_table_while_the_cloud_cannot_be_asked(till: Till, proxy: FaultyProxy) -> None:
    till.ledger.sell(4)
    till.restart()
    proxy.always = proxies.only("Query", proxies.breaks)
    with pytest.raises(Exception, match="closed"):
        till.table.step()
    assert not till.in_table()
