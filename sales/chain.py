"""One till's copies, table beside bucket, followed from the first record to the last head heard."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from edge_components.edgekit.record import ZERO_HASH
from sales.copies import TAKINGS, Copy, money, opened_after
from sales.evidence import Evidence, Place
from sales.findings import Finding, Kind, TillReport
from sales.in_table import Head

Position = tuple[str, int]
Counted = Callable[[int], None]


class Follower:
    """Follows one till's chain; findings and counts go to its report."""

    def __init__(
        self, report: TillReport, head: Head | None, evidence: Evidence, *, told: bool, counted: Counted
    ) -> None:
        self._told = told  # whether terminals have receipts to compare with
        self._counted = counted
        self._report = report
        self._head = head
        self._evidence = evidence
        self._last: Copy | None = None

    def follow(self, table: Iterable[Copy], bucket: Iterable[Copy]) -> None:
        for position, here in groupby(
            heapq.merge(table, bucket, key=lambda copy: copy.position), key=lambda copy: copy.position
        ):
            copies = list(here)
            self._one(
                position,
                [copy for copy in copies if copy.store == "table"],
                [copy for copy in copies if copy.store == "bucket"],
            )
        self._end()

    def _one(self, position: Position, table: list[Copy], bucket: list[Copy]) -> None:
        epoch, seq = position
        report = self._report
        self._counted(1)
        copy = next((copy for copy in (*table, *bucket) if copy.sound), (table or bucket)[0])
        self._gap_before(copy)
        report.epochs[epoch] = max(report.epochs.get(epoch, 0), seq)
        report.in_table += bool(table)
        report.in_bucket += bool(bucket)
        if self._after_head(position):
            report.after_head += 1
        else:
            self._both(position, table, bucket)
        self._once(position, table, bucket)
        self._link(copy)
        self._count(copy, table=bool(table), bucket=bool(bucket))
        self._last = copy

    def _after_head(self, position: Position) -> bool:
        return self._head is not None and position > (self._head.epoch, self._head.seq)

    def _both(self, position: Position, table: list[Copy], bucket: list[Copy]) -> None:
        if not table:
            self._absent(Kind.MISSING_IN_TABLE, position)
        if not bucket:
            self._absent(Kind.MISSING_IN_BUCKET, position)

    def _absent(self, kind: Kind, position: Position) -> None:
        """One finding for a run of records, however long."""
        epoch, seq = position
        findings = self._report.findings
        for index in range(len(findings) - 1, max(-1, len(findings) - 3), -1):
            run = findings[index]
            if (run.kind, run.epoch, run.last) == (kind, epoch, seq - 1):
                findings[index] = replace(run, last=seq)
                return
        self._report.add(Finding(kind, self._report.thing, epoch, seq, last=seq))

    def _once(self, position: Position, table: list[Copy], bucket: list[Copy]) -> None:
        if len(table) > 1:
            self._add(Kind.DOUBLED_IN_TABLE, position, f"hashes {', '.join(c.hash[:8] for c in table)}")
        if len(bucket) > 1:
            self._add(Kind.DOUBLED_IN_BUCKET, position, "segments overlap")
        sound = [copy for copy in (*table, *bucket) if copy.sound]
        if len({copy.text for copy in sound}) > 1:
            self._add(Kind.MISMATCH, position)

    def _gap_before(self, copy: Copy) -> None:
        """Report what is missing between the last position and this one."""
        last = self._last
        if last is None or last.epoch != copy.epoch:
            if last is not None:
                self._end_of_epoch(last, copy)
            self._missing(copy.epoch, 1, copy.seq - 1)
        else:
            self._missing(copy.epoch, last.seq + 1, copy.seq - 1)

    def _missing(self, epoch: str, first: int, last: int) -> None:
        """Within what was heard of; beyond the head a gap may still fill."""
        if self._head is not None and epoch >= self._head.epoch:
            last = min(last, self._head.seq) if epoch == self._head.epoch else 0
        if first <= last:
            self._report.add(Finding(Kind.MISSING, self._report.thing, epoch, first, last=last))

    def _end_of_epoch(self, last: Copy, first: Copy) -> None:
        """Where an epoch ended is what the next one's first record says."""
        if first.content is None or first.seq != 1:
            return  # reported as missing or damaged already
        previous = opened_after(first.content)
        if previous is None or previous["epoch"] != last.epoch:
            reason = first.content["body"].get("reason")
            self._report.notes.append(
                f"epoch {first.epoch} opened ({reason}) without knowing the end of {last.epoch}: "
                f"what came after its seq {last.seq} is unknown"
            )
        elif previous["seq"] > last.seq:
            self._missing(last.epoch, last.seq + 1, previous["seq"])
        elif previous["seq"] == last.seq and last.sound and previous["hash"] != last.hash:
            self._add(Kind.CHAIN, first.position, f"epoch {last.epoch} ended with another hash")

    def _link(self, copy: Copy) -> None:
        if copy.content is None:
            return
        told = copy.content["prev_hash"]
        if copy.seq == 1:
            follows = told == ZERO_HASH
        else:
            last = self._last
            adjacent = last is not None and last.sound and last.position == (copy.epoch, copy.seq - 1)
            follows = not adjacent or last is None or told == last.hash
        if not follows:
            self._add(Kind.CHAIN, copy.position)

    def _count(self, copy: Copy, *, table: bool, bucket: bool) -> None:
        report = self._report
        place = Place(report.thing, copy.epoch, copy.seq)
        if self._told:
            self._evidence.arrived(place, copy.hash, in_table=table, in_bucket=bucket)
        if copy.content is None or copy.content["kind"] not in TAKINGS:
            return
        amount = money(copy.content)
        report.sales_in_table += table
        report.sales_in_bucket += bucket
        report.money_in_table += amount * table
        report.money_in_bucket += amount * bucket
        self._evidence.sold(copy.content["sale_id"], place)

    def _end(self) -> None:
        head, last = self._head, self._last
        if head is None:
            if last is not None:
                self._add(Kind.NO_HEAD, last.position)
            return
        if last is None or last.epoch < head.epoch:
            self._missing(head.epoch, 1, head.seq)
        elif last.epoch == head.epoch:
            self._missing(head.epoch, last.seq + 1, head.seq)

    def at_head(self, copies: Iterable[Copy]) -> Iterator[Copy]:
        """Pass copies on; the one at the head must carry the hash that was heard."""
        head = self._head
        for copy in copies:
            here = head is not None and copy.sound and copy.position == (head.epoch, head.seq)
            if head is not None and here and copy.hash != head.hash:
                detail = f"{copy.store}: {copy.hash[:8]}, heard {head.hash[:8]}"
                self._add(Kind.HEAD, copy.position, detail)
            yield copy

    def _add(self, kind: Kind, position: Position, detail: str = "") -> None:
        self._report.add(Finding(kind, self._report.thing, *position, detail))
