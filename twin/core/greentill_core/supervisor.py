"""The set of components that runs, and how it becomes another one."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from . import VERSION, logs
from .component import Component, Launch
from .credentials import TokenExchangeServer
from .identity import Identity
from .ipc_server import IpcServer
from .recipes import Recipe, Step
from .settings import Settings
from .state import StateFile
from .states import Board, State
from .variables import Folders, substitute

TOKEN_EXCHANGE = "aws.greengrass.TokenExchangeService"  # noqa: S105 - a component's name
SETTLE_SECONDS = 1.0  # a component that dies at once must not pass for one that runs


class Supervisor:
    """Starts, replaces and stops components; knows what they are launched with."""

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        *,
        state: StateFile,
        board: Board,
        ipc: IpcServer,
        exchange: TokenExchangeServer,
        log: logging.Logger,
    ) -> None:
        self.folders = Folders(settings.root)
        self._settings = settings
        self._thing = identity.thing
        self._state = state
        self._board = board
        self._ipc = ipc
        self._exchange = exchange
        self._log = log
        self._running: dict[str, Component] = {}
        self._tokens: dict[str, tuple[str, str]] = {}  # component -> IPC token, credentials token

    def user(self, name: str) -> str:
        """`user:group`: whom the component runs as: a deployment's runWith, or the default."""
        for document in self._state.kept.groups.values():
            run_with = (document.get("components", {}).get(name) or {}).get("runWith") or {}
            if run_with.get("posixUser"):
                return str(run_with["posixUser"])
        return self._settings.default_user

    def launch(self, recipe: Recipe) -> Launch:
        """How the component would start with the configuration that it has now."""
        configuration = self._state.configuration(recipe.name)

        def filled(text: str) -> str:
            return substitute(
                text,
                self.folders,
                thing=self._thing,
                name=recipe.name,
                lite=self._settings.nucleus == "lite",
                version=recipe.version,
                configuration=configuration,
            )

        def rendered(step: Step) -> Step:
            environment = {key: filled(value) for key, value in step.environment.items()}
            return replace(step, script=filled(step.script), environment=environment)

        steps = {name: rendered(step) for name, step in recipe.steps.items()}
        return Launch(recipe, steps, self.user(recipe.name))

    def affected(self, recipes: Mapping[str, Recipe]) -> set[str]:
        """Running components that `apply` would stop."""
        return {
            name
            for name, component in self._running.items()
            if name not in recipes
            or component.launch != self.launch(recipes[name])
            or self._board[name] == State.BROKEN
        }

    async def apply(self, recipes: Mapping[str, Recipe]) -> None:
        """Make `recipes` what runs; untouched components go on running."""
        await self._stop(self.affected(recipes))
        for name, recipe in recipes.items():
            if name not in self._running:
                self._running[name] = self._make(self.launch(recipe))
        for name, component in self._running.items():
            if self._board[name] == State.NEW:
                component.start()

    async def settled(self) -> list[str]:
        """Wait until all are up and stay so, or some are BROKEN: their names."""
        while True:
            await self._board.until(lambda: bool(self._broken()) or self._board.happy(self._running))
            if not self._broken():
                await asyncio.sleep(SETTLE_SECONDS)
            if self._broken() or self._board.happy(self._running):
                return self._broken()

    def report(self, name: str, state: str) -> None:
        """UpdateState, from the component itself."""
        if name in self._running:
            self._running[name].report(state)

    def states(self) -> dict[str, State]:
        return {name: self._board[name] for name in self._running}

    async def close(self) -> None:
        await self._stop(set(self._running))

    def _broken(self) -> list[str]:
        return sorted(name for name in self._running if self._board[name] == State.BROKEN)

    async def _stop(self, names: set[str]) -> None:
        """Dependents first, so that nothing restarts because what it needs goes."""
        left = set(names)
        while left:
            needed = {
                other for name in left for other in self._running[name].launch.recipe.hard_dependencies()
            }
            now = {name for name in left if name not in needed} or left
            await asyncio.gather(*(self._running[name].stop() for name in now))
            for name in now:
                self._forget(name)
            left -= now

    def _forget(self, name: str) -> None:
        del self._running[name]
        self._board.remove(name)
        ipc_token, exchange_token = self._tokens.pop(name)
        self._ipc.dismiss(ipc_token)
        self._exchange.revoke(exchange_token)

    def _make(self, launch: Launch) -> Component:
        name = launch.recipe.name
        work = self.folders.work(name)
        work.mkdir(parents=True, exist_ok=True)
        work.parent.chmod(0o755)
        work.chmod(0o700)
        tokens = secrets.token_urlsafe(16), self._exchange.issue()
        self._tokens[name] = tokens
        self._ipc.admit(tokens[0], name)
        log = logs.of_component(self._settings.root / "logs", name)
        return Component(
            launch,
            self._board,
            folder=str(work),
            environment=self._environment,
            log=log,
            packages=self.folders.packages(name, launch.recipe.version),
            sudo=self._settings.sudo,
            restart_seconds=self._settings.restart_seconds,
        )

    def _environment(self, name: str) -> dict[str, str]:
        """The unit's own environment, and what a nucleus tells a component."""
        ipc_token, exchange_token = self._tokens[name]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        environment |= {
            "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT": str(self._ipc.path),
            "SVCUID": ipc_token,
            "AWS_IOT_THING_NAME": self._thing,
            "AWS_REGION": self._settings.region,
            "AWS_DEFAULT_REGION": self._settings.region,
            "GGC_VERSION": VERSION,
            "GG_ROOT_CA_PATH": str(Path(self._settings.root_ca)),
        }
        if TOKEN_EXCHANGE in self._running:
            environment |= {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": self._exchange.url,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": exchange_token,
            }
        return environment
