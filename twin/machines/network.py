"""A till's cable: a veth pair whose ends lie in two network namespaces, out of reach of everything else.

The namespaces outlive power cuts of the machine, as a cable in the wall does.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twin.machines.errors import MachineError
from twin.machines.host import command
from twin.machines.names import TillNames, twin_prefix

MACHINE_ADDRESS = "10.77.0.2"
LINK_ADDRESS = "10.77.0.1"
PREFIX_LENGTH = 30
NETNS_DIR = Path("/run/netns")


def ensure(names: TillNames) -> None:
    """Lay the cable if it isn't there; a half-laid one (an aborted run) is laid anew."""
    if complete(names):
        return
    remove(names)
    for netns in (names.inner_netns, names.wan_netns):
        _add_namespace(netns)
    _lay_cable(names)


def remove(names: TillNames) -> None:
    """Remove both namespaces, if they are there, and with them the cable."""
    for netns in (names.inner_netns, names.wan_netns):
        if (NETNS_DIR / netns).exists():
            command(["ip", "netns", "delete", netns])


@contextmanager
def dead_end(names: TillNames) -> Iterator[None]:
    """Nothing that the kernel still sends for processes that end meanwhile gets out, as when power is lost.

    The far end keeps its side of every connection; the machine's namespace and cable are new afterwards.
    """
    plugged = uplink(names)
    command(["ip", "-n", names.wan_netns, "link", "delete", "uplink"])
    try:
        yield
    finally:
        command(["ip", "netns", "delete", names.inner_netns])
        _add_namespace(names.inner_netns)
        _lay_cable(names)
        if not plugged:
            set_uplink(names, up=False)


def uplink(names: TillNames) -> bool:
    """Whether the cable is plugged in."""
    shown = command(["ip", "-n", names.wan_netns, "-json", "link", "show", "dev", "uplink"])
    return "UP" in json.loads(shown)[0]["flags"]


def set_uplink(names: TillNames, up: bool) -> None:
    """Plug the cable in or pull it: the machine sees its carrier come and go."""
    if not (NETNS_DIR / names.wan_netns).exists():
        raise MachineError(f"{names.serial} has no cable: bring it up first.")
    command(["ip", "-n", names.wan_netns, "link", "set", "uplink", "up" if up else "down"])


def leftovers(work_dir: Path) -> list[str]:
    """Namespaces of the twin in `work_dir`."""
    if not NETNS_DIR.is_dir():
        return []
    return sorted(entry.name for entry in NETNS_DIR.glob(f"{twin_prefix(work_dir)}*"))


def _add_namespace(netns: str) -> None:
    command(["ip", "netns", "add", netns])
    command(["ip", "-n", netns, "link", "set", "lo", "up"])


def _lay_cable(names: TillNames) -> None:
    inner, wan = names.inner_netns, names.wan_netns
    command(
        ["ip", "link", "add", "eth0", "netns", inner, "type", "veth", "peer", "name", "uplink", "netns", wan]
    )
    for netns, interface, address in ((inner, "eth0", MACHINE_ADDRESS), (wan, "uplink", LINK_ADDRESS)):
        command(["ip", "-n", netns, "address", "add", f"{address}/{PREFIX_LENGTH}", "dev", interface])
        command(["ip", "-n", netns, "link", "set", interface, "up"])


def complete(names: TillNames) -> bool:
    """Whether the cable is laid from end to end."""
    try:
        inner = command(["ip", "-n", names.inner_netns, "-brief", "address", "show", "dev", "eth0"])
        wan = command(["ip", "-n", names.wan_netns, "-brief", "link", "show", "dev", "uplink"])
    except MachineError:
        return False
    return MACHINE_ADDRESS in inner and "uplink" in wan
