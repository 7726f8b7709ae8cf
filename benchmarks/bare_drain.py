"""What anybody would write with boto3: a ledger into table and bucket, as fast as it goes, without care.

`python -m benchmarks.bare_drain LEDGER THING TABLE BUCKET WRITERS` prints the seconds and the CPU seconds
that it took, its imports left out. It waits for others as sync does: the twin, unlike a cloud, runs beside
it.
"""

import gzip
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apsw
import boto3
from botocore.config import Config

from edge_components.edgekit.priority import background

BATCH = 25
SEGMENT = 500
BUSY_MILLISECONDS = 5_000


def main(ledger: str, thing: str, table: str, bucket: str, writers: str) -> None:
    background()
    config = Config(max_pool_connections=int(writers) + 2)
    dynamodb = boto3.client("dynamodb", config=config)
    s3 = boto3.client("s3", config=config)
    began, cpu = time.perf_counter(), time.process_time()

    def write(rows: list[tuple[Any, ...]]) -> None:
        requests = [{"PutRequest": {"Item": _item(thing, row)}} for row in rows]
        while requests:
            answer = dynamodb.batch_write_item(RequestItems={table: requests})
            requests = answer["UnprocessedItems"].get(table, [])

    def put(rows: list[tuple[Any, ...]]) -> None:
        body = gzip.compress("".join(f"{row[-1]}\n" for row in rows).encode())
        key = f"sales/date={rows[0][5]}/till={thing}/bare-{rows[0][1]:012d}.jsonl.gz"
        s3.put_object(Bucket=bucket, Key=key, Body=body)

    def segments() -> None:
        for rows in _pages(ledger, SEGMENT):
            put(rows)

    with ThreadPoolExecutor(int(writers)) as pool, ThreadPoolExecutor(1) as other:
        done = other.submit(segments)
        pages = _pages(ledger, BATCH)
        waiting = [pool.submit(write, page) for _, page in zip(range(2 * int(writers)), pages, strict=False)]
        for page in pages:
            waiting.pop(0).result()
            waiting.append(pool.submit(write, page))
        for one in (*waiting, done):
            one.result()
    print(time.perf_counter() - began, time.process_time() - cpu)  # noqa: T201 - what it is for


def _pages(ledger: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
    connection = apsw.Connection(ledger, flags=apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(BUSY_MILLISECONDS)  # the first to open it recovers its WAL
    place: tuple[Any, Any] = ("", 0)
    sql = (
        "SELECT epoch, seq, kind, sale_id, receipt_no, business_date, recorded_at, hash, record FROM records"
        " WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?"
    )
    while rows := connection.execute(sql, (*place, size)).fetchall():
        yield rows
        place = (rows[-1][0], rows[-1][1])
    connection.close()


def _item(thing: str, row: tuple[Any, ...]) -> dict[str, dict[str, str]]:
    epoch, seq, kind, sale_id, receipt_no, date, recorded_at, digest, text = row
    record = json.loads(text)
    values = {
        "pk": thing,
        "sk": f"{epoch}#{seq:012d}#{digest[:8]}",
        "epoch": epoch,
        "hash": digest,
        "prev_hash": record["prev_hash"],
        "kind": kind,
        "store": record["store"],
        "business_date": date,
        "store_date": f"{record['store']}#{date}",
        "sale_id": sale_id,
        "receipt_no": receipt_no,
        "recorded_at": recorded_at,
        "currency": record["body"].get("currency"),
        "record": text,
    }
    total = str(record["body"].get("totals", {}).get("total", 0))
    texts = {name: {"S": value} for name, value in values.items() if value is not None}
    return {**texts, "seq": {"N": str(seq)}, "total": {"N": total}}


if __name__ == "__main__":
    main(*sys.argv[1:])
