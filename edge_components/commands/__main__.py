"""Runs the component: asks what is wanted at its start, when told of a change, and every now and then."""

from __future__ import annotations

import logging
import os
import signal
import sys

from edge_components.commands.helper import Helper, HelperError
from edge_components.commands.memory import Memory
from edge_components.commands.rotation import Rotation, SwappedError
from edge_components.commands.settings import Settings
from edge_components.commands.shadow import Inbox, Shadow
from edge_components.edgekit import config
from edge_components.edgekit.ipc import IpcError, connect

log = logging.getLogger("commands")


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    os.umask(0o002)  # what lies in /var/lib/greentill belongs to a group
    inbox = Inbox()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: inbox.end())
    try:
        ipc = connect(os.environ)
        if ipc is None:
            log.critical("head office can't reach this till: no nucleus started this process")
            return 1
        loaded = config.build(Settings, config.read(ipc, os.environ))
        shadow = Shadow(ipc, os.environ["AWS_IOT_THING_NAME"], inbox)
        shadow.listen()
    except (IpcError, config.ConfigurationError, KeyError) as error:
        log.critical("commands can't start: %s", error)
        return 1  # the nucleus starts it again
    for problem in loaded.problems:
        log.warning("configuration: %s", problem)
    _run(shadow, inbox, loaded.settings)
    ipc.close()
    return 0


def _run(shadow: Shadow, inbox: Inbox, settings: Settings) -> None:
    """Until the nucleus is restarted or ends it: whoever started this process starts it anew."""
    helper = Helper(settings.helper_dir, settings.helper_seconds)
    rotation = Rotation(helper, Memory(settings.memory), shadow.report)
    wait = 0.0
    while not inbox.ended:
        inbox.wait(wait)
        wait = settings.busy_seconds
        try:
            shadow.ask()
            document = inbox.document(settings.busy_seconds)  # None: offline, most likely
            if document is not None and not rotation.follow(document):
                wait = settings.ask_seconds
        except SwappedError:
            log.info("the nucleus has the new certificate: beginning anew")
            return
        except (HelperError, IpcError, OSError) as error:
            log.warning("a rotation waits: %s", error)


if __name__ == "__main__":
    sys.exit(main())
