"""What botocore reads of its own data, less what a till has no use for: 10 MB of memory.

botocore describes each service whole, with its documentation, and each service's address in each Region. A
till calls a few operations of two services, so the rest is dropped while the files are read.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader, Loader

OPERATIONS = {
    "dynamodb": ("BatchWriteItem", "GetItem", "PutItem", "Query", "UpdateItem"),
    "s3": ("GetObject", "HeadBucket", "ListObjectsV2", "PutObject"),  # botocore asks where a bucket is
}
MODELS = {(service, "service-2") for service in OPERATIONS}
SIGN_IN = ("sts",)  # where there is no nucleus, an engineer's profile may assume a role
OPENERS: Mapping[str, Callable[[Path], Any]] = {".json": lambda path: path.open("rb"), ".json.gz": gzip.open}


class DamagedDataError(Exception):
    """A file of botocore's data is not as it was installed; the text says what to do."""


def loader() -> Loader:
    """For a botocore session's `data_loader`."""
    return Loader(file_loader=_SmallFiles())


class _SmallFiles(JSONFileLoader):  # type: ignore[misc]  # botocore ships no types
    def load_file(self, file_path: str) -> Any:
        """What is needed of a file of botocore's, named without its ending; None if there is none."""
        for ending, opened in OPENERS.items():
            path = Path(f"{file_path}{ending}")
            if path.is_file():
                data = _read(path, opened)
                service, _, kind = Path(file_path).parts[-3:]
                return _model(data, OPERATIONS[service]) if (service, kind) in MODELS else data
        return None


def _read(path: Path, opened: Callable[[Path], Any]) -> Any:
    try:
        with opened(path) as file:
            return json.load(file, object_pairs_hook=_needed)
    except (gzip.BadGzipFile, EOFError, ValueError, zlib.error) as error:
        text = f"{path} can't be read ({error}): the card has changed it, so deploy another Runtime version"
        raise DamagedDataError(text) from error


def _needed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {key: "" if _prose(key, value) else value for key, value in pairs}
    if "regionRegex" in found and "services" in found:  # a partition, such as aws or aws-cn
        kept = (*OPERATIONS, *SIGN_IN)
        found["services"] = {name: found["services"][name] for name in kept if name in found["services"]}
    return found


def _prose(key: str, value: Any) -> bool:
    """Documentation; botocore asks for its key here and there. A shape may have a member of that name."""
    return key == "documentation" and isinstance(value, str)


def _model(model: dict[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    """A service with these operations and the shapes that they reach."""
    kept = {name: model["operations"][name] for name in operations}
    shapes: dict[str, Any] = {}
    waiting = list(kept.values())
    while waiting:
        for name in _named(waiting.pop()):
            if name not in shapes:
                shapes[name] = model["shapes"][name]
                waiting.append(shapes[name])
    return {**model, "operations": kept, "shapes": shapes}


def _named(found: Any) -> Iterator[str]:
    """The names of the shapes that an operation or a shape refers to."""
    if isinstance(found, dict):
        if isinstance(found.get("shape"), str):
            yield found["shape"]
        for value in found.values():
            yield from _named(value)
    elif isinstance(found, list):
        for value in found:
            yield from _named(value)
