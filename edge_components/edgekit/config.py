"""A component's configuration: read once, checked, frozen.

From Greengrass GetConfiguration when IPC is there, else from the JSON file that GREENTILL_CONFIGURATION
names. Nucleus lite may give every scalar as a string and classic every number as a float. Both will do. A
till goes on with its defaults rather than stop selling over a typing error: what is wrong is reported in a
sentence and the default stays.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypeVar

FILE_VARIABLE = "GREENTILL_CONFIGURATION"
_TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")
# Keys that Greengrass itself reads from a component's configuration.
_OF_GREENGRASS = frozenset({"accessControl"})

T = TypeVar("T")


class _RefusedError(Exception):
    """A value that is not what its setting takes."""


class ConfigurationError(Exception):
    """The configuration cannot be read at all."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """Settings, and a sentence for each key that was unknown or refused."""

    settings: T
    problems: tuple[str, ...]


class ConfigurationSource(typing.Protocol):
    """What edgekit.ipc offers; anything that returns the component's own configuration."""

    def configuration(self) -> Mapping[str, Any]: ...


def limits(default: Any, *, minimum: float | None = None, maximum: float | None = None, doc: str = "") -> Any:
    """A dataclass field whose number must lie within bounds."""
    return dataclasses.field(default=default, metadata={"minimum": minimum, "maximum": maximum, "doc": doc})


def read(source: ConfigurationSource | None, environment: Mapping[str, str]) -> Mapping[str, Any]:
    """The configuration as it was written; raises ConfigurationError when its file is unreadable."""
    if source is not None:
        return source.configuration()
    name = environment.get(FILE_VARIABLE)
    if not name:
        return {}
    try:
        found = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{FILE_VARIABLE} names {name}, which cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{FILE_VARIABLE} names {name}, which does not hold a JSON object")
    return found


def build(kind: type[T], found: Mapping[str, Any]) -> Loaded[T]:
    """Settings of the frozen dataclass `kind`: what is right in `found`, defaults for the rest.

    A field whose type is a dataclass too is a table, read in the same way.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    problems = []
    for key, value in found.items():
        if key in _OF_GREENGRASS:
            continue
        if key not in fields:
            problems.append(f"{key} is not a setting; known are {', '.join(sorted(fields))}")
            continue
        if dataclasses.is_dataclass(hints[key]) and isinstance(value, dict):
            part = build(typing.cast(type[Any], hints[key]), value)
            values[key] = part.settings
            problems.extend(f"{key}: {problem}" for problem in part.problems)
            continue
        try:
            values[key] = _bounded(_convert(hints[key], value), fields[key].metadata)
        except _RefusedError as error:
            problems.append(f"{key} = {value!r} is refused ({error}); the default stays")
    return Loaded(kind(**values), tuple(problems))


def _convert(hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:  # X | None
        if value is None or value == "":
            return None
        return _convert(next(one for one in arguments if one is not type(None)), value)
    if origin is tuple:
        return tuple(_convert(arguments[0], item) for item in _of_type(list, "a list", value))
    if origin is dict or origin is Mapping:
        table = _of_type(dict, "a table", value)
        return {_text(key): _convert(arguments[1], item) for key, item in table.items()}
    if dataclasses.is_dataclass(hint):
        raise _RefusedError("must be a table")
    converter = _SCALARS.get(hint)
    if converter is None:
        raise TypeError(f"no setting can be of type {hint!r}")
    return converter(value)


def _bounded(value: Any, metadata: Mapping[str, Any]) -> Any:
    if value is None:
        return None
    minimum, maximum = metadata.get("minimum"), metadata.get("maximum")
    if minimum is not None and value < minimum:
        raise _RefusedError(f"at least {minimum}")
    if maximum is not None and value > maximum:
        raise _RefusedError(f"at most {maximum}")
    return value


def _of_type(kind: type[Any], name: str, value: Any) -> Any:
    if not isinstance(value, kind):
        raise _RefusedError(f"must be {name}")
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _RefusedError("must be a text")
    return str(value)


def _integer(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise _RefusedError("must be a whole number")
    return int(number)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _RefusedError("must be a number")
    try:
        number = float(value)
    except ValueError as error:
        raise _RefusedError("must be a number") from error
    except OverflowError as error:  # JSON's whole numbers have no end
        raise _RefusedError("too large a number") from error
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is what differs from itself
        raise _RefusedError("must be a finite number")
    return number


def _decimal(value: Any) -> Decimal:
    """Exact: a number may come as a float, whose shortest text is what was written."""
    _number(value)
    try:
        return Decimal(str(value).strip())
    except ArithmeticError as error:  # an exponent beyond what it holds, where a float is merely 0
        raise _RefusedError("must be a number") from error


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in (*_TRUE, *_FALSE):
        return value.lower() in _TRUE
    raise _RefusedError("must be true or false")


_SCALARS: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _truth,
    Decimal: _decimal,
    Path: lambda value: Path(_text(value)),
}
