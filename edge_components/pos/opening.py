"""Opening the ledger at start: what is checked before a sale may go into it, and when a new epoch begins."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import apsw

from edge_components.edgekit import record
from edge_components.edgekit.ledger import COPIES, LedgerReader, LedgerUnavailableError

from . import birth, database, figures, obstacles, schema
from .assignment import Assignment
from .birth import Birth
from .clock import Clock
from .epochs import is_epoch, is_place
from .errors import DamagedLedgerError, NotSellingError, UncheckedLedgerError
from .ledger import Ledger, read_position, set_machine
from .settings import Settings

LAST_HASHES = 1_000
SMALL_BYTES = 8 * 1024 * 1024  # a file that quick_check reads in well under a second on a Pi
_log = logging.getLogger("pos.ledger")


def open_checked(settings: Settings, assignment: Assignment, clock: Clock) -> Ledger:
    """An open ledger whose newest records hold; a damaged or foreign one is set aside and a new one begun."""
    path = settings.ledger_path
    taken = obstacles.clear(path)
    database.finish_setting_aside(path)
    begun = birth.unfinished(path)
    if begun is not None and path.exists() and not database.has_header(path):
        birth.discard(path)  # a power cut came while it was made
    begun = begun or (Birth("ledger_damaged", None) if taken else _reason_for_new(settings))
    if path.exists():
        try:
            return _existing(settings, assignment, clock)
        except DamagedLedgerError as error:
            begun = Birth("ledger_damaged", _last_head(path))
            _log.error("the ledger is damaged (%s); it is set aside and a new epoch begins", error)
        except _ForeignLedgerError as error:
            begun = Birth("thing_changed", _last_head(path))
            _log.warning("%s; its ledger is set aside and a new epoch begins", error)
        _set_aside(path, clock, begun.reason)
    return _fresh(settings, assignment, clock, begun)


def _reason_for_new(settings: Settings) -> Birth:
    return Birth("ledger_missing" if settings.cursor_path.exists() else "new_ledger", None)


class _ForeignLedgerError(Exception):
    """A ledger of another thing: its records may not go out under this till's name."""


def _existing(settings: Settings, assignment: Assignment, clock: Clock) -> Ledger:
    database.refuse_marked(settings.ledger_path)
    connection = database.open_ledger(settings.ledger_path)
    try:
        return _checked(connection, settings, assignment, clock)
    except (*database.DAMAGE, UnicodeDecodeError) as error:  # the latter: a text that is none any more
        connection.close(force=True)
        raise DamagedLedgerError(str(error)) from error
    except (apsw.Error, UncheckedLedgerError) as error:
        connection.close(force=True)
        raise NotSellingError("ledger_closed", f"the ledger cannot be read: {error}") from error
    except BaseException:
        connection.close(force=True)
        raise


def _checked(connection: apsw.Connection, settings: Settings, assignment: Assignment, clock: Clock) -> Ledger:
    if database.is_new(connection):
        begun = birth.unfinished(settings.ledger_path)
        if begun is None:
            raise DamagedLedgerError("the ledger is empty, and was not when it was made")
        return _begin(Ledger(connection, clock, assignment, None), settings, begun)
    schema.version(connection)
    unclean = schema.meta(connection, "closed") != "cleanly"
    small = settings.ledger_path.stat().st_size <= SMALL_BYTES
    if unclean and small:
        database.quick_check(connection)
    _check_hashes(connection)
    schema.migrate(connection)
    thing = schema.meta(connection, "thing")
    if thing != assignment.thing:
        raise _ForeignLedgerError(f"the ledger belongs to {thing}, this till is {assignment.thing}")
    try:
        position = read_position(connection, clock)
    except (ValueError, KeyError, TypeError) as error:  # of the last day close, which may be further back
        raise DamagedLedgerError(f"a record is not what it was: {error!r}") from error
    if position is None:
        raise DamagedLedgerError("the ledger holds no record")
    ledger = Ledger(connection, clock, assignment, position)
    ledger.unchecked = unclean and not small
    machine = machine_id(settings)
    birth.finish(settings.ledger_path)
    with connection:
        schema.set_meta(connection, "closed", "no")
        figures.mend(connection)
        if machine and machine != schema.meta(connection, "machine_id"):
            head = {"epoch": position.epoch, "seq": position.seq, "hash": position.hash}
            ledger.open_epoch("machine_changed", head, position.epoch)
            set_machine(connection, assignment, machine)
    return ledger


def _check_hashes(connection: apsw.Connection) -> None:
    rows = connection.execute(
        f"SELECT {', '.join(COPIES)}, record FROM records ORDER BY epoch DESC, seq DESC LIMIT ?",  # noqa: S608 - constant columns
        (LAST_HASHES,),
    ).fetchall()
    records = []
    for *columns, row_hash, text in reversed(rows):
        if not record.text_has_hash(str(text), str(row_hash)):
            raise DamagedLedgerError(f"the record with hash {row_hash} is not what it was")
        found = json.loads(str(text))  # which is what was written, so it need not be read strictly
        if found.keys() != set(record.KEYS) or [found[name] for name in COPIES] != [*columns, row_hash]:
            raise DamagedLedgerError(f"the row with hash {row_hash} is not that of its record")
        records.append(found)
    broken = record.first_gap(records)
    if broken is not None:
        raise DamagedLedgerError(str(broken))


def _fresh(settings: Settings, assignment: Assignment, clock: Clock, begun: Birth) -> Ledger:
    try:
        birth.begin(settings.ledger_path, begun)
        connection = database.open_ledger(settings.ledger_path)
        return _begin(Ledger(connection, clock, assignment, None), settings, begun)
    except (apsw.Error, OSError, DamagedLedgerError) as error:
        raise NotSellingError("ledger_closed", f"no ledger can be made: {error}") from error


def _begin(ledger: Ledger, settings: Settings, begun: Birth) -> Ledger:
    after = begun.previous["epoch"] if begun.previous else _last_delivered(settings)
    with ledger.connection:
        schema.create(ledger.connection)
        set_machine(ledger.connection, ledger.assignment, machine_id(settings))
        ledger.open_epoch(begun.reason, begun.previous, after)
    birth.finish(settings.ledger_path)
    return ledger


def _last_head(path: Path) -> dict[str, Any] | None:
    """The newest record of a ledger that is about to be set aside, if it can still be read."""
    with LedgerReader(path) as reader:
        try:
            heads = reader.heads()
        except LedgerUnavailableError:
            return None
    if not heads:
        return None
    last = {"epoch": heads[-1].epoch, "seq": heads[-1].seq, "hash": heads[-1].hash}
    return last if is_place(last) else None  # what is left of a damaged file may say anything


def _last_delivered(settings: Settings) -> str | None:
    """The epoch that sync last delivered from: a new one must come after it even when the clock is behind."""
    try:
        epoch = json.loads(settings.cursor_path.read_text(encoding="utf-8"))["epoch"]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return str(epoch) if is_epoch(epoch) else None


def _set_aside(path: Path, clock: Clock, reason: str) -> None:
    moment = clock.now()
    name = f"{moment.utc:%Y%m%dT%H%M%S}-{moment.monotonic}-{reason}"
    database.set_aside(path, path.parent / "set-aside" / name)


def machine_id(settings: Settings) -> str:
    """The machine's own identity, or nothing where it has none."""
    try:
        return settings.machine_id_path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
