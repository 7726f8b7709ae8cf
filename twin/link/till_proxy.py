"""The link's end of one till: what listens in its namespaces and what is open right now."""

import asyncio
import os
from collections.abc import Awaitable, Callable

from twin.link import netns
from twin.link.client_hello import read_hello
from twin.link.relay import End, Relay, reset
from twin.link.settings import IOT_NAMES, TillLink, Upstreams
from twin.machines import network
from twin.machines.names import TillNames

HTTPS, IOT_HTTPS, MQTT = 443, 8443, 8883
POS_PORT = 8080
HELLO_SECONDS = 10
LOOPBACK = "127.0.0.1"

Target = Callable[[End], Awaitable[tuple[int, bytes]]]


class TillProxy:
    """Forwards a till's connections to the cloud's loopback ports, and a loopback port to the till."""

    def __init__(self, names: TillNames, upstreams: Upstreams) -> None:
        self._names = names
        self._upstreams = upstreams
        self._servers: list[asyncio.Server] = []
        self._lan_port = 0
        self._cable: os.stat_result | None = None
        self._uplink = True
        self._open: set[Relay] = set()
        self._bytes_up = self._bytes_down = 0

    @property
    def stale(self) -> bool:
        """Whether the cable that it listens on was taken away; another may lie in its place."""
        wan = network.NETNS_DIR / self._names.wan_netns
        return self._cable is None or not wan.exists() or not os.path.samestat(wan.stat(), self._cable)

    async def start(self, lan_port: int = 0) -> None:
        """Listen on both sides: on the LAN side at `lan_port`, or at a free port."""
        wan = network.NETNS_DIR / self._names.wan_netns
        self._cable = wan.stat()
        self._uplink = await asyncio.to_thread(network.uplink, self._names)
        targets: dict[int, Target] = {HTTPS: self._by_name, IOT_HTTPS: self._iot, MQTT: self._mqtt}
        for port, target in targets.items():
            listening = netns.listener(wan, network.LINK_ADDRESS, port)
            self._servers.append(await asyncio.start_server(self._serving(target), sock=listening))
        lan = await asyncio.start_server(self._lan, LOOPBACK, lan_port)
        self._servers.append(lan)
        self._lan_port = lan.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop what is open."""
        for server in self._servers:
            server.close()
        self._drop(self._open)

    async def cut(self) -> None:
        """Pull the cable: what is open hangs, what is new can't connect; the LAN side is left alone."""
        await asyncio.to_thread(network.set_uplink, self._names, False)
        self._uplink = False

    async def restore(self) -> None:
        """Plug the cable in; connections from before are reset, as by a router that was off meanwhile."""
        stale = set(self._open)
        await asyncio.to_thread(network.set_uplink, self._names, True)
        self._uplink = True
        self._drop(stale)

    def status(self) -> TillLink:
        """How it stands."""
        return TillLink(self._lan_port, self._uplink, len(self._open), self._bytes_up, self._bytes_down)

    def _serving(
        self, target: Target
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                async with asyncio.timeout(HELLO_SECONDS):
                    port, first = await target((reader, writer))
                    far = await asyncio.open_connection(LOOPBACK, port)
            except (OSError, EOFError, TimeoutError):
                reset(writer)  # the cloud is down or the client left: the till sees a broken connection
                return
            far[1].write(first)
            self._count_up(len(first))
            relay = Relay((reader, writer), far, self._count_up, self._count_down)
            self._open.add(relay)
            try:
                await relay.run()
            finally:
                self._open.discard(relay)

        return serve

    async def _by_name(self, near: End) -> tuple[int, bytes]:
        first, name = await read_hello(near[0])
        return (self._upstreams.iot if name in IOT_NAMES else self._upstreams.gateway), first

    async def _iot(self, _near: End) -> tuple[int, bytes]:
        return self._upstreams.iot, b""

    async def _mqtt(self, _near: End) -> tuple[int, bytes]:
        return self._upstreams.mqtt, b""

    async def _lan(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A terminal's connection: made inside the till's namespace, so that it comes from its loopback."""
        inner = network.NETNS_DIR / self._names.inner_netns
        try:
            connection = netns.unconnected(inner)
            try:
                await asyncio.get_running_loop().sock_connect(connection, (LOOPBACK, POS_PORT))
            except OSError:
                connection.close()
                raise
            far = await asyncio.open_connection(sock=connection)
        except OSError:
            reset(writer)  # the till is off, or nothing listens there
            return
        await Relay((reader, writer), far, _uncounted, _uncounted).run()

    def _drop(self, relays: set[Relay]) -> None:
        for relay in list(relays):
            relay.reset()

    def _count_up(self, count: int) -> None:
        self._bytes_up += count

    def _count_down(self, count: int) -> None:
        self._bytes_down += count


def _uncounted(_count: int) -> None:
    """The LAN side isn't measured."""
