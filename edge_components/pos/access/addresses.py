"""What this till is called on the shop's network."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct

_SIOCGIFADDR = 0x8915  # linux/sockios.h: the IPv4 address of an interface
_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def names(host: str, more: tuple[str, ...]) -> tuple[str, ...]:
    """Host names and addresses that the certificate must name, most useful first."""
    own = socket.gethostname().split(".")[0]
    local = (own, f"{own}.local") if own and own != "localhost" else ()
    listening = interface_addresses() if host in _ANY else (host,)
    return tuple(dict.fromkeys((*listening, *local, *more)))


def interface_addresses() -> tuple[str, ...]:
    """IPv4 addresses of the interfaces that are up, loopback left out."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, interface in socket.if_nameindex():
            request = struct.pack("256s", interface.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), _SIOCGIFADDR, request)
            except OSError:
                continue  # no IPv4 address
            found.append(socket.inet_ntoa(answer[20:24]))
    return tuple(address for address in found if not ipaddress.ip_address(address).is_loopback)


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
