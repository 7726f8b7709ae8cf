"""A terminal that costs next to nothing: one connection, one request at a time, times in seconds."""

import asyncio
import json
import time
from typing import Any, Self

import uuid_utils

from tests.assignments import STORE


class Terminal:
    """`post` sends bytes that were made before and returns how long the answer took."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def post(self, path: str, body: bytes) -> float:
        """Raises RuntimeError with the answer unless that is 201, or 200 for what was there already."""
        head = f"POST {path} HTTP/1.1\r\nHost: till\r\nContent-Type: application/json\r\n"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        began = time.perf_counter()
        self._writer.write(request)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        status, length = int(answer[9:12]), 0
        for line in answer.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        content = await self._reader.readexactly(length)
        took = time.perf_counter() - began
        if status not in (200, 201):
            raise RuntimeError(f"{path} was answered {status}: {content[:300]!r}")
        return took

    def close(self) -> None:
        self._writer.close()


def sale(lines: int, terminal: str = "T1", template: dict[str, Any] | None = None) -> bytes:
    """A sale with so many lines, or one like `template`, with an id of its own."""
    return json.dumps(
        {**(template or basket(lines)), "sale_id": str(uuid_utils.uuid7()), "terminal": terminal}
    ).encode()


def basket(lines: int) -> dict[str, Any]:
    """What a basket of so many different lines says."""
    sold = [
        {
            "sku": str(1_000_000 + number),
            "description": f"PRODUCT OF THE HOUSE {number}",
            "quantity": 1,
            "unit_price": "1.50",
            "total": 150,
            "department": "GROCERY",
        }
        for number in range(lines)
    ]
    total = 150 * lines
    payments = [{"method": "card", "amount": total}]
    return {
        "cashier": "C1",
        "currency": "USD",
        "lines": sold,
        "payments": payments,
        "totals": {"total": total},
        "customer_ref": STORE,
    }
