"""`greentill twin`: the whole fleet on this machine, without an AWS account."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from greentill.console import CommandError, JsonOption, err, out, print_json
from twin import cloud, core, fleet
from twin import state as twin_state
from twin.cloud import CloudError
from twin.core import BuildError
from twin.fleet import FleetError
from twin.link import Link, LinkError
from twin.machines import MachineError, reclaim, refusal
from twin.state import State, StateError

app = typer.Typer()

WorkDirOption = Annotated[
    Path,
    typer.Option(
        "--work-dir",
        show_default="build/twin",
        help="The folder of the twin's files; several twins may run side by side.",
    ),
]
TillArgument = Annotated[str, typer.Argument(help="The till's serial or thing name.", metavar="TILL")]
DEFAULT = twin_state.DEFAULT_DIRECTORY


@app.command(epilog="Example: greentill twin up --kit build/kits/LOBBY0001")
def up(
    kit: Annotated[
        list[Path] | None,
        typer.Option(help="Bring up a till from this kit folder; repeat for more."),
    ] = None,
    work_dir: WorkDirOption = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Start the cloud, and a machine for each kit; what runs already stays."""
    kits = kit or []
    with _explained():
        if kits and (reason := refusal()):
            raise CommandError(reason)
        for folder in kits:
            fleet.read_kit(folder)
        started = not cloud.is_running(work_dir)
        try:
            state = _start_cloud(work_dir) if started else twin_state.load(work_dir)
            if kits:
                nucleus = work_dir / "nucleus"
                core.build(nucleus)
                state = fleet.bring_up(state, kits, nucleus, _report, work_dir=work_dir)
        except BaseException:
            if started:  # Ctrl-C too ends everything that this command began
                _end(work_dir)
            raise
        _show(_status(state, work_dir), json)


@app.command(epilog="Example: greentill twin down")
def down(work_dir: WorkDirOption = DEFAULT, json: JsonOption = False) -> None:
    """End the cloud and every till, and remove what they leave on this machine; also after an aborted run."""
    with _explained():
        ended = _end(work_dir)
    if json:
        print_json({"ended": ended})
    else:
        out.print("\n".join(f"ended {escape(what)}" for what in ended) or "Nothing was running.")


@app.command(epilog="Example: greentill twin status --json")
def status(work_dir: WorkDirOption = DEFAULT, json: JsonOption = False) -> None:
    """Show where the cloud answers and how each till's machine, uplink and till software are."""
    with _explained():
        _show(_status(twin_state.load(work_dir), work_dir), json)


@app.command(epilog="Example: greentill twin cut LOBBY0001")
def cut(till: TillArgument, work_dir: WorkDirOption = DEFAULT, json: JsonOption = False) -> None:
    """Pull a till's network cable: it can't reach the cloud, its terminals still reach it."""
    with _explained():
        serial = _serial(till, work_dir)
        Link(work_dir).cut(serial)
    _done(
        json,
        serial,
        "uplink",
        False,
        "is cut off from the cloud. Undo with greentill twin restore.",
    )


@app.command(epilog="Example: greentill twin restore LOBBY0001")
def restore(till: TillArgument, work_dir: WorkDirOption = DEFAULT, json: JsonOption = False) -> None:
    """Plug a till's network cable in again."""
    with _explained():
        serial = _serial(till, work_dir)
        Link(work_dir).restore(serial)
    _done(json, serial, "uplink", True, "has its uplink back.")


@app.command("pull-plug", epilog="Example: greentill twin pull-plug LOBBY0001 --boot")
def pull_plug(
    till: TillArgument,
    boot: Annotated[bool, typer.Option("--boot", help="Boot it again at once.")] = False,
    work_dir: WorkDirOption = DEFAULT,
    json: JsonOption = False,
) -> None:
    """Cut a till's power: every process on it dies at once."""
    with _explained():
        serial = _serial(till, work_dir)
        fleet.machine(serial, work_dir=work_dir).power_cut()
        if boot:
            _boot(serial, work_dir)
    after = "lost power and booted again." if boot else "is without power. Undo with greentill twin plug-in."
    _done(json, serial, "power", boot, after)


@app.command("plug-in", epilog="Example: greentill twin plug-in LOBBY0001")
def plug_in(till: TillArgument, work_dir: WorkDirOption = DEFAULT, json: JsonOption = False) -> None:
    """Give a till its power back and wait until it has booted."""
    with _explained():
        serial = _serial(till, work_dir)
        _boot(serial, work_dir)
    _done(json, serial, "power", True, "has booted.")


@contextmanager
def _explained() -> Iterator[None]:
    """What the twin says when it can't is said to the user as it is."""
    try:
        yield
    except (BuildError, CloudError, FleetError, LinkError, MachineError, StateError) as error:
        raise CommandError(str(error)) from error


def _start_cloud(work_dir: Path) -> State:
    for leftover in reclaim(work_dir, erase=True):
        err.print(f"reclaimed from an earlier run: {escape(leftover)}", highlight=False)
    err.print("starting the cloud", highlight=False)
    return cloud.start(work_dir)


def _end(work_dir: Path) -> list[str]:
    ended = ["the cloud"] if cloud.is_running(work_dir) else []
    cloud.stop(work_dir)
    return ended + reclaim(work_dir, erase=True)


def _boot(serial: str, work_dir: Path) -> None:
    machine = fleet.machine(serial, work_dir=work_dir)
    machine.boot()
    link = Link(work_dir)
    booted = fleet.till_state(machine, link.add(serial), link)
    twin_state.save(twin_state.load(work_dir).with_till(serial, booted), work_dir)


def _serial(till: str, work_dir: Path) -> str:
    known = twin_state.load(work_dir).tills
    for serial in known:
        if till == serial or till.endswith(f"-{serial}"):
            return serial
    tills = f"it has {', '.join(known)}" if known else "bring one up with greentill twin up --kit"
    raise CommandError(f"The twin has no till {till}; {tills}.")


def _status(state: State, work_dir: Path) -> dict[str, Any]:
    link = Link(work_dir)
    linked = link.status() if link.running else {}
    tills = {}
    for serial, till in state.tills.items():
        tills[serial] = {
            "power": fleet.machine(serial, work_dir=work_dir).running,
            "uplink": serial in linked and linked[serial].uplink,
            "pos_url": till.pos_url,
            "root": till.root,
            "health": fleet.health(till.pos_url),
        }
    running = cloud.is_running(work_dir)
    return {"cloud": {"running": running, **asdict(state.cloud)}, "tills": tills}


def _show(status: dict[str, Any], json: bool) -> None:
    if json:
        print_json(status)
        return
    cloud_status = status["cloud"]
    answers = f"answers at {cloud_status['endpoint']}" if cloud_status["running"] else "has ended"
    out.print(f"The cloud {answers} (account {cloud_status['account']}, {cloud_status['region']}).")
    if not status["tills"]:
        out.print("No tills: greentill twin up --kit DIR brings one up.")
        return
    table = Table("till", "power", "uplink", "till page", "sells", "backlog")
    for serial, till in status["tills"].items():
        health = till["health"] or {}
        table.add_row(
            serial,
            "on" if till["power"] else "off",
            "up" if till["uplink"] else "cut",
            till["pos_url"],
            str(health.get("status", "no answer")),
            str(health.get("backlog", "")),
        )
    out.print(table)


def _done(json: bool, serial: str, key: str, value: bool, sentence: str) -> None:
    if json:
        print_json({"till": serial, key: value})
    else:
        out.print(f"{serial} {sentence}", highlight=False)


def _report(serial: str, line: str) -> None:
    err.print(f"{escape(serial)}: {escape(line)}", highlight=False)
