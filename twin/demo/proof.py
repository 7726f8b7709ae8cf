"""Step 6: wait for the backlog, then hold terminals, ledgers, cloud and data set against each other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sales.findings import Group, TillReport
from sales.money import store_total
from sales.reconcile import Cloud, Verdict, reconcile
from twin.demo.replaying import Selling
from twin.demo.tills import Ledger

SETTLED_SECONDS = 15.0  # no change for so long: what is missing will not come
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class TillProof:
    """One till's row of the table. Times in seconds, money in cents."""

    serial: str
    thing: str
    store: str
    rung_up: int
    in_ledger: int
    in_table: int
    in_bucket: int
    lost: int
    doubled: int
    broken: int
    slowest_online: float
    slowest_offline: float
    sold_offline: int
    asked_again: int
    backlog: int | None
    dark_seconds: float
    in_flight_at_power_cut: int
    sold_after_offline_boot: int
    money_rung_up: int
    money_in_ledger: int
    money_in_table: int
    money_in_bucket: int
    head: str


@dataclass(frozen=True)
class Proof:
    """The run's verdict. `problems` are sentences; none, and nothing left over, is success."""

    tills: tuple[TillProof, ...]
    money_in_data_set: int
    baskets: int
    findings: tuple[str, ...]
    problems: tuple[str, ...]
    left_over: tuple[str, ...] | None = None  # None: not destroyed (--keep)
    notes: tuple[str, ...] = field(default=())

    @property
    def lost(self) -> int:
        return sum(till.lost for till in self.tills)

    @property
    def doubled(self) -> int:
        return sum(till.doubled for till in self.tills)

    @property
    def money_in_cloud(self) -> int:
        return sum(till.money_in_table for till in self.tills)

    @property
    def money_equal(self) -> bool:
        return all(
            sum(column) == self.money_in_data_set
            for column in zip(
                *(
                    (till.money_rung_up, till.money_in_ledger, till.money_in_table, till.money_in_bucket)
                    for till in self.tills
                ),
                strict=True,
            )
        )

    @property
    def good(self) -> bool:
        return not self.problems and not self.findings and self.money_equal and not self.left_over

    def document(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "lost": self.lost,
            "doubled": self.doubled,
            "money_in_cloud": self.money_in_cloud,
            "money_equal": self.money_equal,
            "good": self.good,
        }


def drain(
    cloud: Cloud,
    ledgers: Callable[[], Mapping[str, Ledger]],
    sellings: Sequence[Selling],
    within: float,
    say: Callable[[str], None],
) -> tuple[Verdict, Mapping[str, Ledger]]:
    """Reconcile until the cloud has what the ledgers have, or nothing has changed for a while.

    At most `within` seconds. `ledgers` reads them, by thing. The last verdict stands, whatever it says.
    """
    entries = [entry for selling in sellings for entry in selling.entries]
    give_up = changed = time.monotonic()
    give_up += within
    seen: list[tuple[int, int]] = []
    while True:
        held = ledgers()
        verdict = reconcile(cloud, journal=entries)
        counts = [(till.in_table, till.in_bucket) for till in verdict.tills]
        now = time.monotonic()
        if counts != seen:
            seen, changed = counts, now
            table, bucket = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
            records = sum(one.records for one in held.values())
            say(f"{records} records in the ledgers, {table} in DynamoDB, {bucket} in S3")
        if verdict.clean and all(_arrived(till, held.get(till.thing)) for till in verdict.tills):
            return verdict, held
        if now > give_up or now - changed > SETTLED_SECONDS:
            return verdict, held
        time.sleep(POLL_SECONDS)


def _arrived(till: TillReport, held: Ledger | None) -> bool:
    """Whether the head heard is the ledger's own."""
    if held is None or held.head is None:
        return till.in_table == till.in_bucket == 0
    return (till.head_epoch, till.head_seq) == held.head[:2] and till.in_bucket == held.records


def prove(
    sellings: Sequence[Selling], verdict: Verdict, ledgers: Mapping[str, Ledger], things: Mapping[str, str]
) -> Proof:
    """The verdict over a finished run; `things` maps serials to thing names."""
    reports = {till.thing: till for till in verdict.tills}
    rows, problems = [], []
    for selling in sellings:
        thing = things[selling.till.serial]
        report, held = reports.get(thing, TillReport(thing)), ledgers[thing]
        rows.append(_row(selling, report, held))
        problems += _problems(selling, report, held)
    baskets = [entry.basket_id for selling in sellings for entry in selling.entries]
    stores = sorted({selling.till.dataset_store for selling in sellings})
    return Proof(
        tills=tuple(rows),
        money_in_data_set=store_total(stores, baskets),
        baskets=len(baskets),
        findings=tuple(map(str, verdict.findings)),
        problems=tuple(problems),
        notes=tuple(f"{till.thing}: {note}" for till in verdict.tills for note in till.notes),
    )


def _row(selling: Selling, report: TillReport, held: Ledger) -> TillProof:
    entries = selling.entries
    told = [entry for entry in entries if entry.outcome == "acknowledged"]
    return TillProof(
        serial=selling.till.serial,
        thing=report.thing,
        store=selling.till.store,
        rung_up=len(told),
        in_ledger=held.sales,
        in_table=report.sales_in_table,
        in_bucket=report.sales_in_bucket,
        lost=report.count(Group.LOST),
        doubled=report.count(Group.DOUBLED),
        broken=report.count(Group.BROKEN),
        slowest_online=max((entry.latency for entry in told if entry.online), default=0.0),
        slowest_offline=max((entry.latency for entry in told if not entry.online), default=0.0),
        sold_offline=sum(not entry.online for entry in told),
        asked_again=sum(entry.attempts > 1 for entry in told),
        backlog=selling.backlog,
        dark_seconds=selling.dark_seconds,
        in_flight_at_power_cut=selling.in_flight_at_power_cut,
        sold_after_offline_boot=selling.sold_after_offline_boot,
        money_rung_up=sum(entry.total for entry in told),
        money_in_ledger=held.money,
        money_in_table=report.money_in_table,
        money_in_bucket=report.money_in_bucket,
        head=f"{report.head_epoch} {report.head_seq}" if report.head_epoch else "none heard",
    )


def _problems(selling: Selling, report: TillReport, held: Ledger) -> list[str]:
    """What reconcile can't see: refusals, exceptions, a ledger that differs from what the cloud heard."""
    serial = selling.till.serial
    found = [
        f"{serial}: basket {entry.basket_id} was {entry.outcome}: {entry.reason}"
        for entry in selling.entries
        if entry.outcome != "acknowledged"
    ]
    if held.head is not None and (report.head_epoch, report.head_seq) != held.head[:2]:
        found.append(
            f"{serial}: its ledger ends at epoch {held.head[0]} seq {held.head[1]}, the head heard is "
            f"{report.head_epoch} {report.head_seq}"
        )
    if held.sales != sum(entry.outcome == "acknowledged" for entry in selling.entries):
        found.append(f"{serial}: {held.sales} sales in its ledger, {len(selling.entries)} rung up")
    if not any(not entry.online for entry in selling.entries):
        found.append(f"{serial}: nothing was sold without the network, so nothing is shown about it")
    if selling.till.loses_power and not selling.sold_after_offline_boot:
        found.append(f"{serial}: nothing was sold after the power cut, so nothing is shown about it")
    return found
