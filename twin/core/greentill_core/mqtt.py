"""The core's connection to AWS IoT: it comes back by itself, and keeps what should be sent meanwhile."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from awscrt import mqtt
from awscrt.exceptions import AwsCrtError
from awsiot import mqtt_connection_builder

from .access import topic_matches
from .identity import Identity
from .settings import Settings

SPOOL_BYTES = 2_621_440  # the nucleus's spooler: 2.5 MB of memory, lost with the power
_ANSWER_SECONDS = 10.0
_PING_MILLISECONDS = 5000

Handler = Callable[[str, bytes], None]


class Spool:
    """Messages to publish, oldest first; refuses what would not fit."""

    def __init__(self, limit: int = SPOOL_BYTES) -> None:
        self._limit = limit
        self._waiting: deque[tuple[str, bytes, int]] = deque()
        self._bytes = 0
        self.filled = asyncio.Event()

    def put(self, topic: str, payload: bytes, qos: int) -> bool:
        if self._bytes + len(payload) > self._limit:
            return False
        self._waiting.append((topic, payload, qos))
        self._bytes += len(payload)
        self.filled.set()
        return True

    def first(self) -> tuple[str, bytes, int] | None:
        return self._waiting[0] if self._waiting else None

    def drop_first(self) -> None:
        self._bytes -= len(self._waiting.popleft()[1])


class Mqtt:
    """Everything here runs on the event loop; the AWS library calls back from threads of its own."""

    def __init__(self, settings: Settings, identity: Identity, log: logging.Logger) -> None:
        self._log = log
        self._longest = settings.longest_backoff_seconds
        self._loop = asyncio.get_running_loop()
        self._handlers: list[tuple[str, int, Handler]] = []
        self._spool = Spool()
        self._up = asyncio.Event()
        self._subscribe_again = asyncio.Event()
        self.on_up: list[Callable[[], None]] = []
        self._connection = mqtt_connection_builder.mtls_from_path(
            cert_filepath=identity.certificate,
            pri_key_filepath=identity.private_key,
            ca_filepath=str(settings.root_ca),
            endpoint=settings.iot_data_endpoint,
            port=settings.mqtt_port,
            client_id=identity.thing,
            clean_session=True,
            keep_alive_secs=settings.keep_alive_seconds,
            ping_timeout_ms=min(_PING_MILLISECONDS, settings.keep_alive_seconds * 1000 - 1),
            reconnect_min_timeout_secs=1,
            reconnect_max_timeout_secs=max(1, int(settings.longest_backoff_seconds)),
            on_connection_interrupted=self._interrupted,
            on_connection_resumed=self._resumed,
        )
        self._connection.on_message(self._arrived)

    @property
    def up(self) -> bool:
        return self._up.is_set()

    async def run(self) -> None:
        """Connect, however long that takes, then keep subscriptions and the spool moving until cancelled."""
        await self._connect()
        subscriber = asyncio.create_task(self._keep_subscribed())
        try:
            await self._send()
        finally:
            subscriber.cancel()
            with suppress(AwsCrtError, TimeoutError):
                await answer(self._connection.disconnect(), 2)

    async def listen(self, topic_filter: str, handler: Handler, qos: int = 1) -> None:
        """Call `handler` with topic and payload; the subscription is made when the link is up, and again."""
        self._handlers.append((topic_filter, qos, handler))
        if self.up:
            await self._subscribe(topic_filter, qos)

    async def forget(self, topic_filter: str, handler: Handler) -> None:
        """Undo `listen`."""
        self._handlers = [
            entry for entry in self._handlers if (entry[0], entry[2]) != (topic_filter, handler)
        ]
        if self.up and not any(entry[0] == topic_filter for entry in self._handlers):
            with suppress(AwsCrtError, TimeoutError):
                await answer(self._connection.unsubscribe(topic_filter)[0])

    def publish(self, topic: str, payload: bytes, qos: int = 1) -> bool:
        """Send as soon as the link allows; False when the spool is full."""
        return self._spool.put(topic, payload, qos)

    async def _connect(self) -> None:
        pause = 1.0
        while True:
            try:
                await answer(self._connection.connect(), 30)
            except (AwsCrtError, TimeoutError) as error:
                self._log.warning("can't connect to AWS IoT, trying again: %s", error or "no answer")
                await asyncio.sleep(random.uniform(0.5, 1) * pause)  # noqa: S311 - spreads retries
                pause = min(pause * 2, self._longest)
            else:
                self._came_up()
                return

    async def _keep_subscribed(self) -> None:
        while True:
            await self._subscribe_again.wait()
            self._subscribe_again.clear()
            self._up.set()
            for topic_filter, qos, _handler in list(self._handlers):
                await self._subscribe(topic_filter, qos)
            self._log.info("connected to AWS IoT")
            for listener in self.on_up:
                listener()

    async def _subscribe(self, topic_filter: str, qos: int) -> None:
        try:
            await answer(self._connection.subscribe(topic_filter, mqtt.QoS(qos))[0])
        except (AwsCrtError, TimeoutError) as error:
            self._log.warning("can't subscribe to %s: %s", topic_filter, error or "no answer")

    async def _send(self) -> None:
        while True:
            message = self._spool.first()
            if message is None:
                self._spool.filled.clear()
                await self._spool.filled.wait()
                continue
            await self._up.wait()
            topic, payload, qos = message
            try:
                # The library keeps what is under way over a reconnect, so no limit on the answer here.
                await answer(self._connection.publish(topic, payload, mqtt.QoS(qos))[0], None)
            except AwsCrtError as error:
                self._log.warning("a publish to %s failed, trying again: %s", topic, error)
                await asyncio.sleep(1)
                continue
            self._spool.drop_first()

    def _came_up(self) -> None:
        self._subscribe_again.set()

    def _went_down(self, error: str) -> None:
        self._up.clear()
        self._log.warning("the connection to AWS IoT is lost: %s", error)

    def _interrupted(self, *_: Any, error: Any, **__: Any) -> None:
        self._loop.call_soon_threadsafe(self._went_down, str(error))

    def _resumed(self, *_: Any, **__: Any) -> None:
        self._loop.call_soon_threadsafe(self._came_up)

    def _arrived(self, topic: str, payload: bytes, **_: Any) -> None:
        self._loop.call_soon_threadsafe(self._dispatch, topic, bytes(payload))

    def _dispatch(self, topic: str, payload: bytes) -> None:
        for topic_filter, _qos, handler in list(self._handlers):
            if topic_matches(topic_filter, topic):
                handler(topic, payload)


async def answer(future: Any, seconds: float | None = _ANSWER_SECONDS) -> Any:
    """What the AWS library answers; its future is left alone when time runs out, since it insists on it."""
    return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)
