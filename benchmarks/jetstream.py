"""NATS JetStream as a peer, with `sync_interval: always`: a message is synced before it is acknowledged."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NoStreamResponseError, NotFoundError

from benchmarks import debian
from benchmarks.figure import BenchmarkError
from benchmarks.peer_kinds import Peer
from benchmarks.recorded_mounts import Journal, recorded
from tests.faults.disk import Entry
from tests.soak.tills import free_port

RELEASE = "trixie"  # the first Debian whose NATS can sync always; that of Debian 12 can't be told to sync
REMEMBERED_SECONDS = 86_400.0  # a cut is played minutes after it was recorded; by default it is two
STREAM = "sales"
PATIENCE = 60.0


class JetStream(Peer):
    """The terminal names each message by its sale, so that the server can tell when one comes again."""

    name = "nats-jetstream"

    def keep(
        self, folder: Path, records: Sequence[Mapping[str, Any]], environment: Mapping[str, str]
    ) -> list[float]:
        told = environment.get("GREENTILL_DISK_JOURNAL")
        disk = recorded(folder, Path(told)) if told else nullcontext(folder)
        journal = Journal(Path(told or os.devnull))
        try:
            with disk as below, _server(below, folder.parent) as port:
                return asyncio.run(_publish(port, records, journal))
        finally:
            journal.close()

    def told(self, played: Sequence[Entry]) -> list[int]:
        return [when for when, entry in enumerate(played) if entry.kind == "a"]

    def present(self, folder: Path) -> Counter[int]:
        with _server(folder, folder.parent) as port:
            return asyncio.run(_kept(port))


@contextmanager
def _server(folder: Path, work: Path) -> Iterator[int]:
    """The port of a server that keeps its streams in `folder`; killed at the end."""
    port = free_port()
    configuration = work / f"nats-{port}.conf"
    where = json.dumps(str(folder))
    configuration.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: {where}, sync_interval: always }}\n',
        encoding="utf-8",
    )
    program = debian.unpacked(["nats-server"], RELEASE) / "usr/sbin/nats-server"
    log = work / f"nats-{port}.log"
    process = subprocess.Popen([str(program), "-c", str(configuration), "-l", str(log)])
    try:
        yield port
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


async def _connect(port: int) -> tuple[Client, JetStreamContext]:
    """Once the server has its streams again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            client = await nats.connect(
                f"nats://127.0.0.1:{port}", allow_reconnect=False, error_cb=_say_nothing
            )
            stream = client.jetstream(timeout=PATIENCE)
            await stream.account_info()
        except (OSError, nats.errors.Error, NoStreamResponseError) as error:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"NATS does not answer: {error}") from error
            await asyncio.sleep(0.02)
        else:
            return client, stream


async def _say_nothing(_error: Exception) -> None:
    """Until the server listens, each attempt fails: that is waited for."""


async def _publish(port: int, records: Sequence[Mapping[str, Any]], journal: Journal) -> list[float]:
    client, stream = await _connect(port)
    await stream.add_stream(name=STREAM, subjects=[STREAM], duplicate_window=REMEMBERED_SECONDS)
    times = []
    for one in records:
        content, headers = json.dumps(one).encode(), {"Nats-Msg-Id": str(one["sale_id"])}
        began = time.perf_counter()
        answer = await stream.publish(STREAM, content, headers=headers)
        times.append(time.perf_counter() - began)
        journal.write("a", data=str(answer.seq).encode())
    await client.close()
    return times


async def _kept(port: int) -> Counter[int]:
    client, stream = await _connect(port)
    found: Counter[int] = Counter()
    try:
        state = (await stream.stream_info(STREAM)).state
    except NotFoundError:
        await client.close()
        return found
    for number in range(state.first_seq, state.last_seq + 1):
        try:
            message = await stream.get_msg(STREAM, number)
        except NotFoundError:
            continue  # it knows that this one is gone
        found[json.loads(message.data or b"")["number"]] += 1
    await client.close()
    return found
