"""Many kits in a process of its own, which tells its peak of memory: `kit_run CLONE CSV OUT CA`."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from fleet_provisioning.access import fleet_access
from fleet_provisioning.batch import make_all
from fleet_provisioning.kits import Common, KitMaker
from fleet_provisioning.orders import read_orders


def main(clone: str, csv: str, out: str, ca: str) -> None:
    fleet = fleet_access(Path(clone))
    maker = KitMaker(fleet.session, fleet.names, fleet.settings, Common(Path(ca).read_text()))
    counted = {"made": 0, "already": 0, "failed": 0}
    for outcome in make_all(maker, read_orders(Path(csv), fleet.settings), Path(out)):
        counted["failed" if outcome.error else "already" if outcome.already else "made"] += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(json.dumps({**counted, "peak_kib": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
