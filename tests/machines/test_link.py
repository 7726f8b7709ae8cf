"""The network between a till and the cloud."""

import hashlib
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.machines.till_under_test import Till
from tests.waiting import wait_for
from twin.link import netns

pytestmark = pytest.mark.machine


def page(till: Till, seconds: float = 120) -> str:
    """The till's page, fetched from outside until it comes or `seconds` have passed."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return httpx.get(f"{till.pos_url}/index.html", timeout=5, trust_env=False).text
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("address", "answers"),
    [
        ("https://aws.twin.internal/", "gateway"),
        ("https://10.77.0.1/", "gateway"),
        ("https://data.iot.twin.internal/", "iot"),
        ("https://credentials.iot.twin.internal/role-aliases/x", "iot"),
        ("https://data.iot.twin.internal:8443/", "iot"),
        ("https://10.77.0.1:8443/", "iot"),
        ("https://data.iot.twin.internal:8883/", "mqtt"),
    ],
)
def test_each_address_reaches_its_part_of_the_cloud(till: Till, address: str, answers: str) -> None:
    assert till.fetch(address) == answers


def test_long_answers_on_many_connections_at_once_arrive_whole(till: Till) -> None:
    each = "curl --silent --cacert /etc/ca.pem https://aws.twin.internal/long | sha256sum"
    both = f"for n in 1 2 3 4 5 6 7 8; do ({each}) & done; wait"
    digests = till.machine.run(["sh", "-c", both]).stdout.split()
    assert digests == [hashlib.sha256(b"gateway" * 1_000_000).hexdigest(), "-"] * 8


def test_nothing_but_the_link_is_within_reach_of_a_till(till: Till) -> None:
    routes = till.machine.run(["ip", "route"]).stdout.split("\n")
    assert [route.split()[0] for route in routes if route] == ["10.77.0.0/30"]


def test_a_cut_uplink_stops_the_cloud_but_not_the_lan_and_a_restore_heals(till: Till) -> None:
    till.link.cut("LINK0001")
    try:
        assert not till.link.status()["LINK0001"].uplink
        assert till.fetch("https://10.77.0.1/", seconds=5) == ""
        assert page(till) == "the till page"
    finally:
        till.link.restore("LINK0001")
    assert till.fetch("https://10.77.0.1/") == "gateway"


def test_a_connection_that_was_open_hangs_in_a_cut_and_is_reset_by_the_restore(till: Till) -> None:
    script = (
        "import socket, sys\n"
        "s = socket.create_connection(('10.77.0.1', 8883), timeout=200)\n"
        "print('open', flush=True)\n"
        "try:\n"
        "    print('data' if s.recv(1) else 'ended')\n"
        "except ConnectionResetError:\n"
        "    print('reset')\n"
    )
    lines: list[str] = []

    def act(line: str) -> None:
        lines.append(line)
        if line == "open":
            wait_for(lambda: till.link.status()["LINK0001"].connections == 1)
            till.link.cut("LINK0001")
            assert till.link.status()["LINK0001"].connections == 1
            till.link.restore("LINK0001")

    assert till.machine.stream(["python3", "-c", script], act, timeout=240) == 0
    assert lines == ["open", "reset"]


def test_bytes_that_are_not_tls_are_not_waited_for(till: Till) -> None:
    script = (
        "import socket\n"
        "s = socket.create_connection(('10.77.0.1', 443), timeout=200)\n"
        "s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
        "try:\n"
        "    while s.recv(4096): pass\n"
        "except ConnectionResetError:\n"
        "    pass\n"
        "print('ended')\n"
    )
    assert till.machine.run(["python3", "-c", script]).stdout == "ended\n"


def test_both_sides_of_the_link_survive_a_power_cut_at_the_same_addresses(till: Till) -> None:
    till.machine.power_cut()
    with pytest.raises(httpx.TransportError):
        httpx.get(till.pos_url, timeout=5, trust_env=False)
    till.machine.boot()
    assert page(till) == "the till page"
    assert till.fetch("https://aws.twin.internal/") == "gateway"


def test_a_till_that_boots_while_its_cable_is_pulled_stays_cut_off(till: Till) -> None:
    till.link.cut("LINK0001")
    try:
        till.machine.power_cut()
        till.machine.boot()
        assert page(till) == "the till page"
        assert till.fetch("https://10.77.0.1/", seconds=5) == ""
    finally:
        till.link.restore("LINK0001")
    assert till.fetch("https://10.77.0.1/") == "gateway"


def test_a_till_without_power_says_no_goodbye_to_the_cloud(till: Till) -> None:
    before = till.link.status()["LINK0001"].connections
    hold = "import socket, time; s = socket.create_connection(('10.77.0.1', 8883)); time.sleep(600)"
    till.machine.run(["systemd-run", "--quiet", "python3", "-c", hold])
    wait_for(lambda: till.link.status()["LINK0001"].connections == before + 1)
    till.machine.power_cut()
    till.machine.boot()
    assert page(till) == "the till page"
    assert till.link.status()["LINK0001"].connections == before + 1


def test_a_till_that_was_shut_down_comes_back_behind_the_same_address(till: Till) -> None:
    till.machine.shutdown()
    till.machine.boot()
    assert till.link.add("LINK0001").pos_url == till.pos_url
    assert page(till) == "the till page"
    assert till.fetch("https://aws.twin.internal/") == "gateway"


def test_the_lan_side_listens_on_loopback_only(till: Till) -> None:
    port = urlsplit(till.pos_url).port
    assert port
    listening = [line for line in open_listeners() if line[1] == port]
    assert listening == [("127.0.0.1", port)]


def open_listeners() -> list[tuple[str, int]]:
    """IPv4 sockets that listen on this host."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = []
    for row in rows:
        address, port = row[1].split(":")
        if row[3] == "0A":
            found.append((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


def test_small_pieces_are_not_held_back() -> None:
    """Sockets that asyncio did not make itself wait, by default, for the answer to the piece before."""
    here = Path("/proc/self/ns/net")
    with netns.listener(here, "127.0.0.1", 0) as listening, netns.unconnected(here) as near:
        near.setblocking(True)
        near.connect(listening.getsockname())
        far, _address = listening.accept()
        with far:
            assert [end.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for end in (near, far)] == [1, 1]
