"""What the link forwards to, and what it tells of a till."""

from dataclasses import dataclass

# The cloud's IoT endpoints (docs/interfaces.md); any other name is the gateway's.
IOT_NAMES = frozenset({"data.iot.twin.internal", "credentials.iot.twin.internal"})


@dataclass(frozen=True)
class Upstreams:
    """Loopback ports of the cloud."""

    gateway: int
    iot: int
    mqtt: int


@dataclass(frozen=True)
class TillLink:
    """The link's end of one till."""

    lan_port: int  # 127.0.0.1:<lan_port> out here is the till's 127.0.0.1:8080
    uplink: bool  # False while the cable is pulled
    connections: int  # open connections over the uplink
    bytes_up: int
    bytes_down: int

    @property
    def pos_url(self) -> str:
        """The till's own HTTP API as seen from this host."""
        return f"http://127.0.0.1:{self.lan_port}"
