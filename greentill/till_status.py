"""`greentill till status`: how the tills are, at once or over and over."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from fleet_provisioning.access import FleetAccess, fleet_access
from fleet_provisioning.status import TillStatus, Wanted, releases, statuses
from greentill.console import CommandError, JsonOption, out, print_json
from greentill.till_speech import expect_known, explained

STATES = ("pending", "provisioned", "revoked", "decommissioned")
WATCH_SECONDS = 5.0
SOON_DAYS = 60


def status_command(
    *,
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    store: Annotated[str | None, typer.Option(help="Only this store.")] = None,
    state: Annotated[
        str | None, typer.Option(help=f"Only this state: {', '.join(STATES)} (all but the last by default).")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Only tills that aren't connected.")] = False,
    behind: Annotated[
        bool, typer.Option("--behind", help="Only tills with undelivered records or an earlier release.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again every few seconds until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the tills: where they belong, who is connected, what they run and have left to deliver."""
    if state is not None and state not in STATES:
        raise CommandError(f"state {state!r}: give one of {', '.join(STATES)}")
    if watch and as_json:
        raise CommandError("give --watch or --json, not both")
    expect_known(store=store, stage=stage)
    with explained():
        fleet = fleet_access()
        stages = (stage,) if stage else tuple(sorted(fleet.settings.stages))
        wanted = Wanted(stages, store, state, offline=offline, behind=behind)
        if watch:
            _watch(fleet, wanted)
            return
        found = _found(fleet, wanted)
    if as_json:
        print_json({"tills": [till.document() for till in found]})
    else:
        out.print(_table(found))
        out.print(_summary(found), highlight=False)


def _found(fleet: FleetAccess, wanted: Wanted) -> list[TillStatus]:
    return list(statuses(fleet.session, fleet.names, releases(fleet.settings), wanted))


def _watch(fleet: FleetAccess, wanted: Wanted) -> None:
    try:
        with Live(console=out, auto_refresh=False, screen=out.is_terminal) as live:
            while True:
                live.update(_table(_found(fleet, wanted)), refresh=True)
                time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        return


def _summary(tills: list[TillStatus]) -> str:
    connected = sum(till.connected is True for till in tills)
    return f"{len(tills)} tills, {connected} connected"


def _table(tills: list[TillStatus]) -> Table:
    names = (
        "till",
        "store",
        "stage",
        "terminals",
        "state",
        "connected",
        "heard",
        "health",
        "release",
        "backlog",
    )
    table = Table(*names, "certificate")
    for till in tills:
        table.add_row(
            till.thing,
            till.store,
            till.stage,
            ",".join(till.terminals),
            _state(till),
            {True: "yes", False: "no", None: ""}[till.connected],
            _moment(till.heartbeat_at),
            till.health or "",
            escape(_release(till)),  # the till's word, as is the next
            escape(_backlog(till)),
            _certificate(till),
        )
    table.columns[0].no_wrap = True
    return table


def _state(till: TillStatus) -> str:
    refused = f", refused {till.refusals} times" if till.refusals else ""
    return till.state + (f" until {till.claim_expires_at[:10]}" if till.claim_expires_at else "") + refused


def _release(till: TillStatus) -> str:
    """What it runs; beside it, what its stage is to run where that differs."""
    if till.version is None:
        return ""
    return till.version if till.current is not False else f"{till.version} (to be {till.target})"


def _backlog(till: TillStatus) -> str:
    if not till.backlog:
        return "" if till.backlog is None else "0"
    return f"{till.backlog} since {_moment(till.oldest_at)}"


def _certificate(till: TillStatus) -> str:
    """The rotation under way, or the date if it is soon."""
    if till.rotation in ("wanted", "signed"):
        return f"rotating ({till.rotation})"
    if not till.certificate_expires_at:
        return ""
    left = datetime.fromisoformat(till.certificate_expires_at) - datetime.now(UTC)
    day = till.certificate_expires_at[:10]
    return f"{day}, in {left.days} days" if left.days < SOON_DAYS else day


def _moment(text: str | None) -> str:
    return (text or "")[:19].replace("T", " ")
