"""Reads a list of wanted kits: CSV with the columns serial, store, stage, terminals."""

import csv
from pathlib import Path

from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.kits import Order

COLUMNS = ("serial", "store", "stage", "terminals")
REQUIRED = COLUMNS[:3]


def terminals(text: str) -> tuple[str, ...]:
    """`T1,T2` or `T1 T2` as names; one terminal, T1, when nothing is given."""
    return tuple(text.replace(",", " ").split()) or ("T1",)


def read_orders(path: Path) -> list[Order]:
    """The orders in a CSV file. Raises ProvisioningError naming the line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_columns(path, reader.fieldnames or ())
            orders = [_order(path, reader.line_num, line) for line in reader]
    except OSError as error:
        raise ProvisioningError(f"{path} can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ProvisioningError(f"{path} can't be read as CSV: {error}") from error
    seen: set[str] = set()
    for order in orders:
        if order.serial in seen:
            raise ProvisioningError(f"{path} names serial {order.serial} twice: remove one line")
        seen.add(order.serial)
    if not orders:
        raise ProvisioningError(f"{path} names no till: give a line per till below {','.join(COLUMNS)}")
    return orders


def _check_columns(path: Path, found: object) -> None:
    names = list(found) if isinstance(found, (list, tuple)) else []
    if set(names) - set(COLUMNS) or set(REQUIRED) - set(names):
        raise ProvisioningError(f"{path} has the columns {','.join(names)}; give {','.join(COLUMNS)}")


def _order(path: Path, number: int, line: dict[str, str | None]) -> Order:
    values = {name: (line.get(name) or "").strip() for name in COLUMNS}
    if missing := [name for name in REQUIRED if not values[name]]:
        raise ProvisioningError(f"{path} line {number} lacks {', '.join(missing)}")
    return Order(values["serial"], values["store"], values["stage"], terminals(values["terminals"]))
