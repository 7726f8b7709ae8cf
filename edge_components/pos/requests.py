"""What a terminal sends besides sales: refunds, voids, cash movements, the day's close."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .model import UUID, Amount, Basket, Name, Part, Payment, StatedTotals

Id = Annotated[str, Field(pattern=UUID, description="UUIDv7 made by the terminal: the idempotency key")]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class CitedReceipt(Part):
    """The sale that a refund takes back from, as its receipt's QR code names it."""

    thing: Name
    epoch: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    seq: Annotated[int, Field(ge=1, le=999_999_999_999)]
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RefundTotals(StatedTotals):
    total: Annotated[int, Field(ge=-(10**12), le=0, description="minor units, negative")]


class RefundRequest(Basket):
    """Money given back: quantities, line totals, payments and the total are negative, prices positive."""

    refund_id: Id
    receipt: CitedReceipt | None = None
    payments: Annotated[list[Payment], Field(max_length=50)]
    totals: RefundTotals
    supervisor: Name | None = None
    reason: Text


class VoidRequest(Part):
    """A sale of this till taken back whole, before its day is closed."""

    void_id: Id
    terminal: Name
    cashier: Name
    sale_id: Annotated[str, Field(pattern=UUID)]
    supervisor: Name | None = None
    reason: Text


class CashMovementRequest(Part):
    """Cash put into the drawer or taken out; `no_sale` only opens it."""

    movement_id: Id
    terminal: Name
    cashier: Name
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    amount: Annotated[Amount, Field(ge=0, description="minor units, never negative")]
    reason: Text
    kind: Literal["in", "out", "float", "no_sale"]


class DayCloseRequest(Part):
    """The end of a trading day; `counted` is the cash found in the drawer, in minor units."""

    close_id: Id
    terminal: Name
    cashier: Name
    counted: Amount | None = None


class PrintRequest(Part):
    """A receipt on the till's own printer; `drawer` opens the cash drawer where cash was paid."""

    drawer: bool = False
