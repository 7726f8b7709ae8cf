"""Step 6, for people: the table on the terminal, and one page that needs nothing beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from rich.console import Console
from rich.table import Table

from twin.demo.proof import Proof, TillProof
from twin.demo.replaying import Selling, on_the_way
from twin.demo.show import Phase

TEMPLATE = Path(__file__).parent
WIDTH, LANE, LEFT = 1000, 92, 110
FASTEST, SLOWEST = 0.001, 30.0  # the chart's scale of waiting times, seconds
PLOT = LANE - 26
GRID = ((0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"))


def dollars(cents: int) -> str:
    return f"{cents / 100:,.2f}"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def print_table(proof: Proof, console: Console) -> None:
    table = Table(title="What the cloud holds of what the tills rang up", title_justify="left")
    for name in ("till", "store"):
        table.add_column(name)
    for name in ("rung up", "in the ledger", "in DynamoDB", "in S3", "lost", "doubled"):
        table.add_column(name, justify="right")
    for name in ("hash chain", "slowest online", "slowest offline"):
        table.add_column(name)
    for till in proof.tills:
        counts = (till.rung_up, till.in_ledger, till.in_table, till.in_bucket, till.lost, till.doubled)
        times = (milliseconds(till.slowest_online), milliseconds(till.slowest_offline))
        table.add_row(till.serial, till.store, *map(str, counts), chain(till.broken), *times)
    console.print(table)
    for till in proof.tills:
        if till.dark_seconds:
            console.print(power_cut(till), highlight=False, soft_wrap=True)
    equal = "equal" if proof.money_equal else "[red]NOT EQUAL[/]"
    console.print(
        f"money: {dollars(proof.money_in_data_set)} in the data set, {dollars(proof.money_in_cloud)} in the "
        f"cloud: {equal}",
        highlight=False,
    )


def power_cut(till: TillProof) -> str:
    return (
        f"{till.serial} lost power with {on_the_way(till.in_flight_at_power_cut)}, booted without the "
        f"network and sold again after {till.dark_seconds:.1f} s: {till.sold_after_offline_boot} baskets"
    )


def chain(broken: int) -> str:
    return "unbroken" if not broken else f"{broken} faults"


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    online: bool


@dataclass(frozen=True)
class Span:
    x: float
    width: float
    kind: str


@dataclass(frozen=True)
class Lane:
    """One till's line in the chart, in its own coordinates."""

    serial: str
    top: int
    dots: tuple[Dot, ...]
    spans: tuple[Span, ...]


def write_page(
    path: Path, proof: Proof, sellings: Sequence[Selling], phases: Sequence[Phase], read_back: Sequence[str]
) -> None:
    """One self-contained HTML page with everything that the run showed."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"dollars": dollars, "milliseconds": milliseconds, "chain": chain}
    foreground = [phase for phase in phases if not phase.background]
    lanes, seconds = _lanes(sellings)
    page = environment.get_template("report.html.j2").render(
        proof=proof,
        lanes=lanes,
        chart={"width": WIDTH, "left": LEFT, "lane": LANE, "plot": PLOT, "height": LANE * len(lanes) + 30},
        chart_seconds=seconds,
        grid=[
            (_y(value), label)
            for value, label in ((0.01, "10 ms"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"))
        ],
        phases=foreground,
        background=[phase for phase in phases if phase.background],
        total=sum(phase.seconds for phase in foreground),
        longest=max((phase.seconds for phase in foreground), default=1.0),
        read_back=read_back,
        made_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _lanes(sellings: Sequence[Selling]) -> tuple[list[Lane], float]:
    times = [entry.at - entry.waited for selling in sellings for entry in selling.entries]
    ends = [entry.at for selling in sellings for entry in selling.entries]
    began, ended = min(times, default=0.0), max(ends, default=1.0)
    scale = (WIDTH - LEFT - 10) / max(ended - began, 0.001)

    def x(at: float) -> float:
        return round(LEFT + (min(max(at, began), ended) - began) * scale, 1)

    lanes = [
        Lane(
            serial=selling.till.serial,
            top=LANE * number,
            dots=tuple(Dot(x(entry.at), _y(entry.waited), entry.online) for entry in selling.entries),
            spans=tuple(_spans(selling.events, x, ended)),
        )
        for number, selling in enumerate(sellings)
    ]
    return lanes, ended - began


def _spans(events: Sequence[tuple[str, float]], x: Any, ended: float) -> list[Span]:
    at = dict(events)
    found = []
    for kind, first, last in (("cut", "cut", "restored"), ("dark", "dark", "selling again")):
        if first in at:
            left, right = x(at[first]), x(at.get(last, ended))
            found.append(Span(left, max(2.0, round(right - left, 1)), kind))
    return found


def _y(seconds: float) -> float:
    """From the bottom of the plot up, on a logarithmic scale."""
    share = math.log(max(seconds, FASTEST) / FASTEST) / math.log(SLOWEST / FASTEST)
    return round(PLOT - min(share, 1.0) * PLOT, 1)
