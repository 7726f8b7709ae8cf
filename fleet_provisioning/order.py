"""What a kit is wanted for, and whether fleet.toml allows it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleet_provisioning.errors import ProvisioningError
from infra.errors import near_miss
from infra.names import SERIAL, TERMINAL
from infra.settings import Settings


@dataclass(frozen=True)
class Order:
    """A kit that is wanted. Without `terminals` the till has one, T1."""

    serial: str
    store: str
    stage: str
    terminals: tuple[str, ...] = ("T1",)


def check_order(order: Order, settings: Settings) -> None:
    """Raise ProvisioningError for an order that fleet.toml doesn't allow."""
    if not SERIAL.fullmatch(order.serial):
        raise ProvisioningError(f"serial {order.serial!r}: give 4 to 32 letters and digits")
    _known("store", order.store, settings.stores)
    _known("stage", order.stage, settings.stages)
    wrong = [terminal for terminal in order.terminals if not TERMINAL.fullmatch(terminal)]
    if wrong or not order.terminals or len(set(order.terminals)) < len(order.terminals):
        raise ProvisioningError(f"terminals {','.join(order.terminals)!r}: give each once, such as T1,T2")
    listed = settings.tills.get(order.serial)
    if listed and (listed.store, listed.stage, listed.terminals) != (
        order.store,
        order.stage,
        order.terminals,
    ):
        raise ProvisioningError(
            f"fleet.toml lists {order.serial} with store {listed.store}, stage {listed.stage}, terminals "
            f"{','.join(listed.terminals)}: order the same, or change it there"
        )


def _known(what: str, value: str, known: Mapping[str, object]) -> None:
    if value not in known:
        there = ", ".join(sorted(known))
        raise ProvisioningError(
            f"{what} {value!r} isn't in fleet.toml{near_miss(value, known)}; there is: {there}"
        )
