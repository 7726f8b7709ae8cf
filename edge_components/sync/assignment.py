"""The till's assignment: read from its own registry row, checked, written where pos looks for it."""

from __future__ import annotations

import json
import logging
import re
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from edge_components.edgekit.files import write_json
from edge_components.sync.cloud import Cloud
from edge_components.sync.errors import AssignmentError
from edge_components.sync.settings import Settings

log = logging.getLogger("sync")

TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
TEXTS = ("thing", "store", "store_name", "currency", "time_zone", "day_starts", "locale")


class AssignmentFetcher:
    """`step` fetches the row; False, since there is nothing more to do until the next time."""

    name = "assignment"

    def __init__(self, settings: Settings, cloud: Cloud) -> None:
        self._settings = settings
        self._cloud = cloud

    @property
    def missing(self) -> bool:
        """Whether pos has nothing to sell with yet."""
        return not self._settings.assignment.exists()

    def step(self) -> bool:
        answer = self._cloud.dynamodb.get_item(
            TableName=self._settings.registry_table,
            Key={"thing": {"S": self._settings.thing}},
            ConsistentRead=True,
        )
        row = answer.get("Item")
        if row is None:
            raise AssignmentError(
                f"the registry {self._settings.registry_table} has no row for this till yet"
            )
        found = _plain(row.get("assignment", {"M": {}}))
        write_if_changed(self._settings, checked(found, self._settings.thing))
        return False

    def close(self) -> None:
        """Nothing is held."""


def write_if_changed(settings: Settings, assignment: dict[str, Any]) -> None:
    try:
        there = json.loads(settings.assignment.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        there = None  # not written yet, or cut short by something other than us: write it
    if there != assignment:
        write_json(settings.assignment, assignment)
        log.info("assigned to store %s as %s", assignment["store"], assignment["thing"])


def checked(found: Any, thing: str) -> dict[str, Any]:
    """The assignment as pos reads it. Raises AssignmentError naming what is wrong with it."""
    if not isinstance(found, dict) or not found:
        raise AssignmentError("the registry row has no assignment yet")
    for key in TEXTS:
        if not isinstance(found.get(key), str) or not found[key]:
            raise AssignmentError(f"the assignment's {key} is {found.get(key)!r}, not a text")
    terminals = found.get("terminals")
    exponent = found.get("currency_exponent")
    problems = {
        f"version is {found.get('version')!r}, not 1": found.get("version") != 1,
        f"thing is {found['thing']!r}, not {thing!r}": found["thing"] != thing,
        f"time_zone {found['time_zone']!r} isn't known": not _known_zone(found["time_zone"]),
        f"day_starts is {found['day_starts']!r}, not HH:MM": not TIME_OF_DAY.fullmatch(found["day_starts"]),
        f"currency_exponent is {exponent!r}": not isinstance(exponent, int) or not 0 <= exponent <= 4,
        f"terminals is {terminals!r}, not a list of names": not _names(terminals),
        "prices_include_tax isn't true or false": not isinstance(found.get("prices_include_tax"), bool),
    }
    if wrong := [problem for problem, is_wrong in problems.items() if is_wrong]:
        raise AssignmentError(f"the assignment's {wrong[0]}")
    return found


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and name for name in value)


def _known_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _plain(value: dict[str, Any]) -> Any:
    """A value in DynamoDB's own notation as JSON has it: a whole number is an int, any other stays its text.

    boto3's deserialiser does it as well, and takes 3 MB.
    """
    ((kind, found),) = value.items()
    match kind:
        case "S" | "BOOL":
            return found
        case "NULL":
            return None
        case "N":
            number = Decimal(found)
            return int(number) if number == int(number) else found
        case "L":
            return [_plain(one) for one in found]
        case "M":
            return {key: _plain(one) for key, one in found.items()}
    raise AssignmentError(f"the assignment holds a value of DynamoDB's type {kind}, which no part of it is")
