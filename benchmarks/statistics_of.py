"""Percentiles and ratios of what was measured in rounds."""

from collections.abc import Sequence
from statistics import median


def percentile(samples: Sequence[float], part: float) -> float:
    """The nearest-rank percentile; `part` is 0.99 for p99."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios: what slows a whole round down slows both sides."""
    return median(one / other for one, other in zip(ours, theirs, strict=True))
