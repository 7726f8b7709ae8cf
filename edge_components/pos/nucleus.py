"""What pos asks of Greengrass, in a thread of its own: never on the selling path, and never needed by it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from edge_components.edgekit import ipc
from edge_components.edgekit.backoff import Backoff

from .updates import Updates

WAKE_TOPIC = "greentill/ledger/wake"
_log = logging.getLogger("pos.nucleus")


class Nucleus:
    """Wakes the ledger's readers after commits, and lets component updates wait for a quiet moment."""

    def __init__(self, environment: Mapping[str, str], updates: Updates) -> None:
        self._environment = environment
        self.updates = updates
        self._due = threading.Event()
        self._stopping = threading.Event()
        self._degraded = ipc.Degraded(_log)
        self._connection: ipc.Ipc | None = None
        self._reconfigure: Callable[[Mapping[str, Any]], None] | None = None
        self._stale = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nucleus", daemon=True)

    def follow_configuration(self, reconfigure: Callable[[Mapping[str, Any]], None]) -> None:
        """Call this, in the nucleus's thread, with the configuration whenever it changes; before `start`."""
        self._reconfigure = reconfigure

    def start(self) -> None:
        """Nothing to do where there is no nucleus."""
        if ipc.available(self._environment):
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._due.set()

    def committed(self) -> None:
        """Something is new in the ledger; many calls become one message."""
        self._due.set()

    def busy(self) -> None:
        """A basket is open or being paid."""
        self.updates.busy()

    def _run(self) -> None:
        backoff = Backoff(base=1, cap=60)
        while not self._stopping.is_set():
            self._due.wait()
            self._due.clear()
            try:
                connection = self._connected()
                connection.publish_local(WAKE_TOPIC, {})
                self._read_configuration(connection)
                backoff.reset()
            except ipc.IpcError as error:
                self._degraded.say("readers of the ledger are not woken, they poll", error)
                self._disconnect()
                self._stopping.wait(backoff.next())

    def _connected(self) -> ipc.Ipc:
        if self._connection is None:
            connection = ipc.connect(self._environment)
            if connection is None:
                raise ipc.IpcError("there is no nucleus")
            self._connection = connection
            try:
                connection.watch_updates(self.updates.wait_milliseconds)
            except ipc.IpcError as error:
                self._degraded.say("updates do not wait for a quiet moment", error)
            self._watch_configuration(connection)
        return self._connection

    def _watch_configuration(self, connection: ipc.Ipc) -> None:
        if self._reconfigure is None:
            return
        try:
            connection.watch_configuration(self._configuration_changed)
        except ipc.IpcError as error:
            self._degraded.say("a changed configuration waits for the next start", error)
        self._stale.set()  # it may have changed before anybody listened

    def _configuration_changed(self) -> None:
        self._stale.set()
        self._due.set()

    def _read_configuration(self, connection: ipc.Ipc) -> None:
        if self._reconfigure is not None and self._stale.is_set():
            self._stale.clear()
            self._reconfigure(connection.configuration())

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
