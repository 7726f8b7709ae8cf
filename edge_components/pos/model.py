"""What a terminal sends. Only what cannot be interpreted fails here; rules are checked in `rules`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from edge_components.edgekit import record

Amount = Annotated[int, Field(ge=-(10**12), le=10**12, description="minor units of the currency")]
Quantity = Annotated[
    int, Field(ge=-(10**9), le=10**9, description="with quantity_scale digits after the point")
]
Name = Annotated[str, Field(min_length=1, max_length=64)]
M = TypeVar("M", bound=BaseModel)
DECIMAL = r"^-?[0-9]{1,12}(\.[0-9]{1,12})?$"
UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"


def _timestamp(text: str) -> str:
    datetime.fromisoformat(text)
    return text


class Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class Line(Part):
    """One line of a basket. `total` is authoritative; `discount` is what was taken off, already inside it."""

    sku: Name
    description: Annotated[str, Field(max_length=200)] = ""
    quantity: Quantity
    quantity_scale: Annotated[int, Field(ge=0, le=6)] = 0
    unit_price: Annotated[str, Field(pattern=DECIMAL)] | None = None
    discount: Amount = 0
    total: Amount
    tax_code: Annotated[str, Field(max_length=16)] | None = None
    department: Annotated[str, Field(max_length=64)] | None = None


class Payment(Part):
    method: Annotated[str, Field(min_length=1, max_length=32)]
    amount: Amount


class StatedTotals(Part):
    total: Amount


class Basket(Part):
    """What `POST /v1/baskets/check` looks at: a sale before it is paid."""

    terminal: Name
    cashier: Name
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    lines: Annotated[list[Line], Field(max_length=1_000)]
    payments: Annotated[list[Payment], Field(max_length=50)] = []
    totals: StatedTotals
    customer_ref: Annotated[str, Field(max_length=128)] | None = None


class SaleRequest(Basket):
    """What `POST /v1/sales` records: something that has happened."""

    sale_id: Annotated[
        str, Field(pattern=UUID, description="UUIDv7 made by the terminal: the idempotency key")
    ]
    payments: Annotated[list[Payment], Field(max_length=50)]
    sold_at: Annotated[str, Field(max_length=40), AfterValidator(_timestamp)] | None = None


class Reason(BaseModel):
    """One thing that is wrong, and where, as a JSON pointer into what was sent."""

    code: str
    message: str
    path: str


class UninterpretableError(Exception):
    """Not a sale at all; `reasons` holds everything that is wrong with it."""

    def __init__(self, reasons: list[Reason]) -> None:
        super().__init__(reasons[0].message)
        self.reasons = reasons


def interpret(kind: type[M], body: bytes) -> M:
    """Read a body strictly; raises UninterpretableError with every reason at once."""
    try:
        return kind.model_validate(record.parse(body))
    except record.RecordError as error:
        raise UninterpretableError([Reason(code="not_json", message=str(error), path="")]) from error
    except ValidationError as error:
        raise UninterpretableError([_reason(detail) for detail in error.errors()[:50]]) from error


def _reason(detail: ErrorDetails) -> Reason:
    path = "".join(f"/{part}" for part in detail["loc"])
    return Reason(code=detail["type"], message=f"{path or 'the body'}: {detail['msg']}", path=path)
