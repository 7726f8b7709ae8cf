"""Many kits in a process of its own, which tells its peak of memory: `kit_run CLONE CSV OUT CA`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fleet_provisioning.access import fleet_access
from fleet_provisioning.batch import make_all
from fleet_provisioning.kits import Common, KitMaker
from fleet_provisioning.orders import read_orders

FEW = 50


def main(clone: str, csv: str, out: str, ca: str) -> None:
    fleet = fleet_access(Path(clone))
    maker = KitMaker(fleet.session, fleet.names, fleet.settings, Common(Path(ca).read_text()))
    told = {"made": 0, "already": 0, "failed": 0}
    outcomes = make_all(maker, read_orders(Path(csv), fleet.settings), Path(out))
    for number, outcome in enumerate(outcomes, 1):
        told["failed" if outcome.error else "already" if outcome.already else "made"] += 1
        if number == FEW:
            told["peak_of_few_kib"] = peak_kib()
    sys.stdout.write(json.dumps({**told, "peak_kib": peak_kib()}))


def peak_kib() -> int:
    """This program's own high-water mark; getrusage's begins with that of the process it was forked from."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main(*sys.argv[1:])
