"""`greentill till kit`: make what a new Pi needs to become a till, for one or for hundreds."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from fleet_provisioning.access import fleet_access, fleet_settings
from fleet_provisioning.batch import Outcome, make_all
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.kits import EXPIRES_DAYS, Kit, KitMaker
from fleet_provisioning.order import Order
from fleet_provisioning.orders import order, read_orders, terminals
from greentill.console import JsonOption, err, out, print_json
from greentill.kit_options import EnvironmentOption, ExpiresOption, RootCaOption, common
from greentill.till_speech import explained
from infra.settings import Settings

LINES = 10  # of progress, without a terminal


def kit_command(
    serial: Annotated[
        str | None, typer.Argument(help="The till's serial, on its case or in /proc/cpuinfo.")
    ] = None,
    *,
    out_dir: Annotated[
        Path, typer.Option("--out", help="The new folder for the kit (with --csv: for all kits).")
    ],
    store: Annotated[str | None, typer.Option(help="A store of fleet.toml.")] = None,
    stage: Annotated[str | None, typer.Option(help="A stage of fleet.toml.")] = None,
    serial_option: Annotated[str | None, typer.Option("--serial", help="The same as the argument.")] = None,
    terminal: Annotated[
        list[str] | None,
        typer.Option("--terminals", "--terminal", help="What sells through it: T1,T2. May be repeated."),
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Many kits: columns serial,store,stage,terminals.")
    ] = None,
    root_ca: RootCaOption = None,
    environment: EnvironmentOption = None,
    expires_days: ExpiresOption = EXPIRES_DAYS,
    as_json: JsonOption = False,
) -> None:
    """Register a new till and write the kit that makes a Pi into it; the kit holds a secret."""
    with explained():
        shared = common(root_ca, environment, expires_days)
        settings = fleet_settings()
        if serial and serial_option and serial != serial_option:
            raise ProvisioningError(f"{serial} and --serial {serial_option}: give one of them, or --csv FILE")
        if csv_file is None:
            wanted = [_order(settings, serial or serial_option or "", store, stage, terminal)]
        elif serial or serial_option or store or stage or terminal:
            raise ProvisioningError("give either --csv, or a serial with --store and --stage")
        else:
            wanted = read_orders(csv_file, settings)
        fleet = fleet_access(settings=settings)
        maker = KitMaker(fleet.session, fleet.names, fleet.settings, shared)
        if csv_file is None:
            _report_one(maker.make(wanted[0], out_dir), as_json=as_json)
        else:
            _make_many(maker, wanted, out_dir, as_json=as_json)


def _order(
    settings: Settings, serial: str, store: str | None, stage: str | None, terminal: list[str] | None
) -> Order:
    """The one that the options describe; fleet.toml knows store and stage of the tills that it lists."""
    if not serial or not (serial in settings.tills or (store and stage)):
        raise ProvisioningError("give a serial with --store and --stage, or --csv FILE")
    return order(serial, store or "", stage or "", terminals(",".join(terminal or [])), settings)


def _document(kit: Kit) -> dict[str, Any]:
    return {
        "thing": kit.thing,
        "serial": kit.serial,
        "folder": str(kit.folder),
        "claim_certificate_id": kit.claim_certificate_id,
        "claim_expires_at": _time(kit.claim_expires_at),
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _report_one(kit: Kit, *, as_json: bool) -> None:
    if as_json:
        print_json(_document(kit))
        return
    out.print(
        f"{kit.folder} is the kit of {kit.thing}; it holds a secret and works until "
        f"{_time(kit.claim_expires_at)}.\n"
        f"Copy the folder to the Pi and run there: sudo ./pi_bootstrap.sh",
        highlight=False,
        soft_wrap=True,
    )


def _make_many(maker: KitMaker, orders: list[Order], out_dir: Path, *, as_json: bool) -> None:
    """Make them all and exit 1 when any failed. What was done is told also when the run ends half-way."""
    outcomes: list[Outcome] = []
    try:
        with _progress(len(orders)) as advance:
            for outcome in make_all(maker, orders, out_dir):
                outcomes.append(outcome)
                advance()
    finally:
        _report_many(outcomes, len(orders), out_dir, as_json=as_json)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar for people; about ten plain lines without a terminal."""
    if err.is_terminal:
        with Progress(console=err) as bar:
            task = bar.add_task("making kits", total=total)
            yield lambda: bar.advance(task)
        return
    done = itertools.count(1)
    step = -(-total // LINES)

    def advance() -> None:
        if (number := next(done)) % step == 0 or number == total:
            err.print(f"{number} of {total} kits", highlight=False)

    yield advance


def _report_many(outcomes: Sequence[Outcome], wanted: int, out_dir: Path, *, as_json: bool) -> None:
    made = [outcome.kit for outcome in outcomes if outcome.kit and not outcome.already]
    already = [outcome.kit for outcome in outcomes if outcome.kit and outcome.already]
    failures = {outcome.order.serial: outcome.error for outcome in outcomes if outcome.error}
    open_yet = wanted - len(outcomes)
    if as_json:
        print_json(
            {
                "kits": [_document(kit) for kit in made],
                "already": [_document(kit) for kit in already],
                "failures": failures,
                "not_tried": open_yet,
            }
        )
        return
    for serial, reason in failures.items():
        err.print(f"{serial}: {reason}", highlight=False, soft_wrap=True, markup=False)
    rest = f", {open_yet} not tried" if open_yet else ""
    again = "; the same command goes on from here" if failures or open_yet else ""
    done = f"{len(made)} kits made in {out_dir}, {len(already)} made already, {len(failures)} failed"
    out.print(
        f"{done}{rest}{again}",
        highlight=False,
        soft_wrap=True,
    )
