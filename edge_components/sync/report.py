"""Tells head office what is left to deliver, beside the till's head in the table.

It is the till's word and of no use as proof: what has arrived is proved by the records alone.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from edge_components.edgekit import keys
from edge_components.edgekit.ledger import LedgerReader
from edge_components.sync.cloud import Cloud
from edge_components.sync.progress import SINKS
from edge_components.sync.settings import Settings
from edge_components.sync.state import State

log = logging.getLogger("sync")


class Reporter:
    """`step` adds to the head: backlog, its oldest record's time, the time now, this component's version."""

    name = "report"

    def __init__(
        self,
        settings: Settings,
        ledger: LedgerReader,
        state: State,
        cloud: Cloud,
        version: str | None = None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._state = state
        self._cloud = cloud
        self._version = version

    def step(self) -> bool:
        """False, since there is nothing more to do until the next time. Raises what stood in the way."""
        backlog, oldest_at = self.backlog()
        values: dict[str, dict[str, str]] = {
            ":backlog": {"N": str(backlog)},
            ":now": {"S": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")},
        }
        changes, gone = ["backlog = :backlog", "reported_at = :now"], []
        for name, value in (("oldest_at", oldest_at), ("version", self._version)):
            if value is None:
                gone.append(name)
            else:
                changes.append(f"{name} = :{name}")
                values[f":{name}"] = {"S": value}
        self._update(f"SET {', '.join(changes)}" + (f" REMOVE {', '.join(gone)}" if gone else ""), values)
        return False

    def backlog(self) -> tuple[int, str | None]:
        """How many records one of the sinks lacks, and when the first of them was recorded."""
        records, oldest_at = 0, None
        for head in self._ledger.heads():
            passed = min(self._state.watermark(sink, head.epoch) or 0 for sink in SINKS)
            if passed < head.seq:
                row = next(iter(self._ledger.after(head.epoch, passed, 1)), None)
                oldest_at = oldest_at or (row.recorded_at if row else None)
                records += head.seq - passed
        return records, oldest_at

    def _update(self, expression: str, values: dict[str, Any]) -> None:
        """A till without a head has delivered nothing yet, and says so by having none."""
        try:
            self._cloud.dynamodb.update_item(
                TableName=self._settings.sales_table,
                Key={"pk": {"S": self._settings.thing}, "sk": {"S": keys.HEAD}},
                UpdateExpression=expression,
                ConditionExpression="attribute_exists(seq)",
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def close(self) -> None:
        self._ledger.close()


def installed_version(artifact: str) -> str | None:
    """The component's version: a nucleus unpacks it to <name>/<version>/<archive>, which the launcher tells.

    Not where the code runs from: that is a copy beside the Runtime. None outside a nucleus.
    """
    folder = Path(artifact)
    return folder.parent.name if folder.parent.parent.name.startswith("com.") else None
