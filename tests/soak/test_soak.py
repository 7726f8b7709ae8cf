"""A short soak through a flapping link, and the line that flaps."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sales.baskets import baskets
from tests.soak.relay import Relay
from tests.soak.soak import Plan, soak
from tests.soak.tills import account


@pytest.mark.timeout(600)
def test_a_flapping_link_and_dying_processes_lose_and_double_nothing(tmp_path: Path) -> None:
    plan = Plan(seconds=20.0, baskets=100, kill_every=4.0, seed=7)
    with account(tmp_path / "cloud") as found:
        outcome = soak(plan, found, tmp_path, list(baskets([367], limit_per_store=200)), print)
    assert outcome.verdict.findings == []
    assert (outcome.unanswered, outcome.refused) == (0, 0)
    assert outcome.acknowledged == sum(till.in_table - 1 for till in outcome.verdict.tills) >= 100
    assert outcome.kills
    assert outcome.cuts


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65_536):
            self.request.sendall(data)


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield ("127.0.0.1", server.server_address[1])
        server.shutdown()


def said_back(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=120) as line:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        found = b""
        while part := line.recv(65_536):
            found += part
        return found


def test_a_line_carries_everything_and_nothing_while_it_is_cut(echo: tuple[str, int]) -> None:
    relay = Relay(echo)
    try:
        assert said_back(relay.port, b"x" * 300_000) == b"x" * 300_000
        relay.cut()
        with pytest.raises(OSError) as ended:  # reset, or gone before the first byte
            said_back(relay.port, b"x")
        assert not isinstance(ended.value, TimeoutError)
        relay.restore()
        assert said_back(relay.port, b"y") == b"y"
    finally:
        relay.close()


def test_a_slow_line_takes_its_time(echo: tuple[str, int]) -> None:
    relay = Relay(echo, bytes_per_second=100_000, delay_seconds=0.05)
    try:
        began = time.monotonic()
        assert said_back(relay.port, b"x" * 50_000) == b"x" * 50_000
        assert time.monotonic() - began >= 0.6  # what the line's rate and delay ask for
    finally:
        relay.close()
