"""Adding up records: what a till took in an hour of UTC and on a business date.

Used by the aggregator on the till and by whatever recomputes a day from the bucket, so that both mean the
same. Standard library only. A rollup is a function of the records of its epoch up to `version`, the seq of
the last one that counted in it: adding a record again changes nothing, and equal versions are equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

HOUR, DAY = "hour", "day"
_COLUMNS = {"sale": "sales", "refund": "refunds", "void": "voids"}  # by kind of record; others take no money
_SUMS = ("sales", "refunds", "voids", "tax")
_SHARES = ("by_terminal", "by_department", "by_payment", "by_currency")
_MOST = 2**53 - 1  # what canonical JSON takes

Share = tuple[str, int]  # key, amount
Tally = tuple[int, int]  # amount, count


class RollupError(ValueError):
    """A record that cannot be added up, or a payload that is none."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one record adds to each of its buckets, in minor units; refunds and voids are negative."""

    epoch: str
    seq: int
    hour: str
    day: str
    column: str
    total: int
    tax: int
    shares: Mapping[str, tuple[Share, ...]]

    @property
    def buckets(self) -> tuple[str, str]:
        return f"{self.epoch}#{HOUR}#{self.hour}", f"{self.epoch}#{DAY}#{self.day}"


def contribution(record: Mapping[str, Any]) -> Contribution | None:
    """What a record adds; None for the kinds that take no money. Raises RollupError for what is no record."""
    try:
        column = _COLUMNS.get(record["kind"])
        return None if column is None else _contribution(record, column)
    except (KeyError, TypeError, AttributeError) as error:
        raise RollupError(f"it is not as a {record.get('kind')} should be: {error!r}") from error


def _contribution(record: Mapping[str, Any], column: str) -> Contribution:
    body = record["body"]
    total = _amount(body["totals"]["total"])
    return Contribution(
        epoch=record["epoch"],
        seq=_amount(record["seq"]),
        hour=record["recorded_at"][:13],
        day=record["business_date"],
        column=column,
        total=total,
        tax=_amount(body["totals"].get("tax") or 0),
        shares={
            "by_terminal": ((record["terminal"] or "", total),),
            "by_department": tuple(
                (line["department"] or "", _amount(line["total"])) for line in body["lines"]
            ),
            "by_payment": tuple((paid["method"], _amount(paid["amount"])) for paid in body["payments"]),
            "by_currency": ((body["currency"] or "", total),),
        },
    )


def _amount(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is not a whole number")
    return value


@dataclass(frozen=True, slots=True)
class Rollup:
    """The sums of one bucket, in minor units; each share maps a key to (amount, count)."""

    bucket: str
    version: int = 0
    sums: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(_SUMS, 0))
    count: int = 0
    shares: Mapping[str, Mapping[str, Tally]] = field(default_factory=lambda: {name: {} for name in _SHARES})

    @property
    def epoch(self) -> str:
        return self.bucket.partition("#")[0]

    @property
    def kind(self) -> str:
        return self.bucket.split("#")[1]

    @property
    def period(self) -> str:
        """The hour (`YYYY-MM-DDTHH`, UTC) or the business date."""
        return self.bucket.rpartition("#")[2]

    def plus(self, one: Contribution) -> Rollup:
        """With a record of this epoch, in order of seq; one that was counted before changes nothing.

        Raises RollupError when a sum would leave what canonical JSON can hold.
        """
        if one.seq <= self.version:
            return self
        sums = {
            **self.sums,
            one.column: self.sums[one.column] + one.total,
            "tax": self.sums["tax"] + one.tax,
        }
        shares = {name: _tallied(self.shares[name], added) for name, added in one.shares.items()}
        amounts = [*sums.values(), _net(sums)]
        amounts += [amount for tallies in shares.values() for amount, _ in tallies.values()]
        if max(map(abs, amounts)) > _MOST:
            raise RollupError(f"a sum of {self.bucket} is beyond 2^53-1")
        return Rollup(self.bucket, one.seq, sums, self.count + 1, shares)

    def payload(self) -> str:
        """The bucket as canonical JSON (its keys are ASCII, so sorting them is all that it takes)."""
        document: dict[str, Any] = {
            "bucket": self.bucket,
            "epoch": self.epoch,
            "kind": self.kind,
            "version": self.version,
            **self.sums,
            "net": _net(self.sums),
            "count": self.count,
            **{name: _listed(tallies) for name, tallies in self.shares.items()},
        }
        return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _tallied(held: Mapping[str, Tally], added: Iterable[Share]) -> dict[str, Tally]:
    tallies = dict(held)
    for key, amount in added:
        before, count = tallies.get(key, (0, 0))
        tallies[key] = (before + amount, count + 1)
    return tallies


def _net(sums: Mapping[str, int]) -> int:
    return sums["sales"] + sums["refunds"] + sums["voids"]


def _listed(tallies: Mapping[str, Tally]) -> list[dict[str, Any]]:
    return [{"key": key, "amount": tallies[key][0], "count": tallies[key][1]} for key in sorted(tallies)]


def read(payload: str) -> Rollup:
    """A rollup from its payload; raises RollupError for anything else."""
    try:
        found = json.loads(payload)
        return Rollup(
            bucket=found["bucket"],
            version=found["version"],
            sums={name: found[name] for name in _SUMS},
            count=found["count"],
            shares={
                name: {one["key"]: (one["amount"], one["count"]) for one in found[name]} for name in _SHARES
            },
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RollupError(f"not a rollup: {error!r}") from error
