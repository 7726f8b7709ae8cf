"""How `greentill sales` shows what it found: tables and sentences on standard output."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from greentill.console import err, out
from sales.explain import Explanation
from sales.export import Exported, decimal
from sales.findings import Group
from sales.reconcile import Verdict
from sales.till_ledger.check import LedgerReport
from sales.till_ledger.delivery import Recovery

EVERY = 1_000  # a count on the screen moves this often


@contextmanager
def progress(doing: str, what: str) -> Iterator[Callable[[int], None]]:
    """A running count on standard error; nothing where nobody watches. May be told from several threads."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as shown:
        task = shown.add_task(doing, total=None)
        done = 0

        def counted(count: int) -> None:
            nonlocal done
            done += count
            if done % EVERY < count:
                shown.update(task, completed=done, description=f"{doing}, {done:,} {what}")

        yield counted


def ledger(report: LedgerReport) -> None:
    table = Table("epoch", "opened", "records", "seq", "sales", "receipts", "until")
    for epoch in report.epochs:
        receipts = f"{epoch.first_receipt} to {epoch.last_receipt}" if epoch.first_receipt else "none"
        table.add_row(
            epoch.epoch,
            epoch.opened or "before",
            f"{epoch.records:,}",
            f"{epoch.first} to {epoch.last}",
            f"{epoch.sales:,}",
            receipts,
            epoch.to_time,
        )
    out.print(table)
    for note in report.notes:
        _line(note)
    for fault in report.faults:
        _line(str(fault), style="red")
    if report.fault_count > len(report.faults):
        _line(f"and {_faults(report.fault_count - len(report.faults), 'more ')}", style="red")
    verdict = "sound" if report.sound else _faults(report.fault_count)
    _line(f"{report.path}: the ledger of {report.thing}, {report.records:,} records, {verdict}")


def _faults(count: int, which: str = "") -> str:
    return f"{count} {which}fault{'' if count == 1 else 's'}"


def recovery(found: Recovery) -> None:
    ledger(found.report)
    for conflict in found.conflicts:
        _line(conflict, style="red")
    table = f"{found.missing_in_table:,} records that the table lacked"
    bucket = f"{found.missing_in_bucket:,} that the bucket lacked"
    missing = found.missing_in_table or found.missing_in_bucket
    if found.delivered and missing:
        _line(f"Delivered: {table}, {bucket}. Now run: greentill sales reconcile --till {found.report.thing}")
    elif missing:
        _line(f"To deliver: {table}, {bucket}. Run it again with --deliver to do so.")
    else:
        _line("Nothing to deliver: the cloud has every record of it that is sound.")


def exported(files: Sequence[Exported]) -> None:
    for file in files:
        totals = ", ".join(f"{decimal(amount, code)} {code}" for code, amount in file.totals.items())
        _line(f"{file.path}: {file.rows:,} rows, {totals or 'no sales'}")


def explanation(found: Explanation) -> None:
    table = Table("hop", "there", "time", "what")
    for hop in found.hops:
        there = {True: "yes", False: "no", None: "?"}[hop.there]
        table.add_row(hop.name, there, hop.time or "", hop.detail)
    if found.hops:
        out.print(table)
    _line(found.conclusion)


def verdict(found: Verdict) -> None:
    table = Table("till", "epoch", "seq", "heard", "in DynamoDB", "in S3", "lost", "doubled", "hash chain")
    for till in found.tills:
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
    for till in found.tills:
        if till.after_head:
            _line(f"{till.thing}: {till.after_head} records came after the last head; they aren't judged yet")
        for note in till.notes:
            _line(f"{till.thing}: {note}")
    for finding in found.findings:
        _line(str(finding), style="red")
    _line(_conclusion(found))


def _conclusion(found: Verdict) -> str:
    counts = f"{found.count(Group.LOST)} lost, {found.count(Group.DOUBLED)} doubled"
    if not found.clean:
        return f"{counts}, {found.count(Group.BROKEN)} broken."
    if not any(till.epochs for till in found.tills):
        return "Nothing is proven: the cloud has no record of a till yet."
    told = sum(till.acknowledged for till in found.tills)
    journals_too = f" All {told} receipts of the journals are among them." if told else ""
    return (
        f"{counts}: every record up to each till's last seq is there once, in both places.{journals_too} "
        "What a till sold since it was heard isn't known here."
    )


def _line(text: str, **style: Any) -> None:
    out.print(text, highlight=False, soft_wrap=True, markup=False, **style)
