"""Whatever the network and the cloud do, every record arrives once and nothing waits for what is broken."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from botocore.exceptions import ConnectionClosedError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from edge_components.sync.errors import Kind, classify
from tests.sync import faulty_proxy as proxies
from tests.sync.faulty_proxy import Answer, Fault, FaultyProxy, Forward, Request
from tests.sync.till import EPOCH, Till, make_till


def test_records_left_unprocessed_are_sent_again(till: Till, proxy: FaultyProxy) -> None:
    till.ledger.sell(60)
    proxy.faults = [proxies.only("Batch", proxies.leaves_some_unprocessed)] * 8
    troubles = till.drain()
    assert {classify(error) for error in troubles} == {Kind.THROTTLED}
    till.everything_is_there_once()


def test_the_watermark_never_passes_a_record_that_was_not_acknowledged(
    till: Till, proxy: FaultyProxy
) -> None:
    till.ledger.sell(60)
    till.heads.asked_first()
    proxy.faults = [proxies.leaves_some_unprocessed]
    with pytest.raises(Exception, match="left unprocessed"):
        till.table.step()
    assert till.state.watermark("dynamodb", EPOCH) == 1


def test_a_lost_answer_doubles_nothing(till: Till, proxy: FaultyProxy) -> None:
    till.ledger.sell(35)
    proxy.faults = [proxies.loses_the_answer] * 12
    assert till.drain() != []
    till.everything_is_there_once()


def test_a_throttled_table_gets_fewer_writers_and_then_everything(till: Till, proxy: FaultyProxy) -> None:
    till.ledger.sell(300)
    throttled = proxies.only("Batch", proxies.refuses("ProvisionedThroughputExceededException"))
    proxy.faults = [proxies.passes, proxies.passes, proxies.passes, throttled, throttled, throttled]
    troubles = till.drain()
    assert Kind.THROTTLED in {classify(error) for error in troubles}
    till.everything_is_there_once()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (proxies.breaks, Kind.NETWORK),
        (proxies.shows_a_portal, Kind.NOT_AWS),
        (proxies.redirects_to_a_portal, Kind.NOT_AWS),
        (proxies.refuses_with_a_page, Kind.NOT_AWS),
        (proxies.refuses("AccessDeniedException", 400), Kind.DENIED),
        (proxies.refuses("ResourceNotFoundException", 400), Kind.MISSING),
        (proxies.refuses("ExpiredTokenException", 400), Kind.CREDENTIALS),
        (
            proxies.refuses("InvalidSignatureException", 400, "Signature expired: 1 is now earlier than 2"),
            Kind.CLOCK,
        ),
        (proxies.refuses("InternalServerError", 500), Kind.CLOUD),
        (proxies.refuses("ThrottlingException", 400), Kind.THROTTLED),
    ],
)
def test_each_trouble_is_told_apart_and_waited_out(
    till: Till, proxy: FaultyProxy, fault: Fault, kind: Kind
) -> None:
    till.ledger.sell(5)
    proxy.always = proxies.only("Batch", fault)
    for _ in range(3):
        with pytest.raises(Exception) as caught:
            till.table.step()
        assert classify(caught.value) is kind
    assert till.state.watermark("dynamodb", EPOCH) is None
    assert not till.settings.refused.exists()
    proxy.always = None
    till.drain()
    till.everything_is_there_once()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (proxies.refuses("AccessDenied", 403), Kind.DENIED),
        (proxies.refuses("NoSuchBucket", 404), Kind.MISSING),
        (proxies.refuses("RequestTimeTooSkewed", 403), Kind.CLOCK),
        (proxies.refuses("SlowDown", 503), Kind.THROTTLED),
        (proxies.shows_a_portal, Kind.NOT_AWS),
        (proxies.redirects_to_a_portal, Kind.NOT_AWS),
        (proxies.refuses_with_a_page, Kind.NOT_AWS),
    ],
)
def test_a_segment_waits_for_the_bucket(till: Till, proxy: FaultyProxy, fault: Fault, kind: Kind) -> None:
    till.ledger.sell(5)
    till.bucket.step()
    proxy.always = proxies.only("S3 PUT", fault)
    with pytest.raises(Exception) as caught:
        till.bucket.step()
    assert classify(caught.value) is kind
    proxy.always = None
    till.drain()
    till.everything_is_there_once()


def test_the_table_gets_everything_while_the_bucket_is_down(till: Till, proxy: FaultyProxy) -> None:
    till.ledger.sell(40)
    proxy.always = proxies.only("S3", proxies.breaks)
    while till.table.step():
        with pytest.raises(ConnectionClosedError):
            till.bucket.step()
    assert till.in_table() == till.rung_up()
    assert not till.in_bucket()


def refuses_seq(seq: int) -> Fault:
    """The table takes no batch that holds this record, as it does with an item above 400 KB."""

    def fault(request: Request, forward: Forward) -> Answer | None:
        if request.operation == "BatchWriteItem":
            writes = next(iter(json.loads(request.body)["RequestItems"].values()))
            if str(seq) in [write["PutRequest"]["Item"]["seq"]["N"] for write in writes]:
                answer = proxies.refuses("ValidationException", 400, "Item size has exceeded the maximum")
                return answer(request, forward)
        return forward(request)

    return fault


@pytest.mark.parametrize("seq", [1, 7, 41])
def test_a_record_refused_for_its_content_is_kept_aside_and_blocks_nothing(
    till: Till, proxy: FaultyProxy, seq: int
) -> None:
    till.ledger.sell(40)
    proxy.always = refuses_seq(seq)
    till.drain()
    refused = till.ledger.records[seq - 1]
    aside = json.loads((till.settings.refused / f"{EPOCH}-{seq:012d}-{refused['hash'][:8]}.json").read_text())
    assert json.loads(aside["record"]) == refused
    assert "Item size" in aside["reason"]
    assert till.rung_up() - till.in_table() == {aside["record"]: 1}
    assert till.in_bucket() == till.rung_up()


def test_a_refused_record_is_found_out_when_it_is_the_only_one_left(till: Till, proxy: FaultyProxy) -> None:
    till.ledger.sell(3)
    till.drain()
    till.ledger.sell(1)
    proxy.always = refuses_seq(5)
    till.drain()
    assert len(list(till.settings.refused.iterdir())) == 1


def test_a_lost_answer_to_the_head_is_no_alarm(
    till: Till, proxy: FaultyProxy, caplog: pytest.LogCaptureFixture
) -> None:
    till.ledger.sell(3)
    till.table.step()
    proxy.faults = [proxies.loses_the_answer]
    till.drain()
    assert "ALARM" not in caplog.text


def test_content_is_not_blamed_while_the_table_takes_nothing(till: Till, proxy: FaultyProxy) -> None:
    till.ledger.sell(3)
    proxy.always = proxies.only("Batch", proxies.refuses("ValidationException", 400, "wrong key schema"))
    with pytest.raises(Exception, match="wrong key schema"):
        till.table.step()
    assert not till.settings.refused.exists()
    proxy.always = None
    till.drain()
    till.everything_is_there_once()


def test_segments_that_cannot_be_listed_are_delivered_all_the_same(till: Till, proxy: FaultyProxy) -> None:
    till.ledger.sell(5)
    proxy.always = proxies.only("S3 GET", proxies.refuses("AccessDenied", 403))
    till.drain()
    proxy.always = None
    till.everything_is_there_once()


FAULTS = {
    "pass": proxies.passes,
    "break": proxies.breaks,
    "lose": proxies.loses_the_answer,
    "twice": proxies.happens_twice,
    "some": proxies.leaves_some_unprocessed,
    "portal": proxies.shows_a_portal,
    "throttle": proxies.refuses("ThrottlingException"),
    "broken": proxies.refuses("InternalError", 500),
}
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("sell"), st.integers(1, 30)),
        st.tuples(st.just("next day"), st.integers(1, 5)),
        st.tuples(st.just("step"), st.integers(1, 6)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("lose state"), st.just(0)),
        st.tuples(st.just("new epoch"), st.just(0)),
    ),
    max_size=8,
)


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(actions=ACTIONS, faults=st.lists(st.sampled_from(sorted(FAULTS)), max_size=25))
def test_whatever_happens_each_record_is_there_once_in_the_end(
    aws: ThreadedMotoServer, proxy: FaultyProxy, actions: list[tuple[str, int]], faults: list[str]
) -> None:
    with tempfile.TemporaryDirectory(prefix="greentill-sync-") as folder:
        till = make_till(aws, Path(folder))
        proxy.faults = [FAULTS[name] for name in faults]
        _live(till, actions)
        proxy.faults = []
        till.drain()
        till.everything_is_there_once()
        till.stop()
        till.ledger.close()


def _live(till: Till, actions: list[tuple[str, int]]) -> None:
    day, epochs = 21, 0
    for action, count in actions:
        if action in ("sell", "next day"):
            day += action == "next day"
            till.ledger.sell(count, business_date=f"2026-11-{day}")
        elif action == "new epoch":
            epochs += 1
            till.ledger.open_epoch(f"{epochs:x}".zfill(16), business_date=f"2026-11-{day}")
        elif action == "step":
            for _ in range(count):
                for sink in (till.table, till.bucket):
                    try:
                        sink.step()
                    except Exception as error:  # noqa: BLE001 - the worker's part; a programming error is none
                        assert classify(error) is not Kind.OWN, error
        else:
            till.restart(losing_state=action == "lose state")
