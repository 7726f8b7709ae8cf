"""An HTTP proxy in front of the cloud that can lose, refuse and alter what passes."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """`BatchWriteItem` and so on; for S3, `S3` and the method."""
        target = self.headers.get("X-Amz-Target", "")
        return target.rpartition(".")[2] or f"S3 {self.method}"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


Forward = Callable[[Request], Answer]
Fault = Callable[[Request, Forward], Answer | None]  # None: the connection breaks without an answer


class FaultyProxy:
    """Each request takes the first fault in `faults`; `always` stands for as long as it is set."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.seen: list[Request] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                if self.headers.get("Expect"):
                    self.send_response_only(100)
                    self.end_headers()
                request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length))
                answer = proxy.answer(request)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response_only(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.body)

            do_GET = do_PUT = do_POST = do_HEAD = _handle  # noqa: N815 - names that http.server looks up

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, request: Request) -> Answer | None:
        self.seen.append(request)
        fault = self.always or (self.faults.pop(0) if self.faults else None)
        return fault(request, self.forward) if fault else self.forward(request)

    def forward(self, request: Request) -> Answer:
        connection = http.client.HTTPConnection(*self._upstream, timeout=120)
        try:
            headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
            connection.request(request.method, request.path, request.body, headers)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)


def passes(request: Request, forward: Forward) -> Answer | None:
    return forward(request)


def breaks(request: Request, forward: Forward) -> Answer | None:
    """Nothing arrives."""
    return None


def loses_the_answer(request: Request, forward: Forward) -> Answer | None:
    """The request is carried out; nobody hears of it."""
    forward(request)
    return None


def happens_twice(request: Request, forward: Forward) -> Answer | None:
    """As with a request that the network repeats: it is carried out twice, the second answer is heard."""
    forward(request)
    return forward(request)


def hangs(seconds: float) -> Fault:
    """The connection is taken, and nothing more comes of it for a while."""

    def fault(request: Request, forward: Forward) -> Answer | None:
        time.sleep(seconds)
        return None

    return fault


def redirects_to_a_portal(request: Request, forward: Forward) -> Answer | None:
    return Answer(
        302, {"Location": "http://login.example/", "Content-Type": "text/html"}, b"<html>Moved</html>"
    )


def refuses_with_a_page(request: Request, forward: Forward) -> Answer | None:
    """What a filtering proxy does: a status of its own, with words for people."""
    return Answer(403, {"Content-Type": "text/html"}, b"<html>Blocked by your administrator</html>")


def service_is(off: timedelta) -> Fault:
    """The service's clock differs from this machine's; like AWS, it refuses what is signed 5 minutes off."""

    def fault(request: Request, forward: Forward) -> Answer | None:
        now = datetime.now(UTC) + off
        signed = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        of_s3 = request.operation.startswith("S3")
        answer: Answer | None
        if abs(now - signed) < timedelta(minutes=5):
            answer = forward(request)
        elif of_s3:
            answer = refuses("RequestTimeTooSkewed", 403)(request, forward)
        else:
            answer = refuses("InvalidSignatureException", 400, "Signature expired: it is now later")(
                request, forward
            )
        if answer is None:
            return None
        kept = {name: value for name, value in answer.headers.items() if name.lower() != "date"}
        return Answer(
            answer.status,
            {
                "x-amzn-RequestId": "1",
                "x-amz-request-id": "1",
                **kept,
                "Date": format_datetime(now, usegmt=True),
            },
            answer.body,
        )

    return fault


def shows_a_portal(request: Request, forward: Forward) -> Answer | None:
    return Answer(200, {"Content-Type": "text/html"}, b"<html>Accept our terms to go online</html>")


def refuses(code: str, status: int = 400, message: str = "no") -> Fault:
    def fault(request: Request, forward: Forward) -> Answer | None:
        if request.operation.startswith("S3"):
            body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
            return Answer(status, {"Content-Type": "application/xml"}, body)
        body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}).encode()
        return Answer(status, {"Content-Type": "application/x-amz-json-1.0"}, body)

    return fault


def leaves_some_unprocessed(request: Request, forward: Forward) -> Answer | None:
    """Every second item of a batch is written; the others come back."""
    if request.operation != "BatchWriteItem":
        return forward(request)
    document = json.loads(request.body)
    undone = {table: writes[1::2] for table, writes in document["RequestItems"].items()}
    document["RequestItems"] = {table: writes[::2] for table, writes in document["RequestItems"].items()}
    answer = forward(Request(request.method, request.path, request.headers, json.dumps(document).encode()))
    content = json.loads(answer.body)
    content["UnprocessedItems"] = {table: writes for table, writes in undone.items() if writes}
    headers = {name: value for name, value in answer.headers.items() if name.lower() != "x-amz-crc32"}
    return Answer(answer.status, headers, json.dumps(content).encode())


def only(operation: str, fault: Fault) -> Fault:
    """`fault` for operations that begin so; everything else passes."""

    def chosen(request: Request, forward: Forward) -> Answer | None:
        return fault(request, forward) if request.operation.startswith(operation) else forward(request)

    return chosen
