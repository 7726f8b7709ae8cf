"""What a running twin writes down about itself, in build/twin/state.json (docs/interfaces.md)."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_DIRECTORY = ROOT / "build" / "twin"
FILE_NAME = "state.json"


class StateError(Exception):
    """The twin's state cannot be read; the text says what to do."""


@dataclass(frozen=True)
class CloudState:
    """Where the cloud answers. `ca`, `log` are file paths; the ports are on 127.0.0.1."""

    pid: int
    endpoint: str
    region: str
    account: str
    ca: str
    mqtt_port: int
    iot_port: int
    log: str


@dataclass(frozen=True)
class TillState:
    """One till's machine and its side of the link."""

    machine_pid: int
    root: str
    pos_url: str
    link_control: str


@dataclass(frozen=True)
class State:
    """`pid` is the process that started the twin; `tills` is keyed by serial."""

    pid: int
    cloud: CloudState
    tills: dict[str, TillState] = field(default_factory=dict)

    def with_till(self, serial: str, till: TillState) -> State:
        return replace(self, tills={**self.tills, serial: till})


def path(directory: Path | None = None) -> Path:
    return (directory or DEFAULT_DIRECTORY) / FILE_NAME


def load(directory: Path | None = None) -> State:
    """The state of the twin whose work directory this is; StateError when there is none."""
    file = path(directory)
    try:
        raw = json.loads(file.read_text())
        return State(
            pid=raw["pid"],
            cloud=CloudState(**raw["cloud"]),
            tills={serial: TillState(**till) for serial, till in raw["tills"].items()},
        )
    except FileNotFoundError as error:
        raise StateError(
            f"No twin is running ({file} does not exist): start one with greentill twin up."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(f"{file} cannot be read ({error!r}): run greentill twin down.") from error


def save(state: State, directory: Path | None = None) -> None:
    """Replace the file atomically: a reader sees the old state or the new one."""
    file = path(directory)
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f"{FILE_NAME}.")
    try:
        with os.fdopen(handle, "w") as stream:
            json.dump(asdict(state), stream, indent=2)
            stream.write("\n")
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def remove(directory: Path | None = None) -> None:
    path(directory).unlink(missing_ok=True)
