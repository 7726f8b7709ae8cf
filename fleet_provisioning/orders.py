"""Reads a list of wanted kits: CSV with the columns serial, store, stage, terminals."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.order import Order, check_order
from infra.settings import Settings

COLUMNS = ("serial", "store", "stage", "terminals")
REQUIRED = COLUMNS[:3]
SHOWN = 20  # of the lines that can't be used

Line = Mapping[str | None, object]


def terminals(text: str) -> tuple[str, ...]:
    """`T1,T2` or `T1 T2` as names; none when nothing is given."""
    return tuple(text.replace(",", " ").split())


def order(serial: str, store: str, stage: str, wanted: tuple[str, ...], settings: Settings) -> Order:
    """An order, with what isn't given taken from fleet.toml where that lists the till.

    Raises ProvisioningError for one that fleet.toml doesn't allow, or that lacks something.
    """
    listed = settings.tills.get(serial)
    given = {
        "serial": serial,
        "store": store or (listed.store if listed else ""),
        "stage": stage or (listed.stage if listed else ""),
    }
    if missing := [name for name in REQUIRED if not given[name]]:
        raise ProvisioningError(f"{', '.join(missing)} missing")
    made = Order(**given, terminals=wanted or (listed.terminals if listed else ("T1",)))
    check_order(made, settings)
    return made


def read_orders(path: Path, settings: Settings) -> list[Order]:
    """The orders in a CSV file. Raises ProvisioningError naming every line that can't be used, and why."""
    lines: dict[str, int] = {}
    orders = []
    problems = []
    for number, line in _lines(path):
        try:
            wanted = _order(line, settings)
        except ProvisioningError as error:
            problems.append(f"line {number}: {error}")
            continue
        orders.append(wanted)
        if wanted.serial in lines:
            problems.append(f"line {number}: {wanted.serial} is in line {lines[wanted.serial]} already")
        lines.setdefault(wanted.serial, number)
    if problems:
        more = len(problems) - SHOWN
        rest = f"; and {more} more" if more > 0 else ""
        raise ProvisioningError(f"{path}: no kit was made; {'; '.join(problems[:SHOWN])}{rest}")
    if not orders:
        raise ProvisioningError(f"{path} names no till: give a line per till below {','.join(COLUMNS)}")
    return orders


def _lines(path: Path) -> Iterator[tuple[int, Line]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            found = list(reader.fieldnames or ())
            if set(found) - set(COLUMNS) or set(REQUIRED) - set(found):
                raise ProvisioningError(f"{path} has the columns {','.join(found)}; give {','.join(COLUMNS)}")
            for line in reader:
                yield reader.line_num, line
    except OSError as error:
        raise ProvisioningError(f"{path} can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ProvisioningError(f"{path} can't be read as CSV: {error}") from error


def _order(line: Line, settings: Settings) -> Order:
    if None in line:
        raise ProvisioningError("more values than columns; terminals are separated by spaces")
    values = {name: str(line.get(name) or "").strip() for name in COLUMNS}
    return order(values["serial"], values["store"], values["stage"], terminals(values["terminals"]), settings)
