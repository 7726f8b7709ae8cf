"""How every command speaks: results on standard output, progress and errors on standard error.

With ``--json`` a command prints one JSON document and nothing else on standard output.
"""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

# Into a file or a pipe, tables are as wide as they need: a cut name is of no use to grep.
PIPE_WIDTH = 200
out = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def print_json(document: Any) -> None:
    """Write `document` as indented JSON, keys in the order given."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


class CommandError(Exception):
    """What went wrong and what to do, in one sentence; shown to the user without a traceback."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
