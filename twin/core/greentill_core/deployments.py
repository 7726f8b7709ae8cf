"""A deployment, from its document to components that run, or back to what ran before."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from . import artifacts, configuration, resolution
from .data_plane import DataPlane
from .errors import CoreError, DeploymentError, NotReachableError
from .ipc_operations import Updates
from .local_store import ARN, LocalFirst
from .recipes import Artifact, Recipe, parse
from .resolution import BUILT_IN, Chosen, built_in
from .s3 import S3
from .state import Kept, StateFile
from .storage import write
from .supervisor import Supervisor

NOTIFY_SECONDS = 60.0  # the service's default for componentUpdatePolicy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the job is told."""

    status: str
    details: Mapping[str, str]


class Deployments:
    """One at a time, from wherever they come."""

    def __init__(
        self,
        cloud: DataPlane,
        s3: S3,
        *,
        supervisor: Supervisor,
        state: StateFile,
        updates: Updates,
        changed: Callable[[str, list[str]], None],
        log: logging.Logger,
        longest_backoff: float,
    ) -> None:
        self._cloud = cloud
        self._s3 = s3
        self._supervisor = supervisor
        self._state = state
        self._updates = updates
        self._changed = changed
        self._log = log
        self._longest = longest_backoff
        self._resolver = LocalFirst(supervisor.folders, cloud)
        self._turn = asyncio.Lock()

    async def boot(self) -> None:
        """Start what ran last, without any network; a deployment that was cut short is undone first."""
        kept = self._state.kept
        if kept.before is not None:
            self._state.kept = Kept(**kept.before)
            self._state.save()
        await self._supervisor.apply(self._cached(self._state.kept.components))

    async def run(self, document: dict[str, Any]) -> Outcome:
        """Carry the deployment out; retries while the cloud is away, and raises nothing that it expects."""
        async with self._turn:
            return await self._run(document)

    async def _run(self, document: dict[str, Any]) -> Outcome:
        try:
            targets, chosen = await self._patiently(lambda: self._prepare(document))
        except CoreError as error:
            self._log.error("deployment failed before anything changed: %s", error)
            return Outcome("FAILED", _details("FAILED_NO_STATE_CHANGE", error))
        return await self._replace(document, targets, {name: one.recipe for name, one in chosen.items()})

    async def _prepare(
        self, document: Mapping[str, Any]
    ) -> tuple[dict[str, dict[str, Any]], dict[str, Chosen]]:
        """Resolve and fetch everything; changes nothing that runs."""
        groups = await asyncio.to_thread(self._cloud.thing_groups)
        targets = resolution.still_apply(self._state.kept.groups, groups)
        targets[resolution.target(document)] = dict(document)
        chosen = await asyncio.to_thread(resolution.resolve, targets, self._resolver)
        for name, found in chosen.items():
            if name in BUILT_IN:
                continue
            await self._s3.refresh()
            await asyncio.to_thread(self._fetch, found)
        return targets, chosen

    def _fetch(self, found: Chosen) -> None:
        def fetch(artifact: Artifact) -> bytes:
            self._log.info("downloading %s", artifact.uri)
            if artifact.uri.startswith("s3://"):
                return self._s3.get(artifact.uri)
            return self._cloud.download(self._cloud.artifact_url(found.arn, artifact.uri))

        recipe, folders = found.recipe, self._supervisor.folders
        artifacts.ensure(recipe, folders, fetch, local=found.arn == ARN)
        write(folders.recipe(recipe.name, recipe.version), found.text, 0o644)

    async def _replace(
        self, document: dict[str, Any], targets: dict[str, dict[str, Any]], recipes: dict[str, Recipe]
    ) -> Outcome:
        before = self._state.snapshot()
        await self._ask_components(document, recipes)
        changed = self._take(document, targets, recipes, before)
        try:
            await self._supervisor.apply(recipes)
            for name in changed:
                self._changed(name, [])
            broken = await self._supervisor.settled()
            if broken:
                raise DeploymentError(f"{', '.join(broken)} did not start: see the log of the component")
        except CoreError as error:
            self._log.error("deployment failed: %s", error)
            return await self._failed(document, before, error)
        self._updates.over(str(document.get("deploymentId", "")))
        self._state.kept.before = None
        self._log.info("deployment succeeded: %s", self._state.kept.components)
        return Outcome("SUCCEEDED", {"detailed-deployment-status": "SUCCESSFUL"})

    def _take(
        self,
        document: Mapping[str, Any],
        targets: dict[str, dict[str, Any]],
        recipes: Mapping[str, Recipe],
        before: Kept,
    ) -> list[str]:
        """Make the new state the current one, remembering the old; whose configuration differs."""
        kept = self._state.kept
        kept.before = asdict(before)
        kept.groups = targets
        kept.roots = resolution.roots(targets)
        kept.components = {name: recipe.version for name, recipe in recipes.items()}
        kept.configuration = {
            name: configuration.updated(
                before.configuration.get(name), recipe.defaults, _update(document, name)
            )
            for name, recipe in recipes.items()
        }
        self._state.save()
        return [
            name
            for name, value in kept.configuration.items()
            if name in before.configuration and before.configuration[name] != value
        ]

    async def _failed(self, document: Mapping[str, Any], before: Kept, error: CoreError) -> Outcome:
        self._updates.over(str(document.get("deploymentId", "")))
        if document.get("failureHandlingPolicy", "ROLLBACK") != "ROLLBACK":
            self._state.kept.before = None
            return Outcome("FAILED", _details("FAILED_ROLLBACK_NOT_REQUESTED", error))
        self._state.kept = before
        self._state.save()
        await self._supervisor.apply(self._cached(before.components))
        broken = await self._supervisor.settled()
        self._log.info("rolled back to %s", before.components)
        return Outcome(
            "FAILED", _details("FAILED_UNABLE_TO_ROLLBACK" if broken else "FAILED_ROLLBACK_COMPLETE", error)
        )

    async def _ask_components(self, document: Mapping[str, Any], recipes: Mapping[str, Recipe]) -> None:
        """NOTIFY_COMPONENTS: wait as long as components that would be stopped ask for."""
        policy = document.get("componentUpdatePolicy") or {}
        if policy.get("action", "NOTIFY_COMPONENTS") != "NOTIFY_COMPONENTS":
            return
        patience = float(policy.get("timeout") or NOTIFY_SECONDS)
        identifier = str(document.get("deploymentId", ""))
        while True:
            asked = self._updates.ask(identifier, self._supervisor.affected(recipes))
            try:
                await asyncio.wait_for(self._answered(asked), patience)
            except TimeoutError:
                self._log.warning("not every component answered within %g s", patience)
            wait = max(self._updates.answers().values(), default=0.0)
            if wait <= 0:
                return
            self._log.info("the deployment is deferred for %g s", wait / 1000)
            await asyncio.sleep(wait / 1000)

    async def _answered(self, asked: set[str]) -> None:
        while not asked <= self._updates.answers().keys():
            await asyncio.sleep(0.05)

    def _cached(self, versions: Mapping[str, str]) -> dict[str, Recipe]:
        """Recipes from the disk."""
        recipes = {}
        for name, version in versions.items():
            if name in BUILT_IN:
                recipes[name] = built_in(name, version)
            else:
                recipes[name] = parse(self._supervisor.folders.recipe(name, version).read_bytes())
        return recipes

    async def _patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        pause = 1.0
        while True:
            try:
                return await attempt()
            except NotReachableError as error:
                self._log.warning("the deployment waits for the cloud: %s", error)
            await asyncio.sleep(random.uniform(0.5, 1) * pause)  # noqa: S311 - spreads retries
            pause = min(pause * 2, self._longest)


def _update(document: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    update = ((document.get("components") or {}).get(name) or {}).get("configurationUpdate")
    if not update:
        return None
    merged = update.get("merge")
    return {**update, "merge": json.loads(merged) if isinstance(merged, str) else merged}


def _details(status: str, error: CoreError) -> dict[str, str]:
    return {"detailed-deployment-status": status, "deployment-failure-cause": str(error)[:1000]}
