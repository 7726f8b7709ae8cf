"""Many kits in one run, which can be repeated until all are made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet_provisioning.errors import NotDeployedError, ProvisioningError
from fleet_provisioning.kits import Kit, KitMaker
from fleet_provisioning.order import Order


@dataclass(frozen=True)
class Outcome:
    """What became of an order: a `kit`, or an `error`. `already` says that an earlier run made the kit."""

    order: Order
    kit: Kit | None = None
    already: bool = False
    error: str = ""


def make_all(maker: KitMaker, orders: Sequence[Order], out: Path) -> Iterator[Outcome]:
    """A kit per order, each in `out`/<serial>. What concerns one till alone doesn't stop the others.

    Anything else (nothing deployed, no credentials, a full disk) would meet every till: it is raised.
    """
    for order in orders:
        folder = out / order.serial
        try:
            if kit := maker.made_already(order, folder):
                yield Outcome(order, kit, already=True)
            else:
                yield Outcome(order, maker.make(order, folder))
        except NotDeployedError:
            raise
        except ProvisioningError as error:
            yield Outcome(order, error=str(error))
