"""One component's life: install, start, watch, restart, stop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import CoreError
from .process import Process
from .recipes import Recipe, Step
from .states import Board, State
from .users import ROOT, Account, find, give, refusal

TRIES = 3
_FORGIVEN_SECONDS = 3600.0  # failures older than this don't count


@dataclass(frozen=True, slots=True)
class Launch:
    """What a component is started with; equal launches need no restart."""

    recipe: Recipe
    steps: Mapping[str, Step]  # with the recipe's variables filled in
    user: str  # whom it runs as, `user:group`; looked up before each start, since it may come and go


class _StepFailedError(Exception):
    """A step exited with an error or ran out of time."""


class Component:
    """Runs in a task of its own until it is stopped."""

    def __init__(
        self,
        launch: Launch,
        board: Board,
        *,
        folder: str,
        environment: Callable[[str], Mapping[str, str]],
        log: logging.Logger,
        packages: tuple[Path, ...],
        sudo: str,
        restart_seconds: float,
    ) -> None:
        self.launch = launch
        self.name = launch.recipe.name
        self._board = board
        self._folder = folder
        self._environment = environment
        self._log = log
        self._packages = packages
        self._sudo = sudo
        self._restart_seconds = restart_seconds
        self._account: Account | None = None
        self._process: Process | None = None
        self._failures: list[float] = []
        self._installed = False
        self._restart = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reported = asyncio.Event()
        board.set(self.name, State.NEW)

    def start(self) -> None:
        self._task = asyncio.create_task(self._live())

    def request_restart(self) -> None:
        """End what runs and start it again."""
        self._restart.set()

    def report(self, state: str) -> None:
        """UpdateState from the component itself: RUNNING or ERRORED."""
        if state == State.ERRORED:
            self._board.set(self.name, State.ERRORED)
            self._failures.append(time.monotonic())
            self.request_restart()
        elif state == State.RUNNING and self._board[self.name] == State.STARTING:
            self._reported.set()
            self._board.set(self.name, State.RUNNING)

    async def stop(self) -> None:
        """Stop it for good, its shutdown step included."""
        if self._board[self.name] not in (State.BROKEN, State.FINISHED):
            self._board.set(self.name, State.STOPPING)
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._shut_down()
        if self._board[self.name] == State.STOPPING:
            self._board.set(self.name, State.FINISHED)

    async def _live(self) -> None:
        while True:
            self._restart.clear()
            self._reported.clear()
            try:
                await self._once()
            except _StepFailedError as error:
                self._log.error("%s", error)
                self._failures.append(time.monotonic())
                self._board.set(self.name, State.ERRORED)
            except OSError as error:  # the script could not even be started
                self._log.error("can't start a step: %s", error)
                self._failures.append(time.monotonic())
                self._board.set(self.name, State.ERRORED)
            await self._shut_down()
            self._failures = [at for at in self._failures if time.monotonic() - at < _FORGIVEN_SECONDS]
            if len(self._failures) >= TRIES:
                self._log.error("BROKEN after %d failures; the next deployment may mend it", TRIES)
                self._board.set(self.name, State.BROKEN)
                return
            await asyncio.sleep(self._restart_seconds)

    async def _once(self) -> None:
        """Returns when the component should be started again; raises _StepFailedError."""
        await self._take_account()
        if not self._installed:
            await self._complete("install")
            self._installed = True
        self._board.set(self.name, State.INSTALLED)
        hard = self.launch.recipe.hard_dependencies()
        await self._board.until(lambda: self._board.happy(hard))
        self._board.set(self.name, State.STARTING)
        if "startup" in self.launch.steps:
            await self._complete("startup")
            self._board.set(self.name, State.RUNNING)
            await self._until_restart(hard)
        elif "run" in self.launch.steps:
            await self._run(hard)
        else:
            self._board.set(self.name, State.FINISHED)
            await self._until_restart([])

    async def _take_account(self) -> None:
        """Who runs the steps and owns what is the component's; _StepFailedError when nobody can."""
        try:
            self._account = find(self.launch.user)
            give(self._account, Path(self._folder), self._packages)
        except CoreError as error:
            raise _StepFailedError(f"Could not determine user/group to run with: {error}") from error
        said = await refusal(self._sudo, self._account)
        if said is not None:
            raise _StepFailedError(f"stderr. {said}")

    async def _run(self, hard: list[str]) -> None:
        step = self.launch.steps["run"]
        process = await self._begin("run", step)
        self._board.set(self.name, State.RUNNING)
        exited = asyncio.create_task(process.wait())
        restart = asyncio.create_task(self._until_restart(hard))
        try:
            done, _ = await asyncio.wait(
                (exited, restart), timeout=step.timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in (exited, restart):
                task.cancel()
        if exited in done:
            self._process = None
            if exited.result() != 0:
                raise _StepFailedError(f"run exited with {exited.result()}")
            self._log.info("run exited with 0")
            self._board.set(self.name, State.FINISHED)
            await self._until_restart([])
        elif not done:
            raise _StepFailedError(f"run took longer than {step.timeout:g} s")

    async def _until_restart(self, hard: list[str]) -> None:
        """Wait until a restart is asked for or a hard dependency is no longer up."""
        lost = asyncio.create_task(self._board.until(lambda: not self._board.happy(hard)))
        asked = asyncio.create_task(self._restart.wait())
        try:
            await asyncio.wait((lost, asked), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            asked.cancel()

    async def _complete(self, name: str) -> None:
        step = self.launch.steps.get(name)
        if step is None:
            return
        process = await self._begin(name, step)
        try:
            code = await asyncio.wait_for(process.wait(), step.timeout)
        except TimeoutError as error:
            raise _StepFailedError(f"{name} took longer than {step.timeout:g} s") from error
        self._process = None
        if code != 0:
            raise _StepFailedError(f"{name} exited with {code}")

    async def _begin(self, name: str, step: Step) -> Process:
        self._log.info("%s: %s", name, step.script)
        environment = {**self._environment(self.name), **step.environment}
        account = ROOT if step.privileged or self._account is None else self._account
        self._process = await Process.start(step.script, account, environment, self._folder, self._log)
        return self._process

    async def _shut_down(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.stop()
        step = self.launch.steps.get("shutdown")
        if step is None or not self._installed:
            return
        stopping = await self._begin("shutdown", step)
        self._process = None
        try:
            await asyncio.wait_for(stopping.wait(), step.timeout)
        except TimeoutError:
            self._log.warning("shutdown took longer than %g s", step.timeout)
            await stopping.stop()
