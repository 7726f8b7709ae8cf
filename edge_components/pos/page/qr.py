"""QR codes as pictures."""

from __future__ import annotations

import io


def svg(text: str, scale: int) -> bytes:
    """An SVG image of the code; `scale` is the size of one of its squares in pixels."""
    import segno  # noqa: PLC0415 - 4 MB that a till which shows no code does without

    drawn = io.BytesIO()
    segno.make(text, error="m", micro=False).save(drawn, kind="svg", scale=scale, border=3, light="#fff")
    return drawn.getvalue()
