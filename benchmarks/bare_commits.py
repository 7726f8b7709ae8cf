"""SQLite with the ledger's durability and nothing else: `python -m benchmarks.bare_commits DATABASE`.

Reads a line, commits it, answers with the seconds that this took; a process, so that it can have a slow disk.
"""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import apsw

from benchmarks.figure import ROOT


class BareCommits:
    """The process, from outside."""

    def __init__(self, running: "subprocess.Popen[str]") -> None:
        self._running = running

    def commit(self, content: bytes) -> float:
        """The seconds that one commit of these bytes took, as the process saw it."""
        if self._running.stdin is None or self._running.stdout is None:
            raise ValueError("the process has no pipes")
        self._running.stdin.write(content.decode() + "\n")
        self._running.stdin.flush()
        return float(self._running.stdout.readline())


@contextmanager
def bare_commits(database: Path, environment: Mapping[str, str]) -> Iterator[BareCommits]:
    argv = [sys.executable, "-m", "benchmarks.bare_commits", str(database)]
    process = subprocess.Popen(
        argv, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield BareCommits(process)
    finally:
        process.kill()
        process.communicate()


def main(database: str) -> None:
    connection = apsw.Connection(database)
    connection.execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL").fetchall()
    connection.execute("CREATE TABLE records(seq INTEGER PRIMARY KEY, record TEXT)").fetchall()
    for line in sys.stdin:
        content = line.rstrip("\n")
        began = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE").fetchall()
        connection.execute("INSERT INTO records(record) VALUES(?)", (content,)).fetchall()
        connection.execute("COMMIT").fetchall()
        print(time.perf_counter() - began, flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main(*sys.argv[1:])
