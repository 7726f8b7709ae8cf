"""Where one receipt is: every hop from the terminal to the cloud with its time, and what is still to come."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_components.edgekit import record
from sales import in_table, receipts
from sales.reconcile import Cloud

RECEIPT = re.compile(r"([0-9A-Z]{1,12})-([0-9]{1,9})")


class ExplainError(Exception):
    """The question can't be answered; the text says what to do."""


@dataclass(frozen=True)
class Hop:
    """One place where the sale should be. `there` is None where nobody can say."""

    name: str
    there: bool | None
    time: str | None
    detail: str

    def document(self) -> dict[str, Any]:
        return vars(self)


@dataclass
class Explanation:
    receipt: str
    thing: str | None = None
    epoch: str | None = None
    seq: int | None = None
    hops: list[Hop] = field(default_factory=list)
    conclusion: str = ""
    complete: bool = False

    def document(self) -> dict[str, Any]:
        return {**vars(self), "hops": [hop.document() for hop in self.hops]}


def explain(
    cloud: Cloud,
    receipt: str,
    *,
    till: str | None = None,
    ledger: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Explanation:
    """Follow a receipt number through the fleet, or one till of it. Raises ExplainError, LedgerFileError."""
    name = series_of(receipt)
    found = Explanation(receipt)
    held = receipts.in_ledger(ledger, receipt) if ledger else None
    if held is not None:
        found.thing, found.epoch = held["thing"], held["epoch"]
    elif (place := receipts.place(cloud, name, till, progress)) is not None:
        found.thing, found.epoch = place
    else:
        found.conclusion = _nowhere(name, till)
        return found
    _follow(cloud, found, held, given=ledger is not None)
    return found


def series_of(receipt: str) -> str:
    """The series that a receipt's number begins with. Raises ExplainError for what is no such number."""
    match = RECEIPT.fullmatch(receipt)
    if not match:
        raise ExplainError(f"{receipt!r} is no receipt number; it looks like K3M9QZ-000000042")
    return match[1]


def _nowhere(name: str, till: str | None) -> str:
    where = f"till {till}" if till else "any till that the cloud knows"
    return (
        f"The cloud has no epoch with the receipts {name} of {where}: the number is misread, or its till has "
        "not been heard since; look at the till, or give its ledger with --ledger."
    )


def _follow(cloud: Cloud, found: Explanation, held: Mapping[str, Any] | None, *, given: bool) -> None:
    thing, epoch = str(found.thing), str(found.epoch)
    entry = receipts.in_the_table(cloud, thing, epoch, found.receipt, held)
    in_the_table = record.parse(entry["record"]["S"]) if entry else None
    number = int(found.receipt.rpartition("-")[2])
    segment, lines = receipts.in_segments(
        cloud, thing, epoch, number, (in_the_table or held or {}).get("seq")
    )
    in_the_bucket = next((line for line in lines if line["receipt_no"] == found.receipt), None)
    content = in_the_table or in_the_bucket or held
    head = in_table.head(cloud.dynamodb, cloud.names.sales_table, thing)
    if content is not None:
        found.seq = content["seq"]
        found.hops += [_terminal(content), _ledger(content, in_hand=held is not None)]
    elif given:
        found.hops.append(Hop("ledger", False, None, "not in the ledger given"))
    found.hops.append(_table(cloud, entry))
    found.hops.append(_segment(segment if in_the_bucket else None))
    passed = head is not None and found.seq is not None and (epoch, found.seq) <= (head.epoch, head.seq)
    about = f"epoch {head.epoch} seq {head.seq}" if head else "none heard"
    found.hops.append(Hop("head", passed, head.time if head else None, about))
    found.complete = bool(in_the_table and in_the_bucket)
    found.conclusion = _conclusion(found, table=bool(in_the_table), bucket=bool(in_the_bucket), passed=passed)


def _terminal(content: Mapping[str, Any]) -> Hop:
    about = f"{content['kind']} at {content['terminal']} by {content['cashier']}, store {content['store']}"
    return Hop("terminal", True, content["body"].get("sold_at"), about)


def _ledger(content: Mapping[str, Any], *, in_hand: bool) -> Hop:
    clock = "" if content["clock_synchronized"] else ", by a clock that was not synchronized"
    where = "read from the ledger given" if in_hand else "as its record says"
    about = f"epoch {content['epoch']} seq {content['seq']} hash {content['hash'][:8]}, {where}{clock}"
    return Hop("ledger", True, content["recorded_at"], about)


def _table(cloud: Cloud, entry: Mapping[str, Any] | None) -> Hop:
    where = cloud.names.sales_table
    about = f"{where}: {entry['sk']['S']} (DynamoDB keeps no time of arrival)" if entry else f"not in {where}"
    return Hop("table", entry is not None, None, about)


def _segment(listed: Mapping[str, Any] | None) -> Hop:
    if listed is None:
        return Hop("segment", False, None, "in no segment in the bucket")
    return Hop("segment", True, listed["LastModified"].isoformat(), listed["Key"])


def _conclusion(found: Explanation, *, table: bool, bucket: bool, passed: bool) -> str:
    if table and bucket:
        return "The sale is in the cloud, in both places; nothing is to be done."
    if passed:
        lacking = " and ".join(name for name, there in (("table", table), ("bucket", bucket)) if not there)
        return (
            f"The till delivered it, but the {lacking} lacks it: run greentill sales reconcile "
            f"--till {found.thing}, and recover it from the till's ledger with greentill sales recover."
        )
    if table or bucket:
        waits = "its segment is still open on the till" if table else "the table's delivery is behind"
        return f"On its way: {waits}. If that lasts longer than an hour, look at the till's sync log."
    return (
        f"It has not left the till {found.thing} as far as the cloud knows: bring the till online; "
        "if it is dead, keep its card and run greentill sales recover on its ledger.db."
    )
