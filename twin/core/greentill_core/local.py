"""Local deployments: recipes and artifacts from folders of this machine, as `greengrass-cli` makes them.

`python3 -m greentill_core.local --root /greengrass/v2 --recipeDir R --artifactDir A --merge NAME=VERSION
[--update-config FILE]` leaves a request, which the running core takes. As the users of the real one found, a
configuration update is honoured only when its file's name carries `-config-update`; without a word otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .deployments import Outcome
from .errors import CoreError
from .local_store import TARGET, marker
from .state import StateFile
from .storage import read_json, write, write_json
from .variables import Folders

UPDATE_MARK = "-config-update"
_POLL_SECONDS = 0.5


def request(root: Path, wanted: Mapping[str, str], recipes: Path, files: Path, update: Path | None) -> str:
    """Copy what is wanted into the core's folders and ask it to run it; the deployment's id."""
    folders = Folders(root)
    changes = _changes(update)
    for name, version in wanted.items():
        source = recipes / f"{name}-{version}.json"
        try:
            text = source.read_bytes()
        except OSError as error:
            raise CoreError(f"{source} can't be read: {error.strerror}") from error
        recipe = folders.recipe(name, version)
        if (files / name / version).is_dir():
            shutil.copytree(files / name / version, folders.artifacts(name, version), dirs_exist_ok=True)
        write(marker(recipe), b"", 0o644)
        write(recipe, text, 0o644)
    components = {
        name: {"version": version, "configurationUpdate": changes.get(name)}
        for name, version in wanted.items()
    }
    identifier = str(uuid.uuid4())
    write_json(_asked(root) / f"{identifier}.json", {"deploymentId": identifier, "components": components})
    return identifier


def _changes(update: Path | None) -> Mapping[str, Any]:
    """Component to {"RESET": [...], "MERGE": {...}}, in the core's own words."""
    if update is None or UPDATE_MARK not in update.name:
        return {}
    found = read_json(update, {})
    return {name: {key.lower(): value for key, value in change.items()} for name, change in found.items()}


def _asked(root: Path) -> Path:
    return root / "cli" / "asked"


def outcome_path(root: Path, identifier: str) -> Path:
    return root / "cli" / "done" / f"{identifier}.json"


class LocalDeployments:
    """Runs as a task: takes one request after another."""

    def __init__(
        self,
        root: Path,
        carry: Callable[[dict[str, Any]], Awaitable[Outcome]],
        state: StateFile,
        log: logging.Logger,
    ) -> None:
        self._root = root
        self._carry = carry
        self._state = state
        self._log = log

    async def run(self) -> None:
        while True:
            for path in sorted(_asked(self._root).glob("*.json"), key=os.path.getmtime):
                await self._take(path)
            await asyncio.sleep(_POLL_SECONDS)

    async def _take(self, path: Path) -> None:
        asked = read_json(path, {})
        self._log.info("local deployment %s is taken", asked["deploymentId"])
        before = self._state.kept.groups.get(TARGET, {}).get("components", {})
        kept = {name: {"version": one["version"]} for name, one in before.items()}
        components = {**kept, **asked["components"]}
        arn = f"arn:aws:greengrass:local:configuration:{TARGET}:1"
        outcome = await self._carry({**asked, "components": components, "configurationArn": arn})
        told = {"status": outcome.status, **outcome.details}
        write_json(outcome_path(self._root, asked["deploymentId"]), told, 0o644)
        path.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Deploy components from folders of this machine.")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--recipeDir", type=Path, required=True)
    parser.add_argument("--artifactDir", type=Path, required=True)
    parser.add_argument("--merge", action="append", required=True, metavar="NAME=VERSION")
    parser.add_argument("--update-config", type=Path)
    given = parser.parse_args(arguments)
    wanted = dict(one.split("=", 1) for one in given.merge)
    try:
        print(request(given.root, wanted, given.recipeDir, given.artifactDir, given.update_config))  # noqa: T201 - the answer
    except CoreError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command's sentence
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
