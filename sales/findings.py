"""What a reconciliation can find, and how bad each is."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

MOST_LISTED = 10_000  # findings of one till


class Group(StrEnum):
    LOST = "lost"
    DOUBLED = "doubled"
    BROKEN = "broken"


class Kind(StrEnum):
    """Each kind's text reads on after "till X epoch Y seq Z:"."""

    MISSING = "in neither the table nor the bucket"
    MISSING_IN_TABLE = "missing in the table"
    MISSING_IN_BUCKET = "missing in the bucket"
    ACKNOWLEDGED_MISSING = "acknowledged to the terminal, but missing"
    DOUBLED_IN_TABLE = "more than once in the table"
    DOUBLED_IN_BUCKET = "more than once in the bucket"
    SOLD_TWICE = "the same sale_id is in two records"
    HASH = "the hash is not that of the record"
    CHAIN = "does not follow from the record before it"
    MISMATCH = "table and bucket differ"
    PLACE = "lies where its content does not belong"
    DAMAGED = "cannot be read"
    ACKNOWLEDGED_OTHER = "not what was acknowledged to the terminal"
    HEAD = "the head heard does not match"
    NO_HEAD = "records, but no head heard: their end is unknown"

    @property
    def group(self) -> Group:
        return GROUPS.get(self, Group.BROKEN)


GROUPS = {
    Kind.MISSING: Group.LOST,
    Kind.MISSING_IN_TABLE: Group.LOST,
    Kind.MISSING_IN_BUCKET: Group.LOST,
    Kind.ACKNOWLEDGED_MISSING: Group.LOST,
    Kind.DOUBLED_IN_TABLE: Group.DOUBLED,
    Kind.DOUBLED_IN_BUCKET: Group.DOUBLED,
    Kind.SOLD_TWICE: Group.DOUBLED,
}


@dataclass(frozen=True)
class Finding:
    """One fault, of the records `seq` to `last` of one till's epoch (of unknown place: None)."""

    kind: Kind
    thing: str
    epoch: str | None
    seq: int | None
    detail: str = ""
    last: int | None = None

    @property
    def count(self) -> int:
        return 1 if self.seq is None or self.last is None else self.last - self.seq + 1

    def __str__(self) -> str:
        place = f"till {self.thing}"
        if self.epoch is not None:
            place += f" epoch {self.epoch}"
        if self.seq is not None:
            place += f" seq {self.seq}"
        if self.last is not None and self.last != self.seq:
            place += f" to {self.last}"
        return f"{place}: {self.kind}" + (f" ({self.detail})" if self.detail else "")

    def document(self) -> dict[str, Any]:
        return {
            "group": self.kind.group.value,
            "kind": self.kind.name.lower(),
            "thing": self.thing,
            "epoch": self.epoch,
            "seq": self.seq,
            "last": self.last,
            "detail": self.detail,
            "text": str(self),
        }


@dataclass
class TillReport:
    """What the cloud holds of one till. Money in minor units, of sales, refunds and voids."""

    thing: str
    head_epoch: str | None = None
    head_seq: int | None = None
    head_time: str | None = None
    epochs: dict[str, int] = field(default_factory=dict)
    in_table: int = 0
    in_bucket: int = 0
    sales_in_table: int = 0
    sales_in_bucket: int = 0
    money_in_table: int = 0
    money_in_bucket: int = 0
    acknowledged: int = 0
    after_head: int = 0
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unlisted: Counter[Group] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        """List a finding; from MOST_LISTED on they are only counted, so that memory stays bounded."""
        if len(self.findings) < MOST_LISTED:
            self.findings.append(finding)
        else:
            self.unlisted[finding.kind.group] += finding.count

    def count(self, group: Group) -> int:
        listed = sum(finding.count for finding in self.findings if finding.kind.group is group)
        return listed + self.unlisted[group]

    def lost(self, epoch: str, seq: int) -> bool:
        """Whether a finding already says that this record is lost."""
        return any(
            finding.kind.group is Group.LOST
            and finding.epoch == epoch
            and finding.seq is not None
            and finding.seq <= seq <= (finding.last or finding.seq)
            for finding in self.findings
        )

    @property
    def clean(self) -> bool:
        return not self.findings

    def document(self) -> dict[str, Any]:
        return {
            "thing": self.thing,
            "head": {"epoch": self.head_epoch, "seq": self.head_seq, "time": self.head_time},
            "epochs": self.epochs,
            "in_table": self.in_table,
            "in_bucket": self.in_bucket,
            "sales_in_table": self.sales_in_table,
            "sales_in_bucket": self.sales_in_bucket,
            "money_in_table": self.money_in_table,
            "money_in_bucket": self.money_in_bucket,
            "acknowledged": self.acknowledged,
            "after_head": self.after_head,
            "lost": self.count(Group.LOST),
            "doubled": self.count(Group.DOUBLED),
            "broken": self.count(Group.BROKEN),
            "notes": self.notes,
            "unlisted": sum(self.unlisted.values()),
            "findings": [finding.document() for finding in self.findings],
        }
