"""Reading a TOML or JSON table whose every key is known: what isn't expected is refused by name."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from infra.errors import SettingsError, near_miss

Configuration = Mapping[str, Any]


class Table:
    """One table of a settings file. `where` is how its keys are named to the reader."""

    def __init__(self, where: str, values: object, *, keys: Collection[str] | None = None) -> None:
        if not isinstance(values, dict):
            raise SettingsError(where, values, "a table")
        self._where = where
        self._values: dict[str, Any] = values
        if keys is None:
            return
        for key in values:
            if key not in keys:
                raise SettingsError(
                    self.name(key), values[key], f"only the keys {', '.join(keys)}", hint=near_miss(key, keys)
                )

    def name(self, key: str) -> str:
        separator = "" if self._where.endswith(": ") else "."
        return f"{self._where}{separator}{key}"

    def _get(self, key: str, kind: type, allowed: str, default: Any) -> Any:
        if key not in self._values:
            if default is None:
                raise SettingsError(self.name(key), None, allowed)
            return default
        value = self._values[key]
        if type(value) is not kind:
            raise SettingsError(self.name(key), value, allowed)
        return value

    def boolean(self, key: str, *, default: bool | None = None) -> bool:
        value: bool = self._get(key, bool, "true or false", default)
        return value

    def days(self, key: str, *, most: int = 3650) -> int | None:
        """A whole number of days, at least 1; None where it isn't given."""
        if key not in self._values:
            return None
        allowed = f"a whole number of days, 1 to {most}"
        value: int = self._get(key, int, allowed, None)
        if not 1 <= value <= most:
            raise SettingsError(self.name(key), value, allowed)
        return value

    def text(
        self, key: str, *, allowed: str, pattern: re.Pattern[str] | None = None, default: str | None = None
    ) -> str:
        value: str = self._get(key, str, allowed, default)
        if not value.strip() or (pattern and not pattern.fullmatch(value)):
            raise SettingsError(self.name(key), value, allowed)
        return value

    def choice(
        self, key: str, known: Collection[str], *, allowed: str = "", default: str | None = None
    ) -> str:
        allowed = allowed or " or ".join(sorted(known)) or "none, since none is defined"
        value: str = self._get(key, str, allowed, default)
        if value not in known:
            raise SettingsError(self.name(key), value, allowed, hint=near_miss(value, known))
        return value

    def texts(
        self, key: str, *, allowed: str, pattern: re.Pattern[str], default: list[str]
    ) -> tuple[str, ...]:
        values: list[Any] = self._get(key, list, allowed, default)
        good = all(isinstance(value, str) and pattern.fullmatch(value) for value in values)
        if not values or not good or len(set(values)) != len(values):
            raise SettingsError(self.name(key), values, allowed)
        return tuple(values)

    def table(self, key: str, *, keys: Collection[str] | None = None, required: bool = False) -> "Table":
        if required and key not in self._values:
            raise SettingsError(self.name(key), None, "a table")
        return Table(self.name(key), self._values.get(key, {}), keys=keys)

    def tables(
        self, pattern: re.Pattern[str], *, keys: Collection[str] | None
    ) -> Iterable[tuple[str, "Table"]]:
        """Each table in this one; its key has to match `pattern`."""
        for key, values in self._values.items():
            if not pattern.fullmatch(key):
                raise SettingsError(self.name(key), key, f"names matching {pattern.pattern}")
            yield key, Table(self.name(key), values, keys=keys)

    def configuration(self) -> Configuration:
        """A component's settings: text, whole numbers, true/false, lists and tables of them.

        Fractions are refused because a nucleus may hand a number back in another form; write them as text.
        """
        for key, value in self._values.items():
            _check_value(self.name(key), value)
        return dict(self._values)

    def __len__(self) -> int:
        return len(self._values)


def _check_value(name: str, value: object) -> None:
    if isinstance(value, (str, bool, int)):
        return
    children: Iterable[tuple[str, object]]
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = ((str(index), item) for index, item in enumerate(value))
    else:
        raise SettingsError(name, value, "text, a whole number, true/false, or lists and tables of them")
    for key, child in children:
        _check_value(f"{name}.{key}", child)
