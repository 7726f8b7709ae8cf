"""What one run of the demo does."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from twin.state import DEFAULT_DIRECTORY, ROOT

Sabotage = Literal["swallow-write", "swap-byte", "keep-bucket"]
SABOTAGES: tuple[str, ...] = get_args(Sabotage)
STAGE = "dev"
TERMINALS = ("T1", "T2")


@dataclass(frozen=True)
class DemoTill:
    """`dataset_store` is where its baskets come from; `loses_power`: in the middle of a sale, offline."""

    serial: str
    store: str
    dataset_store: int
    loses_power: bool = False


TILLS = (
    DemoTill("DEMO0001", "ST-367", 367),
    DemoTill("DEMO0002", "ST-367", 367, loses_power=True),
    DemoTill("DEMO0003", "ST-406", 406),
)


@dataclass(frozen=True)
class Settings:
    """`twin_dir` is where `greentill twin` finds the twin; `out_dir` takes journals, logs and the report.

    Times in seconds: `pace` between two baskets of a terminal, `deploy_within` for a deployment to reach a
    till, `drain_within` for the backlog.
    """

    keep: bool = False
    sabotage: Sabotage | None = None
    tills: tuple[DemoTill, ...] = TILLS
    baskets_per_till: int = 200
    pace: float = 0.1
    twin_dir: Path = DEFAULT_DIRECTORY
    out_dir: Path = field(default=ROOT / "build" / "demo")
    deploy_within: float = 240.0
    drain_within: float = 120.0
