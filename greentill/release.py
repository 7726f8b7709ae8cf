"""`greentill release`: build, check, publish and promote component versions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from greentill.console import CommandError, JsonOption, err, out, print_json
from infra.settings import SettingsError, load
from release import build as building
from release.check import check_built
from release.errors import ReleaseError
from release.promote import promote as write_release
from release.publish import Cloud
from release.publish import publish as publish_built
from release.wheelhouse import cache_folder

app = typer.Typer()

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"


@contextmanager
def _speaking() -> Iterator[Callable[[str], None]]:
    """Progress for people: a spinner with the latest step; plain lines without a terminal.

    Turns what can go wrong into one sentence.
    """
    try:
        if err.is_terminal:
            columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
            with Progress(*columns, console=err, transient=True) as progress:
                task = progress.add_task("Starting")
                yield lambda step: progress.update(task, description=step)
        else:
            yield lambda step: err.print(step, highlight=False, soft_wrap=True, markup=False)
    except (ReleaseError, SettingsError) as error:
        raise CommandError(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise CommandError(f"AWS refused or can't be reached: {error}") from error


def _describe(one: building.Built) -> dict[str, Any]:
    return {
        "component": one.component,
        "version": one.version,
        "digest": one.digest,
        "artifacts": [{"file": file, "sha256": digest} for file, digest in sorted(one.artifacts.items())],
    }


@app.command(epilog="Example: greentill release build")
def build(json: JsonOption = False) -> None:
    """Fill dist/ with every component: the same commit gives the same bytes."""
    with _speaking() as progress:
        built = building.build(building.Workshop(ROOT, DIST, cache_folder(), progress))
    if json:
        print_json([_describe(one) for one in built])
        return
    for one in built:
        out.print(f"{one.component} {one.version}  {one.digest}", highlight=False, soft_wrap=True)


@app.command(epilog="Example: greentill release check --json")
def check(json: JsonOption = False) -> None:
    """Hold what dist/ has of the working tree against the rules for both nuclei."""
    with _speaking():
        built = building.current(ROOT, DIST)
    findings = [
        f"{one.component} {one.version}: {finding}"
        for one in built
        for finding in check_built(one.recipe_text, one.artifacts, one.digest)
    ]
    if json:
        print_json({"components": [_describe(one) for one in built], "findings": findings})
    elif not findings:
        out.print(f"{len(built)} components keep the rules of both nuclei.")
    for finding in [] if json else findings:
        out.print(finding, highlight=False, soft_wrap=True, markup=False)
    if findings:
        raise CommandError(f"{len(findings)} findings: correct the recipes, then build again.")


@app.command(epilog="Example: greentill release publish")
def publish(json: JsonOption = False) -> None:
    """Upload what was built and create its component versions in the account."""
    with _speaking() as progress:
        settings = load(ROOT)
        built = building.current(ROOT, DIST)
        published = publish_built(built, Cloud.of(settings.fleet.name, settings.fleet.region), progress)
    if json:
        print_json([vars(one) for one in published])
        return
    for one in published:
        out.print(
            f"{one.component} {one.version}  {'created' if one.created else 'unchanged'}",
            highlight=False,
            soft_wrap=True,
        )


@app.command(epilog="Example: greentill release promote --to dev")
def promote(
    to: Annotated[str, typer.Option("--to", help="The stage whose releases/<stage>.json is written.")],
    json: JsonOption = False,
) -> None:
    """Name what dist/ has of the working tree as what a stage runs; commit the file that changes."""
    with _speaking():
        components = write_release(ROOT, to, building.current(ROOT, DIST))
    if json:
        print_json({"stage": to, "components": components})
        return
    for name, entry in components.items():
        out.print(f"{to}: {name} {entry['version']}  {entry['digest']}", highlight=False, soft_wrap=True)
