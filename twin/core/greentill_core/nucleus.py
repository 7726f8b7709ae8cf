"""Puts the core together and keeps it going until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal

from . import logs, provisioning
from .credentials import Credentials, TokenExchangeServer
from .data_plane import DataPlane
from .deployments import Deployments
from .health import Health
from .ipc_operations import Operations, Updates
from .ipc_server import IpcServer
from .jobs import Jobs
from .local import LocalDeployments
from .mqtt import Mqtt
from .pubsub import PubSub
from .s3 import S3
from .settings import Settings
from .state import StateFile
from .states import Board
from .supervisor import Supervisor


async def run(settings: Settings, log: logging.Logger) -> None:
    """Provision if need be, start what ran last, then serve the cloud; ends on SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    life = asyncio.create_task(_live(settings, log))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((life, stopping), return_when=asyncio.FIRST_COMPLETED)
    log.info("stopping")
    stopping.cancel()
    life.cancel()
    try:
        await life
    except asyncio.CancelledError:
        log.info("stopped")


async def _live(settings: Settings, log: logging.Logger) -> None:
    identity = await provisioning.ensure(settings, log)
    state = StateFile(settings.configuration_folder / "state.json")
    board, updates = Board(), Updates()
    board.heard.append(lambda name, state: logs.of_state(log, name, state))
    pubsub = PubSub(state.configuration)
    supervisors: list[Supervisor] = []

    def report(name: str, reported: str) -> None:
        supervisors[0].report(name, reported)

    operations = Operations(state, pubsub, updates, report)
    ipc = IpcServer(settings.root / "ipc.socket", operations.table(), log)
    cloud = DataPlane(settings, identity)
    credentials = Credentials(cloud.credentials)
    exchange = TokenExchangeServer(credentials, log)
    await ipc.start()
    await exchange.start()
    supervisor = Supervisor(settings, identity, state=state, board=board, ipc=ipc, exchange=exchange, log=log)
    supervisors.append(supervisor)
    deployments = Deployments(
        cloud,
        S3(settings.region, credentials),
        supervisor=supervisor,
        state=state,
        updates=updates,
        changed=operations.configuration_changed,
        log=log,
        longest_backoff=settings.longest_backoff_seconds,
    )
    try:
        link = Mqtt(settings, identity, log)
        pubsub.link = link
        await deployments.boot()
        health = Health(identity.thing, link, state, supervisor=supervisor, seconds=settings.health_seconds)
        board.heard.append(health.broke)
        jobs = Jobs(identity.thing, link, state, carry=deployments.run, finished=health.deployed, log=log)
        local = LocalDeployments(settings.root, deployments.run, state, log)
        async with asyncio.TaskGroup() as tasks:
            for part in (link.run(), jobs.run(), health.run(), local.run()):
                tasks.create_task(part)
    finally:
        await supervisor.close()
        await exchange.close()
        await ipc.close()
