"""Receipts as bytes for an ESC/POS printer: text, a QR code that the printer draws itself, a cut, the drawer.

The commands are those of Epson's ESC/POS reference. docs/dependencies.md says why no library makes them.
"""

from __future__ import annotations

from collections.abc import Iterable

_INITIALIZE = b"\x1b@"
_CODE_PAGE_858 = b"\x1bt\x13"  # Latin letters and the euro; what else there is prints as a question mark
_ENCODING = "cp858"
_CENTRE, _LEFT = b"\x1ba\x01", b"\x1ba\x00"
_CUT = b"\x1dV\x42\x00"  # feeds to the knife first
_OPEN_DRAWER = b"\x1bp\x00\x19\xfa"  # pin 2, 50 ms on, 500 ms off
_QR = 0x31
_MODEL_2, _DOTS_PER_MODULE, _CORRECTION_M = (0x41, b"2\x00"), (0x43, b"\x05"), (0x45, b"1")
_STORE, _PRINT = 0x50, (0x51, b"0")


def receipt(lines: Iterable[str], code: str, *, open_drawer: bool) -> bytes:
    """The bytes to send to the printer as they are."""
    text = "".join(f"{line}\n" for line in lines).encode(_ENCODING, errors="replace")
    drawer = _OPEN_DRAWER if open_drawer else b""
    return b"".join(
        (_INITIALIZE, _CODE_PAGE_858, drawer, text, _CENTRE, _qr_code(code), _LEFT, b"\n\n", _CUT)
    )


def _qr_code(code: str) -> bytes:
    store = (_STORE, b"0" + code.encode("ascii", errors="replace"))
    return b"".join(_symbol(*one) for one in (_MODEL_2, _DOTS_PER_MODULE, _CORRECTION_M, store, _PRINT))


def _symbol(function: int, parameters: bytes) -> bytes:
    """GS ( k: two bytes of length, low first, then symbol, function and parameters."""
    content = bytes((_QR, function)) + parameters
    return b"\x1d(k" + len(content).to_bytes(2, "little") + content
