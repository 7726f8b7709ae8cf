"""The ways to keep sales that are compared: how each runs on a recorded disk, and what it has afterwards."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from benchmarks import debian
from benchmarks.figure import ROOT, BenchmarkError
from benchmarks.http_client import Terminal
from benchmarks.mqtt import Client
from tests.faults.disk import Entry
from tests.soak.tills import Till, free_port

MOSQUITTO = ("mosquitto", "libmosquitto1", "libcjson1", "libdlt2", "libwrap0")


class Peer(ABC):
    """`folder` is what lies on the disk in question; `environment` puts a process on it."""

    name: str

    @abstractmethod
    def keep(
        self, folder: Path, records: Sequence[Mapping[str, Any]], environment: Mapping[str, str]
    ) -> list[float]:
        """Give it the records, one after another; returns how long each took in seconds."""

    @abstractmethod
    def told(self, played: Sequence[Entry]) -> list[int]:
        """For each record, in order, the entry with which the peer said that it was kept."""

    @abstractmethod
    def present(self, folder: Path) -> Counter[int]:
        """How often it has each record, by number, after it was started again."""


class _Program(Peer):
    def keep(
        self, folder: Path, records: Sequence[Mapping[str, Any]], environment: Mapping[str, str]
    ) -> list[float]:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peer_programs", self.name, str(folder)],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None  # noqa: S101 - asked for with PIPE
        assert process.stdout is not None  # noqa: S101 - asked for with PIPE
        times = []
        try:
            for one in records:
                began = time.perf_counter()
                process.stdin.write(json.dumps(one) + "\n")
                process.stdin.flush()
                if process.stdout.readline().strip() != str(one["number"]):
                    raise BenchmarkError(f"{self.name} does not answer")
                times.append(time.perf_counter() - began)
        finally:
            process.kill()
            process.wait()
        return times

    def told(self, played: Sequence[Entry]) -> list[int]:
        return [
            when for when, entry in enumerate(played) if entry.kind == "a" and entry.data.strip().isdigit()
        ]


class CsvFile(_Program):
    name = "csv"

    def present(self, folder: Path) -> Counter[int]:
        found: Counter[int] = Counter()
        path = folder / "test.csv"
        if path.exists():
            text = path.read_bytes().decode("utf-8", errors="replace").replace("\0", "")
            for row in csv.reader(text.splitlines()):
                if len(row) == 2 and _whole(row[1]):
                    found[int(row[0])] += 1
        return found


class PersistQueue(_Program):
    name = "persist-queue"

    def present(self, folder: Path) -> Counter[int]:
        if not (folder / "queue" / "data.db").exists():
            return Counter()
        import persistqueue  # noqa: PLC0415 - only this peer needs it

        queue = persistqueue.SQLiteAckQueue(str(folder / "queue"), auto_commit=True)
        found: Counter[int] = Counter()
        while queue.size:
            found[queue.get(block=False)["number"]] += 1
        queue.close()
        return found


class Greentill(Peer):
    name = "greentill"

    def keep(
        self, folder: Path, records: Sequence[Mapping[str, Any]], environment: Mapping[str, str]
    ) -> list[float]:
        till = Till("PEER", folder.parent, None)
        till.environment["pos"] |= environment
        till.start("pos")
        named = ({key: value for key, value in one.items() if key != "number"} for one in records)
        bodies = [json.dumps(one).encode() for one in named]
        try:
            till.until_selling()
            return asyncio.run(self._sell(till.port, bodies))
        finally:
            till.end("pos")

    async def _sell(self, port: int, bodies: Sequence[bytes]) -> list[float]:
        terminal = await Terminal.connect(port)
        try:
            return [await terminal.post("/v1/sales", body) for body in bodies]
        finally:
            terminal.close()

    def told(self, played: Sequence[Entry]) -> list[int]:
        answers = ((when, entry) for when, entry in enumerate(played) if entry.kind == "a")
        return [when for when, entry in answers if b'"receipt_no"' in entry.data]

    def present(self, folder: Path) -> Counter[int]:
        connection = apsw.Connection(str(folder / "ledger.db"))
        try:
            rows = connection.execute("SELECT record FROM records WHERE kind = 'sale'").fetchall()
        except apsw.SQLError:
            return Counter()  # nothing was sold yet
        finally:
            connection.close()
        return Counter(int(json.loads(str(row[0]))["body"]["customer_ref"]) for row in rows)


class Mosquitto(Peer):
    """A persistent session, saved after every change: as careful as its configuration allows."""

    name = "mosquitto"

    def keep(
        self, folder: Path, records: Sequence[Mapping[str, Any]], environment: Mapping[str, str]
    ) -> list[float]:
        port = free_port()
        process = self._start(folder, port, environment)
        times = []
        try:
            session = Client(port, "cloud", clean=False)
            session.subscribe()
            session.close()
            till = Client(port, "till", clean=True)
            for one in records:
                began = time.perf_counter()
                till.publish(json.dumps(one).encode())
                times.append(time.perf_counter() - began)
            till.close()
        finally:
            process.kill()
            process.wait()
        return times

    def told(self, played: Sequence[Entry]) -> list[int]:
        answers = ((when, entry) for when, entry in enumerate(played) if entry.kind == "a")
        return [when for when, entry in answers if entry.data[:2] == b"\x40\x02"]

    def present(self, folder: Path) -> Counter[int]:
        port = free_port()
        process = self._start(folder, port, {})
        try:
            session = Client(port, "cloud", clean=False)
            found = Counter(json.loads(content)["number"] for content in session.kept(0.5))
            session.close()
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        return found

    def _start(self, folder: Path, port: int, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        root = debian.unpacked(MOSQUITTO)
        configuration = folder.parent / f"mosquitto-{port}.conf"
        configuration.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n"
            f"persistence_location {folder}/\nautosave_on_changes true\nautosave_interval 1\n"
            "max_queued_messages 0\nuser root\nlog_dest none\n",
            encoding="ascii",
        )
        libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
        return subprocess.Popen(
            [f"{root}/usr/sbin/mosquitto", "-c", str(configuration)],
            env={**os.environ, "LD_LIBRARY_PATH": libraries, **environment},
            stderr=subprocess.DEVNULL,  # what it thinks of being run as root
        )


def _whole(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
