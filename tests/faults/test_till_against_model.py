"""Selling, refunds, crashes, power cuts, clocks, outages and restored cards in any order, against a model."""

from __future__ import annotations

import errno
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import uuid_utils
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults.till_and_model import World, body_of_refund, can_refund
from tests.faults.till_on_disk import wide_sale
from tests.pos.zygote import Zygote
from tests.sync import faulty_proxy as proxies
from tests.sync.conftest import aws, proxy  # noqa: F401 - fixtures
from tests.sync.test_sync_faults import FAULTS

DAY = 86_400
STEPS = 30  # in a life, at most
LIVES_AT_ONCE = 25  # between two looks at the time
MOST_LIVES = 200
BUDGET_SECONDS = 600.0
CLOUD = {
    "pass": "answers as it should",
    "break": "connection breaks before it heard anything",
    "lose": "answer lost",
    "twice": "request repeated by the network",
    "some": "half of a batch left unprocessed",
    "portal": "a portal's page instead of an answer",
    "throttle": "throttled",
    "broken": "internal error",
}
MUST_HAPPEN = {
    *(f"cloud: {what}" for what in CLOUD.values()),
    *("sale recorded", "sale repeated, the same receipt", "refund recorded", "crash", "power cut", "restart"),
    *("refund refused, nothing is left of the sale", "no answer from a till that ended"),
    *("disk fails: ENOSPC", "disk fails: EIO", "sync of the disk fails", "records dropped by retention"),
    "old image of the card restored",
    *("clock put back", "clock put right or forward", "cable pulled", "cable put back"),
    *("sync restarted", "sync restarted, its state lost", "sync's state torn"),
}


class TillAgainstModel(RuleBasedStateMachine):
    """Each rule leaves the till up; what was told must be in its ledger, and in the end in the cloud."""

    def __init__(
        self, zygote: Zygote, cloud: Any, line: proxies.FaultyProxy, happened: Counter[str] | None = None
    ) -> None:
        super().__init__()
        line.always, line.faults = None, []
        self.happened = Counter[str]() if happened is None else happened
        folder = Path(tempfile.mkdtemp(prefix="greentill-model-"))
        self.world = World(folder, zygote, cloud, line, self.happened)
        self.refunds = can_refund(self.world.pos)
        self.image: Path | None = None
        self.restored = False
        self.days = 0

    def _up(self) -> None:
        if self.world.pos.process is None:
            self.world.start_pos()

    @rule(lines=st.integers(1, 40))
    def sell(self, lines: int) -> None:
        body = wide_sale(lines)
        self.world.send("/v1/sales", body["sale_id"], body)
        self._up()

    @precondition(lambda self: self.world.owed.sent)
    @rule(pick=st.integers(0, 1_000))
    def retry(self, pick: int) -> None:
        sent = list(self.world.owed.sent.items())
        sale_id, (path, body) = sent[pick % len(sent)]
        if self.world.grown_old(sale_id):
            return
        if path == "/v1/sales" or sale_id in self.world.owed.told:
            self.world.send(path, sale_id, body)
        self._up()

    @precondition(lambda self: self.refunds and self.world.owed.told)
    @rule(pick=st.integers(0, 1_000))
    def refund(self, pick: int) -> None:
        sales = [
            one
            for one in self.world.ledger()
            if one["kind"] == "sale" and not self.world.grown_old(one["sale_id"])
        ]
        if sales:
            sale, refund_id = sales[pick % len(sales)], str(uuid_utils.uuid7())
            refusal = None if self.world.left_to_refund(sale) else "refund_exceeds_sale"
            self.world.send("/v1/refunds", refund_id, body_of_refund(refund_id, sale), refusal=refusal)
        self._up()

    @rule()
    def crash(self) -> None:
        self.happened["crash"] += 1
        self.world.pos.kill()
        self._up()

    @rule(seed=st.integers(0, 1 << 32))
    def cut_the_power(self, seed: int) -> None:
        self.happened["power cut"] += 1
        self.world.power_cut(random.Random(seed))  # noqa: S311 - what the cut takes
        self._up()

    @rule(keep_image=st.booleans())
    def stop_and_start(self, keep_image: bool) -> None:
        self.happened["restart"] += 1
        assert self.world.pos.stop() == 0
        if keep_image:
            self.image = self.world.card_image()
        self._up()

    @precondition(lambda self: self.image is not None)
    @rule()
    def restore_an_old_image_of_the_card(self) -> None:
        assert self.image is not None
        self.happened["old image of the card restored"] += 1
        self.world.settle(restored=self.restored)
        assert self.world.pos.stop() == 0
        self.world.restore(self.image)
        self.restored = True
        self._up()

    @rule(error=st.sampled_from([errno.ENOSPC, errno.EIO]), sync=st.booleans())
    def the_disk_fails_for_one_sale(self, error: int, sync: bool) -> None:
        control = self.world.control
        self.happened["sync of the disk fails" if sync else f"disk fails: {errno.errorcode[error]}"] += 1
        if sync:
            control.fail_syncs(1)
        else:
            control.fail_writes(error)
        body = wide_sale(1)
        self.world.send("/v1/sales", body["sale_id"], body)
        control.fail_syncs(0)
        control.fail_writes(0)
        self._up()

    @rule(days=st.sampled_from([-400, -1, 0, 1, 2]))
    def move_the_clock(self, days: int) -> None:
        self.happened["clock put back" if days < 0 else "clock put right or forward"] += 1
        self.world.control.move_clock((self.days + days) * DAY)

    @rule(aggregator_lags=st.integers(0, 12))
    def more_than_a_year_goes_by(self, aggregator_lags: int) -> None:
        self.world.control.set_clock()
        self.days += 1_000
        self.world.control.move_clock(self.days * DAY)
        self.world.grow_old(aggregator_lags)

    @rule(names=st.lists(st.sampled_from(sorted(FAULTS)), max_size=6))
    def the_cloud_will_fail(self, names: list[str]) -> None:
        self.world.proxy.faults = [self._counted(name) for name in names]
        self.world.step(2)  # some of it at once; what is left comes with later deliveries

    def _counted(self, name: str) -> proxies.Fault:
        def fault(request: proxies.Request, forward: proxies.Forward) -> proxies.Answer | None:
            if name != "some" or request.operation == "BatchWriteItem":
                self.happened[f"cloud: {CLOUD[name]}"] += 1
            return FAULTS[name](request, forward)

        return fault

    @rule(cut=st.booleans())
    def pull_or_put_back_the_cable(self, cut: bool) -> None:
        was_cut = self.world.proxy.always is not None
        if cut != was_cut:
            self.happened["cable pulled" if cut else "cable put back"] += 1
        self.world.proxy.always = proxies.breaks if cut else None

    @rule(count=st.integers(1, 6))
    def deliver(self, count: int) -> None:
        self.world.step(count)

    @rule(losing_state=st.booleans())
    def restart_sync(self, losing_state: bool) -> None:
        self.happened["sync restarted, its state lost" if losing_state else "sync restarted"] += 1
        self.world.sync.restart(losing_state=losing_state)

    @rule(pages=st.integers(0, 3), rest=st.integers(0, 4_095))
    def tear_the_state_of_sync(self, pages: int, rest: int) -> None:
        self.happened["sync's state torn"] += 1
        self.world.tear_state(pages * 4_096 + rest)

    @invariant()
    def what_was_told_is_in_the_ledger_once(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.settle(restored=self.restored)
        finally:
            self.world.close()


def bounds(*, lives: int, steps: int, seeded: bool) -> settings:
    return settings(
        max_examples=lives,
        stateful_step_count=steps,
        deadline=None,
        derandomize=seeded,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


def test_a_till_keeps_to_a_plain_model_of_it_whatever_happens(
    zygote: Zygote,
    aws: Any,  # noqa: F811 - the fixture
    proxy: proxies.FaultyProxy,  # noqa: F811 - the fixture
) -> None:
    made: Any = lambda: TillAgainstModel(zygote, aws, proxy)  # noqa: E731 - Hypothesis calls it as a class
    run_state_machine_as_test(made, settings=bounds(lives=6, steps=25, seeded=True))


def test_a_till_that_grows_old_whose_parts_fall_behind_and_tear_keeps_to_the_model(
    zygote: Zygote,
    aws: Any,  # noqa: F811 - the fixture
    proxy: proxies.FaultyProxy,  # noqa: F811 - the fixture
) -> None:
    """One life written out, so that no sample misses what seldom comes together."""
    life = TillAgainstModel(zygote, aws, proxy)
    try:
        for _ in range(8):
            life.sell(2)
        life.deliver(6)
        life.move_the_clock(1)
        life.more_than_a_year_goes_by(aggregator_lags=2)
        life.what_was_told_is_in_the_ledger_once()
        life.sell(1)
        life.tear_the_state_of_sync(pages=1, rest=100)
        life.refund(0)
        life.refund(0)
        life.deliver(6)
        life.cut_the_power(seed=1)
        life.more_than_a_year_goes_by(aggregator_lags=0)
        life.what_was_told_is_in_the_ledger_once()
        life.move_the_clock(-400)
        life.sell(3)
        life.what_was_told_is_in_the_ledger_once()
        assert life.world.owed.passed
    finally:
        life.teardown()


class Lives:
    """Makes machines, each one life, and counts them."""

    def __init__(self, zygote: Zygote, cloud: Any, line: proxies.FaultyProxy) -> None:
        self._world = (zygote, cloud, line)
        self.made = 0
        self.happened: Counter[str] = Counter()

    def __call__(self) -> TillAgainstModel:
        self.made += 1
        return TillAgainstModel(*self._world, self.happened)

    def missing(self) -> set[str]:
        return {what for what in MUST_HAPPEN if not self.happened[what]}

    def told(self, seconds: float) -> str:
        counts = [f"{count:7} {what}" for what, count in sorted(self.happened.items())]
        return "\n".join([f"{self.made} lives in {seconds:.0f} s:", *counts])


def live_through_everything(life: TillAgainstModel) -> None:
    """A life written out in which all that MUST_HAPPEN does, however few lives there is time for."""
    try:
        life.sell(1)
        life.retry(0)
        life.refund(0)
        life.refund(0)
        life.more_than_a_year_goes_by(aggregator_lags=0)
        life.crash()  # what comes then knows that the clock is set, so that its records can grow old
        for name in sorted(CLOUD):
            life.the_cloud_will_fail([name] * 3)
            life.sell(1)
            life.deliver(4)
        life.world.settle(restored=False)
        life.more_than_a_year_goes_by(aggregator_lags=0)
        life.cut_the_power(seed=1)
        life.stop_and_start(keep_image=True)
        for error, sync in ((errno.ENOSPC, False), (errno.EIO, False), (errno.EIO, True)):
            life.the_disk_fails_for_one_sale(error, sync)
        for cut in (True, False):
            life.pull_or_put_back_the_cable(cut)
            life.restart_sync(losing_state=cut)
        life.tear_the_state_of_sync(pages=1, rest=100)
        life.deliver(8)
        life.move_the_clock(1)
        life.move_the_clock(-1)
        life.what_was_told_is_in_the_ledger_once()
        life.restore_an_old_image_of_the_card()
        life.sell(1)
        life.what_was_told_is_in_the_ledger_once()
    finally:
        life.teardown()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_till_keeps_to_a_plain_model_of_it_through_a_long_row_of_lives(
    zygote: Zygote,
    aws: Any,  # noqa: F811 - the fixture
    proxy: proxies.FaultyProxy,  # noqa: F811 - the fixture
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ends after MOST_LIVES, or once BUDGET_SECONDS are over; the first life has everything in it."""
    lives: Any = Lives(zygote, aws, proxy)
    begun = time.monotonic()
    live_through_everything(lives())
    chosen = bounds(lives=LIVES_AT_ONCE, steps=STEPS, seeded=False)
    while lives.made < MOST_LIVES and time.monotonic() - begun < BUDGET_SECONDS:
        run_state_machine_as_test(
            lives, settings=chosen
        )  # one that fails is shrunk, and printed as a program
    with capsys.disabled():
        print(f"\n{lives.told(time.monotonic() - begun)}\n{chosen}")  # noqa: T201 - what the run is worth
    assert not lives.missing()
