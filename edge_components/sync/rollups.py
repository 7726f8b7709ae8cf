"""Delivery of the till's sums: what has changed since, each only over an older version of itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import apsw
from botocore.exceptions import ClientError

from edge_components.sync.cloud import Cloud
from edge_components.sync.settings import Settings
from edge_components.sync.state import State

log = logging.getLogger("sync")

SINK = "rollups"
PAGE = 50
_BUSY_MILLISECONDS = 2_000


@dataclass(frozen=True, slots=True)
class Changed:
    """A bucket as rollups.db holds it."""

    bucket: str
    version: int
    epoch: str
    payload: str


class RollupSink:
    """`step` delivers a page of changed buckets.

    The watermark is a version: the seq of the last record that counted. A bucket that changes again while
    it is under way has a higher one, so it comes again.
    """

    name = SINK

    def __init__(self, settings: Settings, state: State, cloud: Cloud) -> None:
        self._settings = settings
        self._state = state
        self._cloud = cloud

    def step(self) -> bool:
        """Whether there may be more to deliver. Raises what stood in the way."""
        if not self._settings.rollups.exists():
            return False  # no aggregator on this till, or nothing counted yet
        rows = self._next()
        if rows:
            self._deliver(rows)
        return bool(rows)

    def _next(self) -> list[Changed]:
        """What changed in the oldest epoch with changes; every bucket of a version, or none of it."""
        with _reading(self._settings.rollups) as connection:
            newest: list[tuple[Any, ...]] = list(
                connection.execute("SELECT epoch, max(version) FROM rollups GROUP BY epoch ORDER BY epoch")
            )
            for epoch, version in newest:
                after = self._state.watermark(SINK, epoch) or 0
                if after < version:
                    return _page(connection, epoch, after)
        return []

    def _deliver(self, rows: Sequence[Changed]) -> None:
        done = 0
        try:
            for version, buckets in groupby(rows, lambda row: row.version):
                for row in buckets:
                    self._put(row)
                done = version
        finally:
            if done:
                self._state.advance(SINK, rows[0].epoch, done)

    def _put(self, row: Changed) -> None:
        try:
            self._cloud.dynamodb.put_item(**put(self._settings.rollups_table, self._settings.thing, row))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            _compare(row, error.response.get("Item") or {})

    def close(self) -> None:
        """Nothing is held: the file is opened for each page, since the aggregator may make it anew."""


def put(table: str, thing: str, row: Changed) -> dict[str, Any]:
    """Arguments of PutItem; nothing in them varies between attempts."""
    _, kind, period = row.bucket.split("#")
    content = json.loads(row.payload)
    texts = {"pk": thing, "sk": row.bucket, "epoch": row.epoch, "kind": kind, "period": period}
    numbers = {"version": row.version, "net": content["net"], "count": content["count"]}
    return {
        "TableName": table,
        "Item": {
            **{name: {"S": value} for name, value in texts.items()},
            **{name: {"N": str(value)} for name, value in numbers.items()},
            "payload": {"S": row.payload},
        },
        "ConditionExpression": "attribute_not_exists(pk) OR #version < :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": str(row.version)}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _compare(row: Changed, there: dict[str, dict[str, str]]) -> None:
    """The table has this version, after an answer was lost, or a newer one; or it has other sums."""
    version, payload = there.get("version", {}).get("N"), there.get("payload", {}).get("S")
    if version == str(row.version) and payload != row.payload:
        log.critical("ALARM the table has other sums for %s at version %s", row.bucket, version)


@contextmanager
def _reading(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        yield connection
    finally:
        connection.close(force=True)


def _page(connection: apsw.Connection, epoch: str, after: int) -> list[Changed]:
    rows = connection.execute(
        "SELECT bucket, version, epoch, payload FROM rollups WHERE epoch = ? AND version > ?"
        " ORDER BY version, bucket LIMIT ?",
        (epoch, after, PAGE),
    )
    found = [Changed(*row) for row in rows]
    if len(found) == PAGE:  # the last version may go on: an hour and a day change with the same record
        found = [row for row in found if row.version != found[-1].version]
    return found
