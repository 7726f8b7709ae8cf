"""Bytes to and from a printer, over the network or a device file, never beyond a deadline."""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .errors import PrinterError
from .settings import PrinterSettings

_AT_MOST = 4096  # bytes in one write, so that a slow printer is noticed between two
_HANG_UP_SECONDS = 1.0


class Line:
    """An open connection: a file descriptor that does not block."""

    def __init__(self, descriptor: int, deadline: float, *, hangs_up: bool) -> None:
        self._descriptor = descriptor
        self._deadline = deadline
        self._hangs_up = hangs_up  # a network printer; one on a cable may well say nothing when it is read

    def send(self, content: bytes) -> None:
        """Everything, or PrinterError at the deadline or when the printer hangs up."""
        rest = memoryview(content)
        while rest:
            _, ready, _ = select.select([], [self._descriptor], [], self._left())
            if not ready:
                raise stopped()
            try:
                rest = rest[os.write(self._descriptor, rest[:_AT_MOST]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise stopped() from error

    def answer(self, seconds: float) -> int | None:
        """The next byte that the printer says, or None when it says nothing for so long."""
        ready, _, _ = select.select([self._descriptor], [], [], min(seconds, self._left()))
        if not ready:
            return None
        try:
            found = os.read(self._descriptor, 1)
        except BlockingIOError:
            return None
        except OSError as error:
            raise stopped() from error
        if not found and self._hangs_up:
            raise stopped()
        return found[0] if found else None

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())


@contextmanager
def connect(settings: PrinterSettings) -> Iterator[Line]:
    """The configured printer for the length of one receipt; raises PrinterError when it can't be had."""
    deadline = time.monotonic() + settings.timeout_seconds
    opened = _device(settings.device) if settings.device else _network(settings)
    with opened as descriptor:
        yield Line(descriptor, deadline, hangs_up=not settings.device)


def stopped() -> PrinterError:
    text = "the printer stopped before it was done: look at its paper, cover and cable"
    return PrinterError("printer_stopped", text)


@contextmanager
def _device(path: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:  # what is no path at all is a ValueError
        why = getattr(error, "strerror", None) or error
        raise _unreachable(f"{path} can't be opened ({why})", "its cable and power") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _network(settings: PrinterSettings) -> Iterator[int]:
    try:
        connection = socket.create_connection((settings.host, settings.port), settings.timeout_seconds)
    except (OSError, ValueError) as error:  # what is no host name at all is a UnicodeError
        why = getattr(error, "strerror", None) or error
        said = f"{settings.host}:{settings.port} does not answer ({why})"
        raise _unreachable(said, "its power and network") from error
    with connection:
        connection.setblocking(False)
        yield connection.fileno()
        _hang_up(connection)


def _hang_up(connection: socket.socket) -> None:
    """Closing while something is unread would reset the connection, and lose what the printer still holds."""
    connection.settimeout(_HANG_UP_SECONDS)
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(_AT_MOST):
            pass


def _unreachable(said: str, where: str) -> PrinterError:
    return PrinterError("printer_unreachable", f"the printer {said}: look at {where}")
