"""`greentill sales`: replay, prove, explain and export sales; check and recover a till's ledger."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import Progress

from greentill import sales_output as show
from greentill.console import CommandError, JsonOption, err, out, print_json
from greentill.sales_output import progress
from greentill.sales_recompute import recompute_command
from infra.errors import SettingsError
from infra.settings import load
from sales import journal as journals
from sales.access import ROOT, AccessError, cloud
from sales.baskets import baskets
from sales.dataset import DatasetError
from sales.explain import ExplainError, explain, series_of
from sales.export import Exported, ExportError, days, export
from sales.reconcile import Cloud, UnknownTillError, find_till, reconcile
from sales.replay import Summary, replay
from sales.terminal import Settings, TillUnreachableError
from sales.till_ledger.check import check
from sales.till_ledger.delivery import DeliveryError, recover
from sales.till_ledger.file import LedgerFileError, expect_ledger

app = typer.Typer()
app.command("recompute")(recompute_command)
LedgerArgument = Annotated[
    Path, typer.Argument(help="A till's ledger.db; its -wal is read too if it is beside.")
]
EXPECTED = (
    *(SettingsError, AccessError, journals.JournalError, LedgerFileError),
    *(DeliveryError, ExplainError, ExportError, UnknownTillError, OSError),
)


@contextmanager
def _sentences() -> Iterator[None]:
    """What is expected to fail, in one sentence that says what to do."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise CommandError(f"{error}; is the fleet deployed in this account and Region?") from error
    except EXPECTED as error:
        raise CommandError(str(error)) from error


@app.command(
    "replay",
    epilog="Example: greentill sales replay --till-url http://127.0.0.1:8080 --journal journal.jsonl",
)
def replay_command(
    *,
    till_url: Annotated[str, typer.Option(help="Where the till answers, such as http://127.0.0.1:8080.")],
    journal: Annotated[Path, typer.Option(help="What was acknowledged goes here, a line per basket.")],
    store: Annotated[int, typer.Option(help="A store of the data set.")] = 367,
    baskets_wanted: Annotated[int, typer.Option("--baskets", min=1, help="How many baskets.")] = 100,
    terminal: Annotated[str, typer.Option(help="The terminal that sells.")] = "T1",
    within: Annotated[float, typer.Option(help="Give up after this many seconds.")] = 600.0,
    as_json: JsonOption = False,
) -> None:
    """Sell real baskets through a till; exit 1 unless each got its receipt.

    With the journal of an earlier run, goes on where that one stopped.
    """
    if not _is_address(till_url):
        raise CommandError(f"--till-url {till_url!r} is no address; give one such as http://127.0.0.1:8080")
    try:
        kept = journals.Journal(journal)
        chosen = list(baskets([store], limit_per_store=baskets_wanted))
    except (DatasetError, journals.JournalError) as error:
        raise CommandError(str(error)) from error
    if not chosen:
        raise CommandError(f"the data set has no store {store}; try 367 or 406")
    with Progress(console=err, disable=not err.is_terminal) as progress:
        task = progress.add_task("selling", total=len(chosen))
        work = replay(
            chosen,
            Settings(till_url, terminal=terminal),
            kept,
            within=within,
            progress=lambda _: progress.advance(task),
        )
        try:
            summary = asyncio.run(work)
        except (TillUnreachableError, journals.JournalError) as error:
            raise CommandError(str(error)) from error
    _print_summary(summary, journal, as_json=as_json)
    if not summary.complete:
        raise typer.Exit(1)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _print_summary(summary: Summary, journal: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(summary.document())
        return
    out.print(
        f"{summary.acknowledged} baskets acknowledged, {summary.money / 100:,.2f}; "
        f"slowest {summary.slowest_online * 1000:.0f} ms; journal in {journal}"
    )
    for problem in summary.problems:
        err.print(problem, highlight=False)
    if summary.left:
        err.print(f"{summary.left} baskets were not tried in the time allowed; run the same again to go on")


@app.command(
    "reconcile", epilog="Example: greentill sales reconcile --till LOBBY0001 --journal journal.jsonl"
)
def reconcile_command(
    till: Annotated[str | None, typer.Option(help="Only this till: its serial or thing name.")] = None,
    journal: Annotated[
        list[Path] | None, typer.Option(help="A replay's journal: what terminals were told. May be repeated.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that the cloud has every sale once, unbroken; exit 1 when one is lost, doubled or broken."""
    with _sentences(), progress("checking", "records") as counted:
        journals.expect(journal or [])
        fleet = cloud()
        thing = find_till(fleet, till) if till else None
        verdict = reconcile(fleet, thing=thing, journal=journals.read(journal or []), counted=counted)
    if as_json:
        print_json(verdict.document())
    else:
        show.verdict(verdict)
    if not verdict.clean:
        raise typer.Exit(1)


@app.command("verify")
def verify_command(ledger: LedgerArgument, *, as_json: JsonOption = False) -> None:
    """Check every hash, link and receipt of a ledger in hand, without touching it; exit 1 on any fault.

    Example: greentill sales verify /media/card/var/lib/greentill/ledger.db
    """
    with _sentences(), progress("checking", "records") as counted:
        report = check(ledger, counted)
    if as_json:
        print_json(report.document())
    else:
        show.ledger(report)
    if not report.sound:
        raise typer.Exit(1)


@app.command("recover")
def recover_command(
    ledger: LedgerArgument,
    *,
    deliver: Annotated[bool, typer.Option("--deliver", help="Deliver it; without, only say what.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what a dead till's ledger holds that the cloud doesn't, and deliver it under the till's own keys.

    Records that don't verify are left out. Repeating it changes nothing. Exit 1 unless the cloud then has
    everything. Not for the ledger of a till that still runs: that one delivers by itself.

    Example: greentill sales recover /media/card/var/lib/greentill/ledger.db --deliver
    """
    with _sentences(), progress("recovering", "records") as counted:
        expect_ledger(ledger)
        recovery = recover(ledger, cloud(), deliver=deliver, progress=counted)
    if as_json:
        print_json(recovery.document())
    else:
        show.recovery(recovery)
    if not recovery.complete:
        raise typer.Exit(1)


@app.command("export")
def export_command(
    *,
    store: Annotated[str, typer.Option(help="The store, as fleet.toml names it.")],
    dates: Annotated[
        list[str], typer.Option("--date", help="A business date, or FIRST..LAST. May be repeated.")
    ],
    folder: Annotated[Path, typer.Option("--out", help="The folder for the files, one per day.")] = Path(),
    lines: Annotated[bool, typer.Option("--lines", help="A row per line instead of per receipt.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a store's sales, refunds and voids as CSV, with exact decimal amounts.

    Example: greentill sales export --store ST-367 --date 2026-11-01..2026-11-20 --out november
    """
    with _sentences(), progress("exporting", "records") as counted:
        wanted = [day for text in dates for day in days(text)]
        fleet = cloud()
        files = [export(fleet, store, day, folder, per_line=lines, progress=counted) for day in wanted]
        _expect_store(store, files)
    if as_json:
        print_json([file.document() for file in files])
    else:
        show.exported(files)


def _expect_store(store: str, files: list[Exported]) -> None:
    """A store that sold nothing may be mistyped; one that was closed is no longer listed, but has records."""
    known = load(ROOT).stores
    if store in known or any(file.records for file in files):
        return
    for file in files:
        file.path.unlink()
    raise CommandError(
        f"fleet.toml has no store {store}, and nothing was sold there; known are {', '.join(known)}"
    )


@app.command("explain")
def explain_command(
    receipt: Annotated[str, typer.Argument(help="The number on the receipt, such as K3M9QZ-000000042.")],
    *,
    till: Annotated[
        str | None, typer.Option(help="Its till, where that is known: serial or thing name.")
    ] = None,
    ledger: Annotated[Path | None, typer.Option(help="The till's ledger.db, where that is in hand.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Follow a receipt from the terminal to the cloud, hop by hop; exit 1 unless it has arrived.

    Example: greentill sales explain K3M9QZ-000000042 --till greentill-LOBBY0001
    """
    with _sentences():
        series_of(receipt)
        if ledger is not None:
            expect_ledger(ledger)
        fleet = cloud()
        found = explain(fleet, receipt, till=_thing(fleet, till, ledger), ledger=ledger)
    if as_json:
        print_json(found.document())
    else:
        show.explanation(found)
    if not found.complete:
        raise typer.Exit(1)


def _thing(fleet: Cloud, till: str | None, ledger: Path | None) -> str | None:
    """The till's thing name. The ledger in hand may be of a till that the cloud never heard of."""
    try:
        return find_till(fleet, till) if till else None
    except UnknownTillError:
        if ledger is None:
            raise
        return till
