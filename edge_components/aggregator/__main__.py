"""Runs the aggregator: looks at the ledger every few seconds, ends on SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

import apsw

from edge_components.aggregator import configuration
from edge_components.aggregator.aggregation import Aggregation
from edge_components.aggregator.database import DAMAGE, Database
from edge_components.aggregator.progress import Cursor
from edge_components.aggregator.settings import Settings
from edge_components.edgekit import config
from edge_components.edgekit.backoff import Backoff
from edge_components.edgekit.ledger import LedgerReader, LedgerUnavailableError
from edge_components.edgekit.priority import background

log = logging.getLogger("aggregator")

RETRY_CAP_SECONDS = 30.0


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    os.umask(0o002)  # what lies in /var/lib/greentill belongs to a group
    background()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        loaded = config.build(Settings, configuration.found(os.environ))
        settings = loaded.settings
        database = Database(settings.database)
    except (config.ConfigurationError, apsw.Error, OSError) as error:
        log.critical("the aggregator can't start: %s", error)
        return 1  # the nucleus starts it again
    for problem in loaded.problems:
        log.warning("configuration: %s", problem)
    reader = LedgerReader(settings.ledger)
    try:
        _run(Aggregation(reader, database), Cursor(settings.cursor), settings, stopping)
    except DAMAGE as error:
        log.critical("%s is damaged: leaving, so that it is made anew: %s", settings.database, error)
        return 1
    finally:
        reader.close()
        database.close()
    return 0


def _run(aggregation: Aggregation, cursor: Cursor, settings: Settings, stopping: threading.Event) -> None:
    backoff = Backoff(base=settings.poll_seconds, cap=max(settings.poll_seconds, RETRY_CAP_SECONDS))
    said = ""
    while not stopping.is_set():
        try:
            while aggregation.step() and not stopping.is_set():
                pass
            cursor.publish(aggregation.passed())
        except DAMAGE:
            raise
        except (LedgerUnavailableError, apsw.Error, OSError) as error:
            if str(error) != said:
                level = logging.INFO if isinstance(error, LedgerUnavailableError) else logging.WARNING
                log.log(level, "the aggregator waits: %s", error)
                said = str(error)
            stopping.wait(backoff.next())
            continue
        if said:
            log.info("the aggregator goes on")
            said = ""
        backoff.reset()
        stopping.wait(settings.poll_seconds)


if __name__ == "__main__":
    sys.exit(main())
