"""What the cloud knows of this till's ledger, asked before anything is delivered and told to pos.

After a restored card image the cloud is ahead of the ledger, and numbers would repeat: pos then opens a new
epoch. Asking comes first, because what is delivered afterwards would hide it.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from edge_components.edgekit import keys
from edge_components.edgekit.files import write_json
from edge_components.edgekit.ledger import Head
from edge_components.sync.cloud import Cloud
from edge_components.sync.settings import Settings

log = logging.getLogger("sync")


class CloudHeads:
    """`step` asks for the highest record that the table has of this till and writes `cloud_heads.json`."""

    name = "heads"

    def __init__(self, settings: Settings, cloud: Cloud) -> None:
        self._settings = settings
        self._cloud = cloud
        self._lock = threading.Lock()
        self._asked = False

    def step(self) -> bool:
        """False, since there is nothing more to do until the next time. Raises what stood in the way."""
        highest = self._highest()
        if highest is not None:
            self._tell(highest)
        self._asked = True
        return False

    def asked_first(self) -> None:
        """Return once the cloud has been asked since this process began."""
        with self._lock:
            if not self._asked:
                self.step()

    def _highest(self) -> Head | None:
        """The head item, or a record beyond it: a head is written after the records that it stands for."""
        answer = self._cloud.dynamodb.query(
            TableName=self._settings.sales_table,
            KeyConditionExpression="pk = :thing",
            ExpressionAttributeValues={":thing": {"S": self._settings.thing}},
            ExpressionAttributeNames={"#hash": "hash", "#time": "time"},
            ProjectionExpression="sk, epoch, seq, #hash, recorded_at, #time",
            ScanIndexForward=False,  # "head" sorts after every epoch
            Limit=2,
            ConsistentRead=True,
        )
        return _highest_of(answer["Items"])

    def _tell(self, head: Head) -> None:
        told = {"epoch": head.epoch, "seq": head.seq, "hash": head.hash, "time": head.recorded_at}
        path = self._settings.cloud_heads
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            there = None  # not written yet, or cut short by something other than us: write it
        if there != told:
            write_json(path, told)
            log.info("the cloud has this till up to epoch %s seq %d", head.epoch, head.seq)

    def close(self) -> None:
        """Nothing is held."""


def _highest_of(items: Iterable[Mapping[str, Any]]) -> Head | None:
    heads = [
        Head(
            item["epoch"]["S"],
            int(item["seq"]["N"]),
            item["hash"]["S"],
            item["time" if item["sk"]["S"] == keys.HEAD else "recorded_at"]["S"],
        )
        for item in items
    ]
    return max(heads, key=lambda head: (head.epoch, head.seq), default=None)
