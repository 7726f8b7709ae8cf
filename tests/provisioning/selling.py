"""A terminal that sells without a pause, and repeats a sale until the till has acknowledged it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import uuid_utils

PAUSE_SECONDS = 0.2


@dataclass
class Terminal:
    """`url` is asked anew for each attempt: a machine that was off may come back elsewhere."""

    url: Callable[[], str]
    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Terminal:
        self._thread = threading.Thread(target=self._sell, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)

    def _sell(self) -> None:
        with httpx.Client(timeout=10, trust_env=False) as client:
            while not self._ended.is_set():
                self._until_acknowledged(client, str(uuid_utils.uuid7()))

    def _until_acknowledged(self, client: httpx.Client, sale_id: str) -> None:
        line = {"sku": "1001", "description": "Milk", "quantity": 1, "unit_price": "1.50", "total": 150}
        sale = {
            "sale_id": sale_id,
            "terminal": "T1",
            "cashier": "C1",
            "currency": "USD",
            "lines": [line],
            "payments": [{"method": "cash", "amount": 150}],
            "totals": {"total": 150},
        }
        while not self._ended.wait(PAUSE_SECONDS):
            try:
                answer = client.post(f"{self.url()}/v1/sales", json=sale)
            except httpx.HTTPError:
                continue  # the nucleus, and pos with it, begins anew
            if answer.status_code in (200, 201):
                self.acknowledged.append(sale_id)
                return
            if answer.status_code < 500:
                self.refused.append(answer.text)
                return
