"""Make sockets inside another network namespace; a socket stays in the namespace it was made in."""

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
OWN = Path("/proc/thread-self/ns/net")

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def entered(netns: Path) -> Iterator[None]:
    """Move the calling thread into `netns` for the duration; nothing may be awaited meanwhile."""
    own = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(own)
    finally:
        os.close(own)


def listener(netns: Path, address: str, port: int) -> socket.socket:
    """A socket that listens inside `netns`."""
    with entered(netns):
        return _undelayed(socket.create_server((address, port), backlog=64))


def unconnected(netns: Path) -> socket.socket:
    """A TCP socket inside `netns`, to be connected."""
    with entered(netns):
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    return _undelayed(made)


def _undelayed(made: socket.socket) -> socket.socket:
    """Send each piece at once, as asyncio has its own sockets do; what a listener accepts inherits it."""
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def _setns(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
