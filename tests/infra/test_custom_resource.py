"""CloudFormation always gets an answer: without one it waits for an hour and says nothing."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from infra.custom_resource import answered


class Receiver(BaseHTTPRequestHandler):
    answers: list[dict[str, Any]]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answers.append(json.loads(body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def cloudformation() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address to answer to, and what arrived there."""
    answers: list[dict[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Here", (Receiver,), {"answers": answers}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", answers
    server.shutdown()
    server.server_close()
    thread.join(60)


def event(url: str) -> dict[str, str]:
    return {"ResponseURL": url, "StackId": "stack", "RequestId": "request", "LogicalResourceId": "resource"}


def test_what_a_duty_returns_becomes_attributes(cloudformation: Any) -> None:
    url, answers = cloudformation
    answered(event(url), "same-id", lambda: {"Created": "2"})
    assert answers[0]["Status"] == "SUCCESS"
    assert answers[0]["Data"] == {"Created": "2"}
    assert answers[0]["PhysicalResourceId"] == "same-id"


def test_a_failure_arrives_as_its_sentence_within_the_size_that_is_allowed(cloudformation: Any) -> None:
    url, answers = cloudformation

    def fail() -> None:
        raise ValueError("The component version changed. " + "x" * 9_000)

    answered(event(url), "same-id", fail)
    assert answers[0]["Status"] == "FAILED"
    assert answers[0]["Reason"].startswith("The component version changed.")
    assert len(json.dumps(answers[0])) < 4_096
