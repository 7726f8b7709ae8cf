"""What a person who edits the settings is told when they can't be used."""

import difflib
from collections.abc import Iterable


class SettingsError(ValueError):
    """A setting that can't be used: which `key`, the `value` it has, and what is `allowed` there."""

    def __init__(self, key: str, value: object, allowed: str, *, hint: str = "") -> None:
        self.key = key
        self.value = value
        self.allowed = allowed
        problem = f"{key} is missing" if value is None else f"{key}: {value!r} can't be used"
        super().__init__(_printable(f"{problem}; allowed: {allowed}{hint}."))


def _printable(text: str) -> str:
    """Half a surrogate pair, which JSON can spell, has no bytes in any output: it is shown as its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def near_miss(value: str, known: Iterable[str]) -> str:
    """`" (did you mean X?)"` where something known is close to `value`, otherwise nothing."""
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(value.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean {by_folded[close[0]]}?)" if close else ""
