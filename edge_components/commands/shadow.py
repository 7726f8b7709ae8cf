"""The till's named shadow `certificate`, through the nucleus: what is wanted, and what is told about it.

Only whole documents are used. A message about a change is but a reason to ask for one, so that a lost, late
or repeated message means nothing.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

log = logging.getLogger("commands")

NAME = "certificate"


class Cloud(Protocol):
    """What edgekit.ipc offers."""

    def publish_cloud(self, topic: str, payload: bytes) -> None: ...

    def subscribe_cloud(self, topic: str, heard: Any, lost: Any) -> None: ...


@dataclass(frozen=True)
class Document:
    """`asked_at` (epoch seconds): the connection to the cloud has worked at some time since."""

    desired: Mapping[str, Any]
    reported: Mapping[str, Any]
    asked_at: float


class Inbox:
    """What came in: a reason to ask, a document, or the end."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._documents: queue.SimpleQueue[Document | None] = queue.SimpleQueue()
        self.ended = False

    def wake(self) -> None:
        """Something may have changed."""
        self._woken.set()

    def put(self, document: Document) -> None:
        self._documents.put(document)

    def end(self) -> None:
        """Nothing more will come, or is wanted: every wait is over."""
        self.ended = True
        self._documents.put(None)
        self._woken.set()

    def wait(self, seconds: float) -> None:
        """Until something may have changed, and no longer than `seconds`."""
        self._woken.wait(seconds)
        if not self.ended:
            self._woken.clear()

    def forget(self) -> None:
        """Documents from before the next question."""
        while not (self.ended or self._documents.empty()):
            self._documents.get_nowait()

    def document(self, seconds: float) -> Document | None:
        """None when none came in time, or at the end."""
        try:
            return self._documents.get(timeout=seconds)
        except queue.Empty:
            return None


class Shadow:
    """Raises IpcError, from `cloud`, when the nucleus refuses or can't."""

    def __init__(self, cloud: Cloud, thing: str, inbox: Inbox) -> None:
        self._cloud = cloud
        self._inbox = inbox
        self._topic = f"$aws/things/{thing}/shadow/name/{NAME}"
        self._asked_at = 0.0

    def listen(self) -> None:
        heard = {
            "get/accepted": self._document,
            "get/rejected": self._refusal,
            "update/delta": lambda _payload: self._inbox.wake(),
        }
        for suffix, handler in heard.items():
            self._cloud.subscribe_cloud(f"{self._topic}/{suffix}", handler, self._inbox.end)

    def ask(self) -> None:
        """Have the whole document sent."""
        self._inbox.forget()
        self._asked_at = time.time()
        self._cloud.publish_cloud(f"{self._topic}/get", b"")

    def report(self, reported: Mapping[str, Any]) -> None:
        """Tell the cloud; None takes a key away."""
        body = json.dumps({"state": {"reported": dict(reported)}}).encode()
        self._cloud.publish_cloud(f"{self._topic}/update", body)

    def _document(self, payload: bytes) -> None:
        state = _object(_json(payload).get("state"))
        self._inbox.put(
            Document(_object(state.get("desired")), _object(state.get("reported")), self._asked_at)
        )

    def _refusal(self, payload: bytes) -> None:
        """404: nobody has ever wanted anything, which is an answer as well."""
        found = _json(payload)
        if found.get("code") == 404:
            self._inbox.put(Document({}, {}, self._asked_at))
        else:
            log.warning("the shadow can't be read: %s", found.get("message"))


def _json(payload: bytes) -> Mapping[str, Any]:
    try:
        return _object(json.loads(payload))
    except ValueError:
        return {}


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
