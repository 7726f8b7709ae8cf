"""Every record of a ledger in hand: its hash, its link to the one before, its receipt, its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_components.edgekit import record
from edge_components.edgekit.ledger import Row
from edge_components.edgekit.record import ZERO_HASH, RecordError
from sales.copies import money
from sales.till_ledger.file import LedgerFile, open_copy
from sales.verified import HashError, verified

MOST_FAULTS = 1_000  # listed; all are counted
COLUMNS = ("epoch", "seq", "kind", "sale_id", "receipt_no", "business_date", "recorded_at", "hash")


@dataclass(frozen=True)
class Fault:
    """One thing that doesn't hold; of the whole file where epoch is None."""

    epoch: str | None
    seq: int | None
    reason: str

    def __str__(self) -> str:
        return self.reason if self.epoch is None else f"epoch {self.epoch} seq {self.seq}: {self.reason}"


@dataclass
class EpochReport:
    """What a ledger holds of one epoch. Money in minor units, sales less refunds and voids."""

    epoch: str
    first: int
    opened: str | None = None
    last: int = 0
    last_hash: str = ""
    from_time: str = ""
    to_time: str = ""
    records: int = 0
    sales: int = 0
    money: int = 0
    first_receipt: str | None = None
    last_receipt: str | None = None


@dataclass
class LedgerReport:
    path: Path
    thing: str = "?"
    schema_version: str | None = None
    epochs: list[EpochReport] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not self.fault_count

    @property
    def records(self) -> int:
        return sum(epoch.records for epoch in self.epochs)

    def add(self, fault: Fault) -> None:
        self.fault_count += 1
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)

    def document(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "sound": self.sound,
            "thing": self.thing,
            "schema_version": self.schema_version,
            "records": self.records,
            "epochs": [vars(epoch) for epoch in self.epochs],
            "fault_count": self.fault_count,
            "faults": [{**vars(fault), "text": str(fault)} for fault in self.faults],
            "notes": self.notes,
        }


Progress = Callable[[int], None]


def quietly(_: int) -> None:
    """Nobody watches."""


def check(path: Path, progress: Progress = quietly) -> LedgerReport:
    """Check a whole ledger; `progress` is told of each record. Raises LedgerFileError."""
    report = LedgerReport(path)
    with open_copy(path) as ledger:
        for _ in sound_rows(ledger, report, progress):
            pass
    return report


def sound_rows(ledger: LedgerFile, report: LedgerReport, progress: Progress = quietly) -> Iterator[Row]:
    """The rows whose record is what it was when it was written; what isn't goes to `report`."""
    for finding in ledger.quick_check():
        report.add(Fault(None, None, f"SQLite finds: {finding}"))
    meta = ledger.meta()
    report.thing, report.schema_version = meta.get("thing", "?"), meta.get("schema_version")
    chain = _Chain(report, ledger.dropped())
    for row in ledger.rows():
        progress(1)
        if not _typed(row):
            report.add(Fault(_text(row.epoch), None, f"seq {row.seq!r:.40}: its columns are not a record's"))
            continue
        content, reason = _content(row)
        if content is not None and content["thing"] != report.thing and report.thing != "?":
            reason = f"it is of {content['thing']}, the ledger of {report.thing}"
        if reason is not None:
            report.add(Fault(row.epoch, row.seq, reason))
        chain.follow(row, content)
        whole = row if reason is None else _of_record(row, content, report.thing)
        if whole is not None:
            yield whole
    for damage in ledger.damage:
        report.add(Fault(None, None, damage))


def _typed(row: Row) -> bool:
    """Whether each column holds what its name says: SQLite keeps any value in any of them."""
    texts = (row.epoch, row.kind, row.business_date, row.recorded_at, row.hash, row.record)
    maybe = (row.sale_id, row.receipt_no)
    return (
        type(row.seq) is int
        and all(isinstance(one, str) for one in texts)
        and all(one is None or isinstance(one, str) for one in maybe)
    )


def _text(found: object) -> str | None:
    return found if isinstance(found, str) else None


def _content(row: Row) -> tuple[Mapping[str, Any] | None, str | None]:
    """The record in a row, and why it can't be taken; no record where there is none to speak of."""
    try:
        content = verified(row.record.encode())
    except HashError:
        return record.parse(row.record), "the hash is not that of the record"
    except (RecordError, UnicodeEncodeError) as error:
        return None, f"it is no record: {error}"
    wrong = [name for name in COLUMNS if getattr(row, name) != content[name]]
    return content, f"its columns {', '.join(wrong)} differ from the record" if wrong else None


def _of_record(row: Row, content: Mapping[str, Any] | None, thing: str) -> Row | None:
    """The row as its record has it, where that is whole and in its place: columns are only copies of it."""
    if content is None or (content["thing"], content["epoch"], content["seq"]) != (thing, row.epoch, row.seq):
        return None
    if not record.text_has_hash(row.record, str(content["hash"])):
        return None
    return Row(**{name: content[name] for name in COLUMNS}, record=row.record)


class _Chain:
    """Follows links, numbers and receipts, row by row."""

    def __init__(self, report: LedgerReport, dropped: Mapping[str, tuple[int, str]]) -> None:
        self._report = report
        self._dropped = dropped
        self._last: Row | None = None
        self._receipt: tuple[str, int] | None = None

    def follow(self, row: Row, content: Mapping[str, Any] | None) -> None:
        last = self._last
        if last is None or last.epoch != row.epoch:
            self._begin(row, content)
        elif row.seq != last.seq + 1:
            missing = (
                f"seq {last.seq + 1} to {row.seq - 1}" if row.seq > last.seq + 2 else f"seq {last.seq + 1}"
            )
            self._fault(row, f"{missing} before it is missing")
            self._receipt = None
        elif content is not None and content["prev_hash"] != last.hash:
            self._fault(row, f"it does not follow from seq {last.seq}: prev_hash is not that one's hash")
        self._count(row, content)
        self._numbered(row)
        self._last = row

    def _begin(self, row: Row, content: Mapping[str, Any] | None) -> None:
        self._receipt = None
        opened = None
        if row.seq == 1 and content is not None:
            opened = content["body"].get("reason") if isinstance(content["body"], dict) else None
            if content["prev_hash"] != ZERO_HASH:
                self._fault(row, "an epoch's first record must follow nothing")
            self._after_previous(row, content)
        elif row.epoch in self._dropped:
            self._after_retention(row, content)
        elif row.seq != 1 and self._last is not None:
            self._fault(row, f"seq 1 to {row.seq - 1} before it are missing")
        elif row.seq != 1:
            note = f"epoch {row.epoch} begins at seq {row.seq}: retention has dropped what came before"
            self._report.notes.append(note)
        self._report.epochs.append(EpochReport(row.epoch, row.seq, opened, from_time=row.recorded_at))

    def _after_retention(self, row: Row, content: Mapping[str, Any] | None) -> None:
        """What retention left must go on from what it dropped."""
        seq, last_hash = self._dropped[row.epoch]
        self._report.notes.append(f"epoch {row.epoch}: retention has dropped its records up to seq {seq}")
        if row.seq > seq + 1:
            self._fault(row, f"seq {seq + 1} to {row.seq - 1} before it are missing")
        elif content is not None and content["prev_hash"] != last_hash:
            self._fault(row, f"it does not follow from seq {seq}, which retention dropped")

    def _after_previous(self, row: Row, content: Mapping[str, Any]) -> None:
        """An epoch names the end of the one before, where it knew it."""
        previous = content["body"].get("previous") if isinstance(content["body"], dict) else None
        last = self._last
        if not previous or last is None or previous.get("epoch") != last.epoch:
            return
        if previous.get("seq") != last.seq:
            self._fault(row, f"epoch {last.epoch} ended with seq {previous.get('seq')}, found is {last.seq}")
        elif previous.get("hash") != last.hash:
            self._fault(row, f"epoch {last.epoch} ended with another record at seq {last.seq}")

    def _count(self, row: Row, content: Mapping[str, Any] | None) -> None:
        epoch = self._report.epochs[-1]
        epoch.records += 1
        epoch.last, epoch.last_hash, epoch.to_time = row.seq, row.hash, row.recorded_at
        if content is not None:
            epoch.sales += content["kind"] == "sale"
            epoch.money += _money(content)

    def _numbered(self, row: Row) -> None:
        if row.receipt_no is None:
            return
        epoch = self._report.epochs[-1]
        epoch.first_receipt = epoch.first_receipt or row.receipt_no
        epoch.last_receipt = row.receipt_no
        series, _, digits = row.receipt_no.rpartition("-")
        number = int(digits) if digits.isdigit() else -1
        expected = self._receipt
        if expected is None and epoch.first == 1 and epoch.records == row.seq:
            expected = (series, 0)
        if expected is not None and (series, number) != (expected[0], expected[1] + 1):
            self._fault(row, f"receipt {row.receipt_no} does not follow {expected[0]}-{expected[1]:09d}")
        self._receipt = (series, number)

    def _fault(self, row: Row, reason: str) -> None:
        self._report.add(Fault(row.epoch, row.seq, reason))


def _money(content: Mapping[str, Any]) -> int:
    try:
        return money(content)
    except (KeyError, TypeError, ValueError):
        return 0  # a damaged record is a fault already


def total_money(epochs: Iterable[EpochReport]) -> int:
    return sum(epoch.money for epoch in epochs)
