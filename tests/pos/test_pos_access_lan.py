"""Terminals on the shop's network: TLS from the till's own authority, and nothing without a token."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx
import pytest

from edge_components.pos.access import slow_clients
from edge_components.pos.access.authority import Authority
from edge_components.pos.access.errors import AuthorityError
from tests.pos.pos_process import Pos, free_port, sale
from tests.waiting import wait_for


class Lan(Pos):
    """A till that also listens for terminals on the network."""

    def __init__(self, folder, **configuration) -> None:
        super().__init__(folder, lan_host="127.0.0.1", lan_port=free_port(), **configuration)
        self.lan_url = f"https://127.0.0.1:{self.configuration['lan_port']}"

    def connect(self, token: str | None = None) -> httpx.Client:
        trusted = ssl.create_default_context(cafile=str(self.data / "tls" / "ca.crt"))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=self.lan_url, verify=trusted, trust_env=False, headers=headers, timeout=120
        )

    def pair(self, terminal: str = "T1") -> str:
        code = self.client.post("/v1/terminals/codes").json()["code"]
        with self.connect() as device:
            paired = device.post("/v1/terminals/pair", json={"code": code, "terminal": terminal})
        assert paired.status_code == 201
        return str(paired.json()["token"])


@pytest.fixture
def lan(tmp_path) -> Iterator[Lan]:
    till = Lan(tmp_path)
    till.assign()
    till.start()

    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", till.configuration["lan_port"])) == 0

    wait_for(listening)
    yield till
    till.kill()
    till.client.close()


def test_a_paired_terminal_sells_over_tls_and_a_revoked_one_no_longer(lan):
    token = lan.pair()
    with lan.connect(token) as terminal:
        assert terminal.post("/v1/sales", json=sale()).status_code == 201
        assert terminal.get("/v1/health").json()["seq"] == 2
        assert lan.client.delete("/v1/terminals/T1").status_code == 204
        refused = terminal.post("/v1/sales", json=sale())
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_paired")
    assert lan.health()["seq"] == 2


def test_a_token_outlives_a_restart(lan):
    token = lan.pair()
    lan.stop()
    lan.start()
    with lan.connect(token) as terminal:
        wait_for(lambda: _answers(terminal))
        assert terminal.post("/v1/sales", json=sale()).status_code == 201


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/v1/health").status_code == 200
    except httpx.TransportError:
        return False


def test_without_a_token_only_the_page_and_the_way_to_trust_it_are_served(lan):
    with lan.connect() as stranger:
        for path in ("/", "/till.js", "/trust", "/trust/qr.svg", "/trust/ca.crt"):
            assert stranger.get(path).status_code == 200, path
        for path in ("/v1/health", "/v1/till", "/openapi.json", "/v1/sales/x"):
            assert stranger.get(path).status_code == 401, path
        assert stranger.post("/v1/sales", json=sale()).status_code == 401
        assert stranger.post("/v1/cashiers/sign-in", json={"cashier": "C1", "pin": "1"}).status_code == 401
        assert stranger.post("/v1/sales", headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_terminal_on_the_network_can_neither_make_codes_nor_revoke(lan):
    with lan.connect(lan.pair()) as terminal:
        assert terminal.post("/v1/terminals/codes").status_code == 403
        assert terminal.get("/v1/terminals").status_code == 403
        assert terminal.delete("/v1/terminals/T1").status_code == 403


def test_the_trust_page_shows_the_certificate_that_the_listener_stands_on(lan):
    page = lan.client.get("/trust")
    certificate = lan.client.get("/trust/ca.crt").text
    shown = Authority(lan.data / "tls").fingerprint()
    assert shown in page.text
    assert lan.lan_url in page.text
    assert certificate == (lan.data / "tls" / "ca.crt").read_text()
    assert "<svg" in lan.client.get("/trust/qr.svg").text
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(lan.lan_url, trust_env=False)


def test_the_trust_page_says_so_when_the_listener_is_off(selling):
    assert selling.client.get("/trust").status_code == 404


def test_the_authoritys_keys_are_for_nobody_else(lan):
    assert (lan.data / "tls").stat().st_mode & 0o077 == 0
    for name in ("authority.pem", "server.pem"):
        assert (lan.data / "tls" / name).stat().st_mode & 0o077 == 0


def test_loopback_stays_plain_and_needs_no_token(lan):
    assert lan.sell(sale()).status_code == 201


def test_a_listener_that_cannot_start_leaves_the_till_selling(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        till = Pos(tmp_path, lan_host="127.0.0.1", lan_port=taken.getsockname()[1])
        till.assign()
        try:
            till.start()
            assert till.sell(sale()).status_code == 201
            wait_for(lambda: "cannot be listened on" in till.log())
        finally:
            till.kill()
            till.client.close()


def test_the_authority_stays_when_the_name_changes_and_vouches_for_private_names_only(tmp_path):
    authority = Authority(tmp_path / "tls")
    authority.prepare("till", ("127.0.0.1", "till", "till.local"))
    fingerprint = authority.fingerprint()
    before = (tmp_path / "tls" / "server.pem").read_bytes()
    authority.prepare("till", ("127.0.0.1", "till", "till.local"))
    assert (tmp_path / "tls" / "server.pem").read_bytes() == before
    authority.prepare("till", ("192.168.1.9", "renamed", "renamed.local"))
    assert (tmp_path / "tls" / "server.pem").read_bytes() != before
    assert authority.fingerprint() == fingerprint
    text = _openssl("x509", "-in", str(authority.certificate), "-noout", "-text")
    assert "IP:192.168.0.0/255.255.0.0" in text
    chain = [str(authority.certificate), str(tmp_path / "tls" / "server.pem")]
    assert "OK" in _openssl("verify", "-CAfile", *chain)


def test_a_damaged_certificate_is_made_again(tmp_path):
    authority = Authority(tmp_path / "tls")
    server = authority.prepare("till", ("127.0.0.1",))
    server.write_text("torn")
    authority.prepare("till", ("127.0.0.1",))
    assert authority.context().minimum_version == ssl.TLSVersion.TLSv1_2


def test_an_unusable_folder_is_one_sentence(tmp_path):
    (tmp_path / "tls").write_text("a file")
    with pytest.raises(AuthorityError, match="cannot be used"):
        Authority(tmp_path / "tls").prepare("till", ("127.0.0.1",))


def _openssl(*arguments: str) -> str:
    import subprocess

    done = subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True, timeout=120)
    return done.stdout


def test_a_request_line_without_end_is_cut_off(selling):
    with socket.create_connection(("127.0.0.1", selling.configuration["port"]), timeout=120) as client:
        client.sendall(b"GET /v1/health HTTP/1.1\r\nX: " + b"a" * (slow_clients.LARGEST_HEAD * 2))
        assert _ended(client)
    assert selling.health()["status"] == "selling"


def test_a_body_that_never_arrives_is_not_waited_for(monkeypatch):
    import asyncio

    import uvicorn

    async def reads_all(_scope, receive, send) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    async def ask(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(1), 120)
        writer.close()
        return answer

    async def test() -> tuple[bytes, bytes, bytes]:
        port = free_port()
        server = uvicorn.Server(
            uvicorn.Config(
                reads_all, port=port, http=slow_clients.BoundedProtocol, lifespan="off", log_config=None
            )
        )
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.02)
        head = b"POST / HTTP/1.1\r\nHost: till\r\nContent-Length: 30\r\n\r\n"
        monkeypatch.setattr(slow_clients, "REQUEST_SECONDS", 0.5)
        cut_off = (await ask(port, head + b"half"), await ask(port, head[:20]))
        monkeypatch.setattr(slow_clients, "REQUEST_SECONDS", 60.0)
        answers = (*cut_off, await ask(port, head + b"x" * 30))
        server.should_exit = True
        await serving
        return answers

    assert asyncio.run(test()) == (b"", b"", b"H")


def _ended(client: socket.socket) -> bool:
    client.settimeout(60)
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False
