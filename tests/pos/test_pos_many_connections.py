"""A thousand connections that somebody holds open keep no terminal from selling."""

from __future__ import annotations

import resource
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.pos.pos_process import Pos, sale
from tests.pos.test_pos_access_lan import Lan
from tests.waiting import wait_for

HELD = 1_000
FEW = 256  # descriptors: what is left of a till's when something else has eaten them


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Enough of them for the test itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4_096), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def lan(tmp_path) -> Iterator[Lan]:
    """A till that listens on the network, and may open few files."""
    till = Lan(tmp_path)
    till.assign()
    till.start()
    wait_for(lambda: _listens(till.configuration["lan_port"]), till.log)
    leave_few(till)
    yield till
    till.kill()
    till.client.close()


def leave_few(pos: Pos) -> None:
    assert pos.process is not None
    resource.prlimit(pos.process.pid, resource.RLIMIT_NOFILE, (FEW, FEW))


@contextmanager
def held_open(port: int, say: Callable[[socket.socket], object] = lambda _connection: None) -> Iterator[None]:
    """A thousand connections from one device, none of which finishes what it began."""
    with ExitStack() as all_of_them:
        for _ in range(HELD):
            connection = all_of_them.enter_context(socket.socket())
            connection.settimeout(120)
            connection.bind(("127.0.0.3", 0))
            try:
                connection.connect(("127.0.0.1", port))
                say(connection)
            except ConnectionError:
                continue  # sent away: that is one way to be held off
        yield


def begin_request(connection: socket.socket) -> None:
    connection.sendall(b"POST /v1/sales HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")


def sells_at_once(pos: Pos) -> None:
    """Each sale over a connection of its own."""
    for _ in range(5):
        with httpx.Client(base_url=pos.url, timeout=120, trust_env=False) as terminal:
            assert terminal.post("/v1/sales", json=sale()).status_code == 201


def test_callers_without_a_handshake_on_the_network_do_not_reach_the_till_itself(lan: Lan) -> None:
    with held_open(lan.configuration["lan_port"]):
        sells_at_once(lan)


def test_another_device_gets_in_while_one_holds_a_thousand_connections(lan: Lan) -> None:
    token = lan.pair()
    trusted = ssl.create_default_context(cafile=str(lan.data / "tls" / "ca.crt"))
    elsewhere = httpx.HTTPTransport(verify=trusted, local_address="127.0.0.2")
    with held_open(lan.configuration["lan_port"]), httpx.Client(transport=elsewhere, timeout=120) as terminal:
        answer = terminal.post(
            f"{lan.lan_url}/v1/sales", json=sale(), headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 201


@pytest.mark.parametrize("say", [lambda _connection: None, begin_request], ids=["silent", "half a request"])
def test_connections_held_open_on_loopback_make_room_for_the_next_terminal(
    selling: Pos, say: Callable[[socket.socket], object]
) -> None:
    leave_few(selling)
    with held_open(int(str(selling.configuration["port"])), say):
        sells_at_once(selling)


def test_requests_that_are_cut_off_are_no_errors_of_the_till(selling: Pos) -> None:
    """A traceback for each of two thousand took it 17 seconds, in which nobody could sell."""
    port = int(str(selling.configuration["port"]))
    for path in ("sales", "refunds", "baskets/check", "terminals/pair"):
        with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
            head = f"POST /v1/{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\nExpect: 100-continue\r\n\r\n".encode())
            assert b"100 Continue" in connection.recv(100)  # it is being read
            connection.sendall(b"{")
    assert selling.sell(sale()).status_code == 201
    assert selling.stop() == 0
    assert "Traceback" not in selling.log()


def test_connections_over_tls_of_one_device_make_room_for_its_next_one(lan: Lan) -> None:
    trusted = ssl.create_default_context(cafile=str(lan.data / "tls" / "ca.crt"))
    with ExitStack() as held:
        for _ in range(FEW):
            plain = socket.create_connection(("127.0.0.1", lan.configuration["lan_port"]), timeout=120)
            held.enter_context(trusted.wrap_socket(plain, server_hostname="127.0.0.1"))
        with lan.connect() as terminal:
            assert terminal.get("/trust").status_code == 200
        sells_at_once(lan)


def test_a_till_opens_as_many_files_as_the_system_allows(pos: Pos) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    pos.assign()
    pos.start()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert pos.process is not None
    assert resource.prlimit(pos.process.pid, resource.RLIMIT_NOFILE)[0] == min(hard, 65_536)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
