"""`python -m twin.demo [--keep]`: exit 0 only if nothing was lost, doubled, broken or left over."""

import argparse
import json
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from infra.errors import SettingsError
from sales.dataset import DatasetError
from sales.terminal import TillUnreachableError
from twin import state as twin_state
from twin.cloud import CloudError, environment
from twin.core import BuildError
from twin.demo.processes import DemoError
from twin.demo.proof import Proof
from twin.demo.report import print_table
from twin.demo.run import Demo
from twin.demo.settings import SABOTAGES, Settings
from twin.demo.show import Show
from twin.fleet import FleetError
from twin.link import LinkError
from twin.machines import MachineError

EXPECTED = (
    BuildError,
    CloudError,
    DatasetError,
    DemoError,
    FleetError,
    LinkError,
    MachineError,
    SettingsError,
    TillUnreachableError,
)
INTERRUPTED = 130
PLAIN_WIDTH = 132  # columns, so that a log holds the table unbroken


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    settings = parse(arguments)
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    show = Show(console)
    demo = Demo(settings, show)
    kept = False
    try:
        with show:
            result = demo.run()
        conclude(result, settings, show, console)
        kept = settings.keep
    except KeyboardInterrupt:
        console.print("interrupted: ending everything that was started")
        return INTERRUPTED
    except EXPECTED as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    finally:
        if not kept:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # the end itself must not be cut short
            demo.end()
    return 0 if result.good else 1


def parse(arguments: Sequence[str] | None) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m twin.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="stop before destroy and leave the twin running")
    parser.add_argument("--sabotage", choices=SABOTAGES, help="break it on purpose: the demo must notice")
    parser.add_argument("--baskets", type=int, default=200, metavar="N", help="per till (default 200)")
    parser.add_argument("--twin-dir", type=Path, default=twin_state.DEFAULT_DIRECTORY, metavar="DIR")
    parser.add_argument("--out-dir", type=Path, default=Settings().out_dir, metavar="DIR")
    given = parser.parse_args(arguments)
    return replace(
        Settings(),
        keep=given.keep,
        sabotage=given.sabotage,
        baskets_per_till=given.baskets,
        twin_dir=given.twin_dir.resolve(),
        out_dir=given.out_dir.resolve(),
    )


def conclude(result: Proof, settings: Settings, show: Show, console: Console) -> None:
    """The table, the verdict in one line, and where to look."""
    (settings.out_dir / "proof.json").write_text(json.dumps(result.document(), indent=2) + "\n", "utf-8")
    print_table(result, console)
    for text in (*result.findings, *result.problems):
        console.print(text, style="red", highlight=False, soft_wrap=True, markup=False)
    for text in result.left_over or ():
        console.print(f"left over: {text}", style="red", highlight=False, soft_wrap=True, markup=False)
    left = f"left over {len(result.left_over)}" if result.left_over is not None else "not yet destroyed"
    console.print(
        f"lost {result.lost}, doubled {result.doubled}, {left}; "
        f"{show.elapsed:.0f} s; {settings.out_dir / 'report.html'}",
        style="bold green" if result.good else "bold red",
        highlight=False,
        soft_wrap=True,
    )
    if settings.keep:
        _look_around(settings, console)


def _look_around(settings: Settings, console: Console) -> None:
    state = twin_state.load(settings.twin_dir)
    shell = settings.out_dir / "environment"
    shell.write_text(shell_settings(environment(state)), encoding="utf-8")
    first = settings.tills[0].serial
    journal = settings.out_dir / "journals" / f"{first}.jsonl"
    lines = [
        "The twin keeps running. Till pages, for a browser on this machine:",
        *(f"  {serial}  {till.pos_url}/" for serial, till in state.tills.items()),
        "Look around in a shell:",
        f"  . {shell}    # from here on this shell speaks to the twin, and knows greentill",
        "  greentill till status    # what the cloud knows of the tills",
        "  greentill twin status    # what the machines are doing",
        f"  greentill twin cut {first}    # then sell on its page; also: restore, pull-plug, plug-in",
        f"  greentill sales reconcile --till {first} --journal {journal}",
        "End it, with everything in it:",
        "  greentill twin down",
    ]
    console.print("\n".join(lines), highlight=False, soft_wrap=True, markup=False)


def shell_settings(variables: Mapping[str, str]) -> str:
    """What a shell reads to speak to the twin, and to call the command line from anywhere."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    clone, python = shlex.quote(str(twin_state.ROOT)), shlex.quote(sys.executable)
    return "\n".join([*exports, f'greentill() {{ PYTHONPATH={clone} {python} -P -m greentill "$@"; }}\n'])


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
