"""`greentill till revoke`, `replace`, `move`, `decommission`, `rotate`: what happens to a till later."""

from pathlib import Path
from typing import Annotated

import typer

from fleet_provisioning import decommission as decommissioning
from fleet_provisioning import rotate as rotating
from fleet_provisioning.fleet import Fleet
from fleet_provisioning.kits import EXPIRES_DAYS, KitMaker
from fleet_provisioning.move import Destination, move
from fleet_provisioning.orders import terminals as split_terminals
from fleet_provisioning.replace import replace
from fleet_provisioning.revoke import revoke
from greentill.console import CommandError, JsonOption, err, out, print_json
from greentill.kit_options import EnvironmentOption, ExpiresOption, RootCaOption, common
from greentill.till_speech import expect_known, explained, fleet_at_work

SerialArgument = Annotated[str, typer.Argument(help="The till's serial, or its thing's name.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
DRAIN_SECONDS = 300
WAIT_SECONDS = 1_800


def _confirm(question: str, *, yes: bool) -> None:
    """Raises CommandError when the answer is no, or nobody is there to be asked."""
    if yes:
        return
    if not err.is_terminal:
        raise CommandError(f"{question} Give --yes to do it without being asked")
    if not typer.confirm(question, err=True):
        raise CommandError("nothing was changed")


def revoke_command(
    serial: SerialArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the registry.")],
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """End what a till may do, at once: it goes on selling, but the cloud hears nothing more of it."""
    with fleet_at_work() as fleet:
        row = fleet.till(serial)
        _confirm(f"Revoke {row.thing} in {row.store}?", yes=yes)
        done = revoke(fleet, row, reason)
    if as_json:
        print_json({"thing": done.thing, "state": "revoked", "certificates": list(done.certificates)})
    else:
        _say(f"{done.thing} is revoked; certificates ended: {len(done.certificates)}. Bring it back with: "
             f"greentill till replace {row.serial} --out DIR")  # fmt: skip


def replace_command(
    serial: SerialArgument,
    *,
    out_dir: Annotated[Path, typer.Option("--out", help="The new folder for the kit.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the registry.")] = "new card",
    root_ca: RootCaOption = None,
    environment: EnvironmentOption = None,
    expires_days: ExpiresOption = EXPIRES_DAYS,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a kit for a till that had one: its card died. What it has goes when the new card connects."""
    with explained():
        shared = common(root_ca, environment, expires_days)
    with fleet_at_work() as fleet:
        row = fleet.till(serial)
        _confirm(f"Make a new card for {row.thing}, which is {row.state}?", yes=yes)
        maker = KitMaker(fleet.session, fleet.names, fleet.settings, shared)
        kit = replace(fleet, maker, row, out_dir, reason, expires_days=expires_days)
    if as_json:
        print_json({"thing": kit.thing, "serial": kit.serial, "folder": str(kit.folder),
                    "claim_certificate_id": kit.claim_certificate_id})  # fmt: skip
    else:
        _say(f"{kit.folder} is the new kit of {kit.thing}; it holds a secret.\n"
             "Copy the folder to the Pi and run there: sudo ./pi_bootstrap.sh")  # fmt: skip


def move_command(
    serial: SerialArgument,
    *,
    store: Annotated[str | None, typer.Option(help="A store of fleet.toml.")] = None,
    stage: Annotated[str | None, typer.Option(help="A stage of fleet.toml.")] = None,
    terminal: Annotated[
        list[str] | None,
        typer.Option("--terminals", "--terminal", help="What sells through it: T1,T2. May be repeated."),
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move a till to another store, stage or set of terminals; its deployment follows the stage."""
    names = split_terminals(",".join(terminal or []))
    if not (store or stage or names):
        raise CommandError("say where to: --store, --stage or --terminals")
    expect_known(store=store, stage=stage)
    with fleet_at_work() as fleet:
        row = fleet.till(serial)
        if stage and stage != row.stage:
            _confirm(f"{row.thing} will run what {stage} runs instead of {row.stage}. Move it?", yes=yes)
        moved = move(fleet, row, Destination(store, stage, names or None))
    if as_json:
        print_json({"thing": moved.thing, "store": moved.store, "stage": moved.stage,
                    "terminals": list(moved.terminals), "changed": list(moved.changed)})  # fmt: skip
    else:
        place = f"{moved.store}, stage {moved.stage}, terminals {','.join(moved.terminals)}"
        _say(f"{moved.thing} {'is now' if moved.changed else 'was already'} in {place}")


def decommission_command(
    serial: SerialArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; kept in the registry.")],
    force: Annotated[bool, typer.Option("--force", help="Even if sales would be lost.")] = False,
    drain_seconds: Annotated[
        int, typer.Option(help="How long to wait for a connected till to deliver what it has.", min=0)
    ] = DRAIN_SECONDS,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a till out of the fleet: wait for its sales, then remove certificates, thing and core device."""
    with fleet_at_work() as fleet:
        row = fleet.till(serial)
        lost = _what_would_be_lost(fleet, serial, 0 if force else drain_seconds)
        if lost is None or force:
            _confirm(f"{f'{lost}. ' if lost else ''}Take {row.thing} out of the fleet?", yes=yes)
        done = decommissioning.decommission(fleet, fleet.till(serial), reason, lost=lost, force=force)
        listed = row.serial in fleet.settings.tills
    if as_json:
        print_json({"thing": done.thing, "state": "decommissioned", "lost": done.lost,
                    "certificates": list(done.certificates), "in_fleet_toml": listed})  # fmt: skip
    else:
        _say(f"{done.thing} is out of the fleet; {done.lost or 'the cloud has every sale it told of'}")
        if listed:
            _say(f"It is still in fleet.toml: remove [tills.{row.serial}] before the next deploy")


def _what_would_be_lost(fleet: Fleet, serial: str, seconds: float) -> str | None:
    row = fleet.till(serial)
    if row.state == decommissioning.DECOMMISSIONED:
        return None
    return decommissioning.drain(fleet, row, seconds)


def rotate_command(
    serial: Annotated[str | None, typer.Argument(help="The till's serial, or its thing's name.")] = None,
    *,
    all_due: Annotated[
        bool, typer.Option("--all-due", help="Every till whose certificate expires soon or is too old.")
    ] = False,
    stage: Annotated[str | None, typer.Option(help="With --all-due: only this stage.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until each is over; status 1 if one fails.")] = False,
    wait_seconds: Annotated[int, typer.Option(help="How long --wait may take.", min=1)] = WAIT_SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Give a till a new certificate: tried before the old one goes, taken back if the till doesn't return."""
    if (serial is None) != all_due:
        raise CommandError("give either a serial, or --all-due")
    if stage is not None and not all_due:
        raise CommandError("--stage goes with --all-due: a serial names its till by itself")
    expect_known(stage=stage)
    with fleet_at_work() as fleet:
        started = _started(fleet, serial, stage)
        result = rotating.follow(fleet, started, wait_seconds) if wait and started else started
    _tell_rotations(result, waited=wait_seconds if wait else None, as_json=as_json)
    if wait and any(one.state != "swapped" for one in result):
        raise typer.Exit(1)


def _started(fleet: Fleet, serial: str | None, stage: str | None) -> list[rotating.Rotating]:
    if serial is not None:
        return [rotating.start(fleet, fleet.till(serial))]
    started: list[rotating.Rotating] = []
    for one in rotating.start_due(fleet, [stage] if stage else sorted(fleet.settings.stages)):
        started.append(one)
        fleet.report(f"{len(started)}: {one.thing}")
    return started


def _tell_rotations(result: list[rotating.Rotating], *, waited: int | None, as_json: bool) -> None:
    if as_json:
        keys = ("thing", "rotation", "state", "reason", "started")
        print_json({"rotations": [{key: getattr(one, key) for key in keys} for one in result]})
        return
    for one in result:
        if one.state == "swapped":
            _say(f"{one.thing} has its new certificate; the earlier one is deleted")
        elif one.state in rotating.OVER:
            _say(f"{one.thing}: {one.state}{f' ({one.reason})' if one.reason else ''}")
        elif waited is not None:
            _say(f"{one.thing}: rotation {one.rotation} is not over after {waited} s; it goes on, and the "
                 "same command waits for it again")  # fmt: skip
        else:
            _say(f"{one.thing}: rotation {one.rotation} {'ordered' if one.started else 'is under way'}; the "
                 "till does it when it is online")  # fmt: skip
    if not result:
        _say("no till is due")


def _say(text: str) -> None:
    out.print(text, highlight=False, soft_wrap=True, markup=False)
