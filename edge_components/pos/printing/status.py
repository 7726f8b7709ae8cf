"""What an ESC/POS printer says of itself; the meaning of the bits is Epson's ESC/POS reference's."""

from __future__ import annotations

from .errors import PrinterError
from .line import Line, stopped

_ANSWER_SECONDS = 1.0
_OFFLINE_CAUSE, _PAPER_NOW = (
    b"\x10\x04\x02",
    b"\x10\x04\x04",
)  # DLE EOT n: answered at once, also offline
_PAPER_WHEN_DONE = b"\x1dr\x01"  # GS r 1: answered in its turn, so once everything before it is printed
_COVER_OPEN, _PAPER_ENDED, _FAILED = 0x04, 0x20, 0x40
_NO_PAPER_NOW, _NO_PAPER_WHEN_DONE = 0x60, 0x0C


def check_ready(line: Line) -> bool:
    """Whether the printer answers questions at all; raises PrinterError when it says that it can't print."""
    cause = _ask(line, _OFFLINE_CAUSE)
    if cause is None:
        return False
    if cause & _COVER_OPEN:
        raise _fault("cover_open", "the printer's cover is open: close it")
    paper = _ask(line, _PAPER_NOW)
    if cause & _PAPER_ENDED or (paper is not None and paper & _NO_PAPER_NOW == _NO_PAPER_NOW):
        raise _fault("no_paper", "the printer is out of paper: put in a new roll")
    if cause & _FAILED:
        raise _fault("failed", "the printer reports a fault: turn it off and on")
    return True


def wait_until_done(line: Line, seconds: float) -> None:
    """Return when all that was sent is on paper; raises PrinterError when it isn't after so long."""
    line.send(_PAPER_WHEN_DONE)
    paper = line.answer(seconds)
    if paper is None:
        raise stopped()
    if paper & _NO_PAPER_WHEN_DONE == _NO_PAPER_WHEN_DONE:
        raise _fault("no_paper", "the printer is out of paper: put in a new roll")


def _ask(line: Line, question: bytes) -> int | None:
    line.send(question)
    return line.answer(_ANSWER_SECONDS)


def _fault(code: str, text: str) -> PrinterError:
    return PrinterError(f"printer_{code}", f"{text}, then print again")
