"""`greentill till`: make kits for new tills; see how tills are."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import Progress
from rich.table import Table

from fleet_provisioning.access import FleetAccess, fleet_access
from fleet_provisioning.errors import ProvisioningError
from fleet_provisioning.kits import EXPIRES_DAYS, Common, Kit, KitMaker, Order, make_all
from fleet_provisioning.orders import read_orders, terminals
from fleet_provisioning.root_ca import root_ca as read_root_ca
from fleet_provisioning.status import TillStatus, statuses
from greentill.console import CommandError, JsonOption, err, out, print_json
from infra.errors import SettingsError

app = typer.Typer()


@contextmanager
def _explained() -> Iterator[None]:
    """Errors that a user can do something about, as one sentence."""
    try:
        yield
    except (ProvisioningError, SettingsError) as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{error.filename or 'the kit'} can't be written: {error.strerror}") from error
    except (ClientError, BotoCoreError) as error:
        raise CommandError(f"{error}; is the fleet deployed in this account and Region?") from error


@app.command(
    "kit", epilog="Example: greentill till kit --serial 10000000abcd --store ST-367 --stage dev --out kit"
)
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
    root_ca: Annotated[
        Path | None, typer.Option(help="PEM authorities the till trusts; Amazon's roots by default.")
    ] = None,
    environment: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE for the Greengrass unit, such as a proxy. May be repeated."),
    ] = None,
    expires_days: Annotated[int, typer.Option(help="How long the kit can be used.")] = EXPIRES_DAYS,
    as_json: JsonOption = False,
) -> None:
    """Register a new till and write the kit that makes a Pi into it; the kit holds a secret."""
    with _explained():
        orders = _orders(csv_file, serial or serial_option, store, stage, terminal)
        common = Common(read_root_ca(root_ca), _pairs(environment or []), expires_days)
        fleet = fleet_access()
        maker = KitMaker(fleet.session, fleet.names, fleet.settings, common)
        if csv_file is None:
            _report_one(maker.make(orders[0], out_dir), as_json=as_json)
        else:
            _make_many(maker, orders, out_dir, as_json=as_json)


def _orders(
    csv_file: Path | None,
    serial: str | None,
    store: str | None,
    stage: str | None,
    terminal: list[str] | None,
) -> list[Order]:
    if csv_file is not None:
        if serial or store or stage or terminal:
            raise ProvisioningError("give either --csv, or a serial with --store and --stage")
        return read_orders(csv_file)
    if not (serial and store and stage):
        raise ProvisioningError("give a serial with --store and --stage, or --csv FILE")
    return [Order(serial, store, stage, terminals(",".join(terminal or [])))]


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise ProvisioningError(f"--environment {text}: give KEY=VALUE")
        pairs[key] = value
    return pairs


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
    """Make them all, tell the failures, and exit 1 when there are any."""
    kits: list[Kit] = []
    failures: dict[str, str] = {}
    with Progress(console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("making kits", total=len(orders))

        def made(order: Order, result: Kit | ProvisioningError) -> None:
            if isinstance(result, Kit):
                kits.append(result)
            else:
                failures[order.serial] = str(result)
            progress.advance(task)

        make_all(maker, orders, out_dir, made)
    if as_json:
        print_json({"kits": [_document(kit) for kit in kits], "failures": failures})
    else:
        for serial, reason in failures.items():
            err.print(f"{serial}: {reason}", highlight=False, soft_wrap=True)
        out.print(f"{len(kits)} kits in {out_dir}, {len(failures)} failed", highlight=False, soft_wrap=True)
    if failures:
        raise typer.Exit(1)


@app.command("status", epilog="Example: greentill till status --stage dev")
def status_command(
    *,
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    store: Annotated[str | None, typer.Option(help="Only this store.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the tills: where they belong, whether they have provisioned, what Greengrass last heard."""
    with _explained():
        fleet = fleet_access()
        found = list(statuses(fleet.session, fleet.names, _stages(fleet, stage), store=_store(fleet, store)))
    if as_json:
        print_json({"tills": [till.document() for till in found]})
    else:
        out.print(_table(found))
        out.print(f"{len(found)} tills", highlight=False)


def _stages(fleet: FleetAccess, stage: str | None) -> list[str]:
    known = sorted(fleet.settings.stages)
    if stage is not None and stage not in known:
        raise ProvisioningError(f"stage {stage!r} isn't in fleet.toml; there is: {', '.join(known)}")
    return known if stage is None else [stage]


def _store(fleet: FleetAccess, store: str | None) -> str | None:
    known = sorted(fleet.settings.stores)
    if store is not None and store not in known:
        raise ProvisioningError(f"store {store!r} isn't in fleet.toml; there is: {', '.join(known)}")
    return store


def _table(tills: list[TillStatus]) -> Table:
    """`connected` is left out where the account's fleet index doesn't tell it of any till."""
    indexed = any(till.connected is not None for till in tills)
    table = Table("till", "store", "stage", "terminals", "state", "health")
    for name in (*(["connected"] if indexed else []), "last heard"):
        table.add_column(name)
    for till in tills:
        connected = {True: "yes", False: "no", None: "?"}[till.connected]
        table.add_row(
            till.thing,
            till.store,
            till.stage,
            ",".join(till.terminals),
            till.state + (f" until {till.claim_expires_at[:10]}" if till.claim_expires_at else ""),
            till.health or "never heard",
            *([connected] if indexed else []),
            (till.heard_at or "")[:19],
        )
    table.columns[0].no_wrap = True
    return table
