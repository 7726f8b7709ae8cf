"""What the core's tests share: a root to work in, recipes, and components that run as nobody."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from twin.core.greentill_core.credentials import Credentials, TokenExchangeServer
from twin.core.greentill_core.identity import Identity
from twin.core.greentill_core.ipc_operations import Operations, Updates
from twin.core.greentill_core.ipc_server import IpcServer
from twin.core.greentill_core.pubsub import PubSub
from twin.core.greentill_core.recipes import Recipe, parse
from twin.core.greentill_core.settings import Settings
from twin.core.greentill_core.state import StateFile
from twin.core.greentill_core.states import Board
from twin.core.greentill_core.supervisor import Supervisor

USER = "nobody:nogroup"
THING = "greentill-CORE0001"
LOG = logging.getLogger("core-under-test")

T = TypeVar("T")


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder that others may enter, with a name short enough for a Unix socket."""
    folder = Path(tempfile.mkdtemp(prefix="core-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def settings(root: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "root": root,
        "region": "eu-west-1",
        "iot_data_endpoint": "localhost",
        "iot_credentials_endpoint": "localhost",
        "provisioning_template": "greentill-provisioning",
        "serial": "CORE0001",
        "role_alias": "greentill-tills",
        "claim_certificate": root / "claim.pem.crt",
        "claim_private_key": root / "claim.private.key",
        "root_ca": root / "rootCA.pem",
        "default_user": USER,
        "sudo": "",  # this machine may have none
        "restart_seconds": 0.05,
        "longest_backoff_seconds": 0.5,
    }
    return Settings(**(values | changes))


def recipe_text(name: str, version: str = "1.0.0", **more: Any) -> dict[str, Any]:
    """A recipe with `lifecycle`, `dependencies`, `configuration` and `artifacts`, as JSON."""
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": name,
        "ComponentVersion": version,
        "ComponentDescription": f"{name} for a test",
        "ComponentPublisher": "tests",
        "ComponentConfiguration": {"DefaultConfiguration": more.get("configuration", {})},
        "ComponentDependencies": more.get("dependencies", {}),
        "Manifests": [
            {
                "Platform": {"os": "linux", "runtime": "*"},
                "Lifecycle": more.get("lifecycle", {}),
                "Artifacts": more.get("artifacts", []),
            }
        ],
    }


def recipe(name: str, version: str = "1.0.0", **more: Any) -> Recipe:
    return parse(json.dumps(recipe_text(name, version, **more)))


def access(service: str, operation: str, *resources: str) -> dict[str, Any]:
    """An accessControl with one policy."""
    policy = {"operations": [f"aws.greengrass#{operation}"], "resources": list(resources)}
    return {"accessControl": {service: {"one": {"policyDescription": "a test's", **policy}}}}


def no_credentials() -> dict[str, str]:
    return {
        "accessKeyId": "AKIATEST",
        "secretAccessKey": "secret",
        "sessionToken": "token",
        "expiration": "2099-01-01T00:00:00Z",
    }


@dataclass
class Core:
    """A core without a cloud: everything that happens on the machine itself."""

    settings: Settings
    state: StateFile
    board: Board
    ipc: IpcServer
    supervisor: Supervisor
    pubsub: PubSub
    updates: Updates
    operations: Operations
    exchange: TokenExchangeServer
    loop: asyncio.AbstractEventLoop

    async def apply(self, *recipes: Recipe) -> list[str]:
        """Run these and wait until they are up; the broken ones."""
        wanted = {one.name: one for one in recipes}
        for one in recipes:
            self.state.kept.configuration.setdefault(one.name, dict(one.defaults))
        await self.supervisor.apply(wanted)
        return await asyncio.wait_for(self.supervisor.settled(), 120)

    def log_of(self, name: str) -> str:
        return (self.settings.root / "logs" / f"{name}.log").read_text()

    async def heard(self, name: str, line: str, times: int = 1) -> None:
        """Wait until its log has `line` so often, and no oftener; with_core bounds the time."""
        while not (log := self.settings.root / "logs" / f"{name}.log").exists() or (
            log.read_text().count(line) < times
        ):
            await asyncio.sleep(0.02)
        assert self.log_of(name).count(line) == times

    def work(self, name: str) -> Path:
        return self.settings.root / "work" / name


def with_core(test: Callable[[Core], Awaitable[T]], **changes: Any) -> T:
    """Run a test on an event loop of its own, with a core that ends with it."""

    async def body(root: Path) -> T:
        own = settings(root, **changes)
        board, updates, state = Board(), Updates(), StateFile(root / "config" / "state.json")
        pubsub = PubSub(state.configuration)
        supervisors: list[Supervisor] = []

        def report(name: str, said: str) -> None:
            supervisors[0].report(name, said)

        operations = Operations(state, pubsub, updates, report)
        ipc = IpcServer(root / "ipc.socket", operations.table(), LOG)
        exchange = TokenExchangeServer(Credentials(no_credentials), LOG)
        await ipc.start()
        await exchange.start()
        supervisor = Supervisor(
            own, Identity(THING, "", ""), state=state, board=board, ipc=ipc, exchange=exchange, log=LOG
        )
        supervisors.append(supervisor)
        core = Core(
            own,
            state,
            board,
            ipc,
            supervisor,
            pubsub,
            updates,
            operations,
            exchange,
            asyncio.get_running_loop(),
        )
        try:
            return await asyncio.wait_for(test(core), 240)
        finally:
            await supervisor.close()
            await exchange.close()
            await ipc.close()

    with short_folder() as root:
        return asyncio.run(body(root))
