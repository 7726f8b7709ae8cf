"""`greentill catalogue`: what stores sell, made into snapshots and published for their tills."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table

from catalogue import demo
from catalogue import products as shelf_products
from catalogue.errors import CatalogueError, ProductsError
from catalogue.products import Product
from catalogue.publish import Latest, Outcome, Shelf, latest, publish
from fleet_provisioning.access import FleetAccess, fleet_access
from fleet_provisioning.errors import ProvisioningError
from greentill.console import CommandError, JsonOption, err, out, print_json
from infra.errors import SettingsError
from infra.settings import Store
from sales.dataset import DatasetError

app = typer.Typer()

MOST_PROBLEMS = 200  # lines of a wrong file that are printed; --json has all


@app.command("publish")
def publish_command(
    products: Annotated[
        Path,
        typer.Argument(help="CSV: sku, description, department, unit_price, tax_code, sold_by, barcodes."),
    ],
    *,
    store: Annotated[list[str] | None, typer.Option(help="A store of fleet.toml. May be repeated.")] = None,
    all_stores: Annotated[bool, typer.Option("--all-stores", help="Every store of fleet.toml.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and build, but publish nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Give stores a new catalogue; their tills fetch it within minutes and sell by it from the next sale on.

    A store that has these products already is left alone. Every bad line of the file is named.

    Example: greentill catalogue publish products.csv --store ST-367
    """
    found = _read(products, as_json=as_json)
    with _explained():
        access = fleet_access()
        stores = _chosen(access, store or [], all_stores=all_stores)
        with tempfile.TemporaryDirectory(prefix="catalogue-") as folder:
            shelf = Shelf(access.session.client("s3"), access.names.artifact_bucket, Path(folder), dry_run)
            outcomes = publish(
                shelf, found, stores, datetime.now(UTC), lambda line: err.print(line, highlight=False)
            )
    _print(outcomes, len(found), dry_run=dry_run, as_json=as_json)


@app.command("status")
def status_command(as_json: JsonOption = False) -> None:
    """Which catalogue each store of fleet.toml has.

    Example: greentill catalogue status
    """
    with _explained():
        access = fleet_access()
        s3 = access.session.client("s3")
        found = {store: latest(s3, access.names.artifact_bucket, store) for store in access.settings.stores}
    if as_json:
        print_json([{"store": store, **_document(one)} for store, one in found.items()])
        return
    table = Table("store", "version", "made at", "bytes")
    for store, one in found.items():
        table.add_row(store, *((one.version, one.made_at, f"{one.size:,}") if one else ("none yet", "", "")))
    out.print(table)


@app.command("demo-products")
def demo_products_command(
    target: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    *,
    store: Annotated[
        int | None, typer.Option(help="Only what this store of the data set sold, such as 367.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the products of the real data set, at the prices seen most often, as `publish` takes them.

    Example: greentill catalogue demo-products products.csv --store 367
    """
    try:
        found = list(
            demo.products(store)
        )  # whole before anything is written: a file in its place stays otherwise
    except DatasetError as error:
        raise CommandError(str(error)) from error
    if not found:
        raise CommandError(f"the data set has no store {store}; try 367 or 406")
    try:
        count = shelf_products.write(target, found)
    except OSError as error:
        raise CommandError(f"{target} can't be written: {error.strerror}") from error
    if as_json:
        print_json({"file": str(target), "products": count})
    else:
        out.print(f"{count} products in {target}", highlight=False)


def _read(path: Path, *, as_json: bool) -> list[Product]:
    try:
        return shelf_products.read(path)
    except ProductsError as error:
        if as_json:
            print_json({"problems": error.problems})
        else:
            err.print(
                *error.problems[:MOST_PROBLEMS], sep="\n", highlight=False, markup=False, soft_wrap=True
            )
        raise CommandError(str(error)) from error


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (SettingsError, ProvisioningError, CatalogueError) as error:
        raise CommandError(str(error)) from error
    except (ClientError, BotoCoreError) as error:
        raise CommandError(f"{error}; is the fleet deployed in this account and Region?") from error


def _chosen(access: FleetAccess, wanted: Sequence[str], *, all_stores: bool) -> list[Store]:
    known = access.settings.stores
    if all_stores == bool(wanted):
        raise CommandError("name stores with --store, or take all of them with --all-stores")
    if unknown := [name for name in wanted if name not in known]:
        raise CommandError(f"fleet.toml has no store {', '.join(unknown)}; known are {', '.join(known)}")
    return list(known.values()) if all_stores else [known[name] for name in dict.fromkeys(wanted)]


def _print(outcomes: Sequence[Outcome], products: int, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        documents = [outcome.document() for outcome in outcomes]
        print_json({"products": products, "dry_run": dry_run, "stores": documents})
        return
    table = Table("store", "version", "bytes", "")
    said = "would be published" if dry_run else "published"
    for one in outcomes:
        table.add_row(
            one.store, one.latest.version, f"{one.latest.size:,}", said if one.changed else "has it already"
        )
    out.print(table)


def _document(one: Latest | None) -> dict[str, object]:
    if one is None:
        return {"version": None}
    return {"version": one.version, "made_at": one.made_at, "size": one.size, "sha256": one.sha256}
