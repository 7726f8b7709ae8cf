"""What the core must know after a power cut: `config/state.json`, replaced as a whole."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import CoreError
from .storage import read_json, write_json


@dataclass
class Kept:
    """The state's content, JSON through and through."""

    components: dict[str, str] = field(default_factory=dict)  # name -> version that runs
    roots: dict[str, list[str]] = field(default_factory=dict)  # root component -> configuration ARNs
    configuration: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)  # target -> deployment document
    before: dict[str, Any] | None = None  # the state to return to while a deployment replaces components
    report: dict[str, Any] | None = None  # {"jobId", "status", "statusDetails"}: not yet acknowledged


class StateFile:
    """The state in memory and on disk; every change is written before it counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = read_json(path, {})
        try:
            self.kept = Kept(**found)
        except TypeError as error:
            raise CoreError(f"{path} holds something else: {error}") from error

    def save(self) -> None:
        write_json(self._path, asdict(self.kept))

    def snapshot(self) -> Kept:
        """A copy to roll back to."""
        return copy.deepcopy(self.kept)

    def configuration(self, name: str) -> Mapping[str, Any]:
        return self.kept.configuration.get(name, {})

    def set_configuration(self, name: str, value: Mapping[str, Any]) -> None:
        self.kept.configuration[name] = dict(value)
        self.save()

    def knows(self, name: str) -> bool:
        return name in self.kept.configuration
