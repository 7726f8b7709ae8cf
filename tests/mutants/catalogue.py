"""The mutants, in the order of what they would cost: the till, the delivery, the cloud, the proof."""

from __future__ import annotations

from tests.mutants.in_the_cloud import IN_THE_CLOUD
from tests.mutants.on_the_till import ON_THE_TILL

MUTANTS = (*ON_THE_TILL, *IN_THE_CLOUD)
