"""Clocks, credentials and lines as stores have them: wrong, expired, slow, hanging, half dead."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge_components.sync.clock import ServiceClock
from edge_components.sync.cloud import Cloud
from edge_components.sync.credentials import TOKEN, URI
from edge_components.sync.errors import Kind, classify
from edge_components.sync.pace import AROUND, Pace
from edge_components.sync.settings import Settings, complete
from edge_components.sync.table import TableSink
from tests.sync import faulty_proxy as proxies
from tests.sync.faulty_proxy import FaultyProxy, Forward, Request
from tests.sync.till import Till, make_till


@pytest.mark.parametrize("off", [timedelta(days=-40), timedelta(days=3)], ids=["ahead", "behind"])
def test_a_till_whose_clock_is_days_off_delivers_by_the_services_time_and_says_so(
    till: Till, proxy: FaultyProxy, off: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    till.ledger.sell(5)
    proxy.always = proxies.service_is(off)
    kinds = {classify(error) for error in till.drain()}
    assert kinds == {Kind.CLOCK}
    till.everything_is_there_once()
    side = "behind" if off > timedelta(0) else "ahead of"
    said = [record.getMessage() for record in caplog.records if "clock skew" in record.getMessage()]
    assert len(said) == 1
    assert f"{side} the service" in said[0]
    assert re.search("clock skew: this till is [0-9]+ days", said[0])


def test_a_step_of_the_tills_clock_does_not_move_the_time_that_signs() -> None:
    wall, since = 1_000_000.0, 50.0
    clock = ServiceClock(wall=lambda: wall, monotonic=lambda: since)
    clock.hear("Sat, 21 Nov 2026 12:00:00 GMT")
    wall, since = 9_000_000.0, 60.0
    assert clock.now() == datetime(2026, 11, 21, 12, 0, 10, tzinfo=UTC)


def test_a_date_that_is_none_changes_nothing() -> None:
    clock = ServiceClock(wall=lambda: 0.0)
    for date in (None, "", "yesterday", "Sat, 99 Nov 2026"):
        clock.hear(date)
    assert clock.now() == datetime(1970, 1, 1, tzinfo=UTC)


def test_a_portals_date_is_not_believed(till: Till, proxy: FaultyProxy) -> None:
    def dated_portal(request: Request, forward: Forward) -> proxies.Answer:
        headers = {"Content-Type": "text/html", "Date": "Thu, 01 Jan 1970 00:00:00 GMT"}
        return proxies.Answer(403, headers, b"<html>no</html>")

    till.ledger.sell(5)
    proxy.faults = [dated_portal] * 3
    assert {classify(error) for error in till.drain()} == {Kind.NOT_AWS}
    dates = {request.headers["X-Amz-Date"][:4] for request in proxy.seen}
    assert dates == {str(datetime.now(UTC).year)}


class Nucleus:
    """The credentials endpoint of a nucleus: a new key each time that it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        nucleus = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.headers["Authorization"] == "the-token"
                nucleus.asked += 1
                document = {
                    "AccessKeyId": f"KEY{nucleus.asked}",
                    "SecretAccessKey": "secret",
                    "Token": "token",
                    "Expiration": "2001-01-01T00:00:00Z",  # by the till's clock always over
                }
                content = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.environment = {URI: f"http://127.0.0.1:{self._server.server_port}/", TOKEN: "the-token"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def nucleus() -> Iterator[Nucleus]:
    with closing(Nucleus()) as nucleus:
        yield nucleus


def test_credentials_that_expire_in_the_middle_are_fetched_anew_whatever_the_clock_says(
    till: Till, proxy: FaultyProxy, nucleus: Nucleus
) -> None:
    expired: set[str] = set()

    def takes_valid_keys(request: Request, forward: Forward) -> proxies.Answer | None:
        key = request.headers["Authorization"].split("Credential=")[1].split("/")[0]
        if key in expired:
            answer = proxies.refuses("ExpiredTokenException")(request, forward)
            assert answer is not None
            return proxies.Answer(answer.status, {**answer.headers, "x-amzn-RequestId": "1"}, answer.body)
        return forward(request)

    till.cloud = Cloud(till.settings, nucleus.environment)
    till.table.close()
    till.table = TableSink(till.settings, till.table._ledger, till.state, till.cloud)
    till.ledger.sell(5)
    proxy.always = takes_valid_keys
    till.table.step()
    assert nucleus.asked == 1
    expired.add("KEY1")
    till.ledger.sell(5)
    with pytest.raises(Exception, match="Expired") as caught:
        till.table.step()
    assert classify(caught.value) is Kind.CREDENTIALS
    till.table.step()
    assert (nucleus.asked, till.in_table()) == (2, till.rung_up())


def test_a_nucleus_without_credentials_is_told_apart_and_waited_out(till: Till) -> None:
    nobody = {URI: "http://127.0.0.1:1/", TOKEN: "the-token"}
    cloud = Cloud(till.settings, nobody)
    with pytest.raises(Exception) as caught:
        cloud.s3.list_objects_v2(Bucket="any")
    assert classify(caught.value) is Kind.CREDENTIALS


def test_an_endpoint_that_hangs_is_told_apart_and_tried_again(
    aws: Any, proxy: FaultyProxy, tmp_path: Path
) -> None:
    till = make_till(aws, tmp_path / "hanging", read_timeout_seconds=1.5)
    till.ledger.sell(5)
    proxy.faults = [proxies.hangs(60.0)] * 2
    assert {classify(error) for error in till.drain()} == {Kind.HANGING}
    till.everything_is_there_once()
    till.stop()
    till.ledger.close()


class Line:
    """A TCP line to the cloud that can die without a word, as when a router forgets its connections."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.dead: set[int] = set()
        self.lines = 0
        self.bytes_per_second: float | None = None
        threading.Thread(target=self._serve, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            far = socket.create_connection(self._upstream)
            self.lines += 1
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(source, target, self.lines), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, number: int) -> None:
        due = 0.0
        with source, target:
            try:
                while piece := source.recv(4096):
                    if number in self.dead:
                        time.sleep(120)  # neither carried nor reset
                        return
                    if self.bytes_per_second:
                        due = (due or time.monotonic()) + len(piece) / self.bytes_per_second
                        time.sleep(max(0.0, due - time.monotonic()))
                    target.sendall(piece)
            except OSError:
                return

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def line(proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    host, port = proxy.url.removeprefix("http://").split(":")
    with closing(Line((host, int(port)))) as line:
        monkeypatch.setenv("AWS_ENDPOINT_URL", line.url)
        yield line


def test_a_half_open_connection_is_given_up_and_another_one_made(
    aws: Any, line: Line, tmp_path: Path
) -> None:
    till = make_till(aws, tmp_path / "half-open", read_timeout_seconds=5.0)
    till.ledger.sell(5)
    till.drain()
    line.dead = set(range(1, line.lines + 1))
    till.ledger.sell(5)
    with pytest.raises(ReadTimeoutError):
        till.table.step()
    till.drain()
    assert till.in_table() == till.rung_up()
    till.stop()
    till.ledger.close()


def test_a_body_larger_than_a_slow_line_carries_within_a_time_limit_arrives_all_the_same(
    aws: Any, line: Line, tmp_path: Path
) -> None:
    till = make_till(
        aws,
        tmp_path / "slow",
        connect_timeout_seconds=1.0,
        read_timeout_seconds=4.5,
        bandwidth_kilobits=400,
    )
    line.bytes_per_second = 60_000
    till.ledger.sell(1, cashier="c" * 350_000)
    arrives(till, attempts=6)  # of which a busy machine may miss some; without a pace none would do
    till.stop()
    till.ledger.close()


def arrives(till: Till, attempts: int) -> None:
    for _ in range(attempts):
        try:
            till.table.step()
        except ReadTimeoutError:
            continue
        if till.in_table() == till.rung_up():
            return
    pytest.fail(f"not delivered in {attempts} attempts")


def test_a_pace_lets_through_its_rate_and_no_more() -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pace = Pace(10_000, clock=lambda: now, sleep=sleep)
    for _ in range(100):
        pace.take(2_000)
    assert 18.5 <= now <= 20.0
    Pace(None, sleep=lambda _: pytest.fail("nothing waits without a limit")).take(10**9)


def test_what_is_sent_counts_against_the_bandwidth(till: Till, proxy: FaultyProxy) -> None:
    taken: list[int] = []
    till.cloud._pace.take = taken.append  # type: ignore[method-assign,assignment]
    till.ledger.sell(60)
    till.drain()
    bodies = sum(len(request.body) for request in proxy.seen)
    counted = sum(count for count in taken if count != AROUND)
    assert taken.count(AROUND) == len(proxy.seen)
    assert bodies * 0.5 < counted + 16 * 1024 * len(proxy.seen)


def test_data_saver_makes_segments_larger_and_heads_rarer_but_never_the_other_way_round() -> None:
    named = Settings("x", "x", "x", thing="x", region="x")
    plain = complete(named, {})
    saving = complete(replace(named, data_saver=True), {})
    assert saving.segment_records > plain.segment_records
    assert saving.segment_seconds > plain.segment_seconds
    assert saving.head_seconds > plain.head_seconds
    sparing = replace(named, data_saver=True, segment_seconds=86_400.0)
    assert complete(sparing, {}).segment_seconds == sparing.segment_seconds


def test_a_segment_may_be_larger_than_a_page_of_the_ledger(
    aws: Any, proxy: FaultyProxy, tmp_path: Path
) -> None:
    till = make_till(aws, tmp_path / "large", segment_records=1_200)
    till.ledger.sell(1_300)
    while till.bucket.step():
        pass
    assert sorted(len(lines) for lines in till.segments().values()) == [101, 1_200]
    assert till.in_bucket() == till.rung_up()
    till.stop()
    till.ledger.close()


def _certificate(folder: Path, valid_from: datetime) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(valid_from)
        .not_valid_after(valid_from + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.mark.parametrize(
    ("from_now", "trusted", "kind"),
    [(timedelta(days=2), True, Kind.CLOCK), (timedelta(days=-2), False, Kind.NOT_AWS)],
    ids=["a clock too far behind for TLS", "a portal's certificate"],
)
def test_a_certificate_that_does_not_hold_says_whether_time_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_now: timedelta, trusted: bool, kind: Kind
) -> None:
    certificate = _certificate(tmp_path, datetime.now(UTC) + from_now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # it breaks off by design
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{server.server_port}")
    if trusted:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "till")
    try:
        with pytest.raises(Exception) as caught:
            Cloud(Settings(region="eu-west-1")).s3.list_objects_v2(Bucket="any")
    finally:
        server.shutdown()
        server.server_close()
    assert classify(caught.value) is kind
