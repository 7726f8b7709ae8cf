"""`python3 -m greentill_core --root /greengrass/v2`: what the unit runs."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from . import logs, nucleus
from .errors import CoreError
from .settings import load


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the Greengrass core that stands in for the nucleus.")
    parser.add_argument("--root", type=Path, required=True, help="the folder of Greengrass")
    arguments = parser.parse_args()
    log = logs.of_core(arguments.root / "logs")
    try:
        asyncio.run(nucleus.run(load(arguments.root), log))
    except CoreError as error:
        log.error("%s", error)  # noqa: TRY400 - the sentence says it all
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
