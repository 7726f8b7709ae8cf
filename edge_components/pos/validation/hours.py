"""Opening hours: `{"mon": "07:00-22:00", "sun": "closed"}`, in the store's own time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAILY = "daily"
_CLOSED = "closed"
Span = tuple[time, time]


def problems(hours: Mapping[str, str], setting: str = "opening_hours") -> list[str]:
    """A sentence for each entry that cannot be read; such a day has no hours and nobody is refused on it."""
    found = []
    for day, text in hours.items():
        if day.lower() not in (*_DAYS, _DAILY):
            found.append(f"{setting}: {day} is not a day; known are {', '.join(_DAYS)} and {_DAILY}")
        elif _spans(text) is None:
            found.append(f'{setting}: {day} = {text!r} is not "07:00-22:00" or "{_CLOSED}"')
    return found


def is_open(hours: Mapping[str, str], local: datetime) -> bool:
    """Whether the store sells at this local time; a span over midnight belongs to the day it begins on."""
    if not hours:
        return True
    known = {day.lower(): text for day, text in hours.items()}
    today = _of(known, local.weekday())
    yesterday = _of(known, local.weekday() - 1)
    if today is None:
        return True
    at = local.time().replace(tzinfo=None)
    if any(_within(span, at) for span in today):
        return True
    return any(closes <= opens and at < closes for opens, closes in yesterday or ())


def _within(span: Span, at: time) -> bool:
    opens, closes = span
    return at >= opens if closes <= opens else opens <= at < closes


def _of(known: Mapping[str, str], weekday: int) -> list[Span] | None:
    text = known.get(_DAYS[weekday % 7], known.get(_DAILY))
    return None if text is None else _spans(text)


def _spans(text: str) -> list[Span] | None:
    if text.strip().lower() == _CLOSED:
        return []
    try:
        return [_span(part) for part in text.split(",")]
    except ValueError:
        return None


def _span(text: str) -> Span:
    opens, _, closes = (part.strip() for part in text.partition("-"))
    return _time(opens), _time("00:00" if closes == "24:00" else closes)


def _time(text: str) -> time:
    found = time.fromisoformat(text)
    if found.tzinfo is not None:  # hours are the store's own: another zone's can't be compared with them
        raise ValueError(f"{text} names a time zone")
    return found
