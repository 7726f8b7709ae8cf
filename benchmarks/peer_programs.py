"""What a user would write instead: `python -m benchmarks.peer_programs csv|persist-queue FOLDER`.

A line on standard input is a record; it is answered with its number, once the program believes it is kept.
"""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path


def append_csv(folder: Path) -> Callable[[str], None]:
    """As the documents that this project grew from have it: a row in a file, uploaded now and then."""
    file = (folder / "test.csv").open("a", newline="", encoding="utf-8")
    writer = csv.writer(file)

    def keep(line: str) -> None:
        writer.writerow([json.loads(line)["number"], line])
        file.flush()

    return keep


def put_in_queue(folder: Path) -> Callable[[str], None]:
    """persist-queue's acknowledged SQLite queue, as its documentation sets it up."""
    import persistqueue  # noqa: PLC0415 - only this peer needs it

    queue = persistqueue.SQLiteAckQueue(str(folder / "queue"), auto_commit=True)

    def keep(line: str) -> None:
        queue.put(json.loads(line))

    return keep


def main(kind: str, folder: Path) -> None:
    keep = {"csv": append_csv, "persist-queue": put_in_queue}[kind](folder)
    for line in sys.stdin:
        keep(line.rstrip("\n"))
        print(json.loads(line)["number"], flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
