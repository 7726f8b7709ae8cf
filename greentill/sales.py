"""`greentill sales`: replay real baskets through a till; prove what the cloud holds."""

import asyncio
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import Progress
from rich.table import Table

from greentill.console import CommandError, JsonOption, err, out, print_json
from infra.errors import SettingsError
from sales import journal as journals
from sales.access import AccessError, cloud
from sales.baskets import baskets
from sales.dataset import DatasetError
from sales.findings import Group
from sales.reconcile import UnknownTillError, Verdict, find_till, reconcile
from sales.replay import Summary, replay
from sales.terminal import Settings, TillUnreachableError

app = typer.Typer()


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
    try:
        fleet = cloud()
        thing = find_till(fleet, till) if till else None
        verdict = reconcile(fleet, thing=thing, journal=journals.read(journal or []))
    except (SettingsError, AccessError, UnknownTillError, journals.JournalError) as error:
        raise CommandError(str(error)) from error
    except (ClientError, BotoCoreError) as error:
        raise CommandError(f"{error}; is the fleet deployed in this account and Region?") from error
    if as_json:
        print_json(verdict.document())
    else:
        _print_verdict(verdict)
    if not verdict.clean:
        raise typer.Exit(1)


def _print_verdict(verdict: Verdict) -> None:
    table = Table("till", "epoch", "seq", "heard", "in DynamoDB", "in S3", "lost", "doubled", "hash chain")
    for till in verdict.tills:
        figures: list[Any] = [
            till.in_table,
            till.in_bucket,
            till.count(Group.LOST),
            till.count(Group.DOUBLED),
        ]
        broken = till.count(Group.BROKEN)
        chain = f"{broken} faults" if broken else ("unbroken" if till.epochs else "")
        head = (till.head_epoch or "", str(till.head_seq or ""), (till.head_time or "never")[:19])
        table.add_row(till.thing, *head, *map(str, figures), chain)
    out.print(table)
    for till in verdict.tills:
        if till.after_head:
            _say(f"{till.thing}: {till.after_head} records came after the last head; they aren't judged yet")
        for note in till.notes:
            _say(f"{till.thing}: {note}")
    for finding in verdict.findings:
        out.print(str(finding), style="red", highlight=False, soft_wrap=True, markup=False)
    _say(_sentence(verdict))


def _sentence(verdict: Verdict) -> str:
    found = f"{verdict.count(Group.LOST)} lost, {verdict.count(Group.DOUBLED)} doubled"
    if not verdict.clean:
        return f"{found}, {verdict.count(Group.BROKEN)} broken."
    if not any(till.epochs for till in verdict.tills):
        return "Nothing is proven: the cloud has no record of a till yet."
    told = sum(till.acknowledged for till in verdict.tills)
    journals_too = f" All {told} receipts of the journals are among them." if told else ""
    return (
        f"{found}: every record up to each till's last seq is there once, in both places.{journals_too} "
        "What a till sold since it was heard isn't known here."
    )


def _say(text: str) -> None:
    out.print(text, highlight=False, soft_wrap=True, markup=False)
