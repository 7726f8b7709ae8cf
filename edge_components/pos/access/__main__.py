"""Add, change or remove a cashier on this till: `python -m edge_components.pos.access C1 --name Ana`."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from pathlib import Path

from .access import cashiers_path
from .cashiers import ROLES, Cashier, CashierError, remove, save
from .pins import PinError, Pins


def main() -> None:
    arguments = _arguments()
    path = cashiers_path(arguments.data_dir)
    try:
        if arguments.remove:
            remove(path, arguments.cashier)
            return
        cashier = _ask(arguments)
    except (CashierError, PinError, OSError) as error:
        sys.exit(str(error))
    if arguments.print:
        entry = {"name": cashier.name, "role": cashier.role, "pin_hash": cashier.pin_hash}
        sys.stdout.write(json.dumps({"cashiers": {cashier.cashier: entry}}) + "\n")
    else:
        save(path, cashier)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pos.access", description=__doc__)
    parser.add_argument("cashier", help="what the cashier signs in as, such as C1")
    parser.add_argument("--name", help="as the page greets")
    parser.add_argument("--role", choices=ROLES, default="cashier")
    parser.add_argument("--data-dir", type=Path, default=Path("/var/lib/greentill"))
    parser.add_argument("--print", action="store_true", help="for the configuration, not the file")
    parser.add_argument("--remove", action="store_true")
    return parser.parse_args()


def _ask(arguments: argparse.Namespace) -> Cashier:
    """The PIN is asked for, or read from standard input where that is no terminal."""
    if sys.stdin.isatty():
        pin = getpass.getpass("PIN (4 to 12 digits): ")
        if getpass.getpass("Again: ") != pin:
            raise PinError("the two PINs differ")
    else:
        pin = sys.stdin.readline().strip()
    name = arguments.name or arguments.cashier
    return Cashier(arguments.cashier, name, arguments.role, Pins().hash(pin))


if __name__ == "__main__":
    main()
