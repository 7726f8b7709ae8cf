"""What the tests of this folder hold in their hands."""

from dataclasses import dataclass

from twin.link import Link
from twin.machines import Machine


@dataclass(frozen=True)
class Till:
    """A machine and its link."""

    machine: Machine
    link: Link
    pos_url: str

    def fetch(self, address: str, seconds: int = 60) -> str:
        """What the till reads from `address` over the uplink; empty when it can't connect in time."""
        asked = ["curl", "--silent", "--max-time", str(seconds), "--cacert", "/etc/ca.pem", address]
        return self.machine.run(asked).stdout
