"""The component's configuration, asked for in a process of its own.

The AWS library that speaks to the nucleus takes some 20 MB of memory, which the counting then goes without.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from edge_components.edgekit import config, ipc

_SECONDS = 60.0  # a Pi with a slow card takes its time to load the library


def found(environment: Mapping[str, str]) -> Mapping[str, Any]:
    """The configuration as it was written. Raises ConfigurationError when nobody can say what it is."""
    if not ipc.available(environment):
        return config.read(None, environment)
    command = [sys.executable, "-P", "-m", __name__]
    try:
        answer = subprocess.run(command, capture_output=True, check=True, timeout=_SECONDS, text=True)
        read = json.loads(answer.stdout)
    except subprocess.CalledProcessError as error:
        raise config.ConfigurationError(error.stderr.strip()) from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise config.ConfigurationError(f"the configuration can't be read: {error}") from error
    return dict(read)


def main() -> int:
    try:
        connection = ipc.connect(os.environ)
        read = config.read(connection, os.environ)
        if connection is not None:
            connection.close()
    except (ipc.IpcError, config.ConfigurationError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps(dict(read)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
