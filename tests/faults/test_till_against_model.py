"""Selling, refunds, crashes, power cuts, clocks, outages and restored cards in any order, against a model."""

from __future__ import annotations

import errno
import random
import tempfile
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
from tests.faults.zygote import Zygote
from tests.sync import faulty_proxy as proxies
from tests.sync.conftest import aws, proxy  # noqa: F401 - fixtures
from tests.sync.test_sync_faults import FAULTS

DAY = 86_400


class TillAgainstModel(RuleBasedStateMachine):
    """Each rule leaves the till up; what was told must be in its ledger, and in the end in the cloud."""

    def __init__(self, zygote: Zygote, cloud: Any, line: proxies.FaultyProxy) -> None:
        super().__init__()
        line.always, line.faults = None, []
        self.world = World(Path(tempfile.mkdtemp(prefix="greentill-model-")), zygote, cloud, line)
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
        self.world.pos.kill()
        self._up()

    @rule(seed=st.integers(0, 1 << 32))
    def cut_the_power(self, seed: int) -> None:
        self.world.power_cut(random.Random(seed))  # noqa: S311 - what the cut takes
        self._up()

    @rule(keep_image=st.booleans())
    def stop_and_start(self, keep_image: bool) -> None:
        assert self.world.pos.stop() == 0
        if keep_image:
            self.image = self.world.card_image()
        self._up()

    @precondition(lambda self: self.image is not None)
    @rule()
    def restore_an_old_image_of_the_card(self) -> None:
        assert self.image is not None
        self.world.settle(restored=self.restored)
        assert self.world.pos.stop() == 0
        self.world.restore(self.image)
        self.restored = True
        self._up()

    @rule(error=st.sampled_from([errno.ENOSPC, errno.EIO]), sync=st.booleans())
    def the_disk_fails_for_one_sale(self, error: int, sync: bool) -> None:
        control = self.world.control
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
        self.world.control.move_clock((self.days + days) * DAY)

    @rule(aggregator_lags=st.integers(0, 12))
    def more_than_a_year_goes_by(self, aggregator_lags: int) -> None:
        self.world.control.set_clock()
        self.days += 1_000
        self.world.control.move_clock(self.days * DAY)
        self.world.grow_old(aggregator_lags)

    @rule(names=st.lists(st.sampled_from(sorted(FAULTS)), max_size=6))
    def the_cloud_will_fail(self, names: list[str]) -> None:
        self.world.proxy.faults = [FAULTS[name] for name in names]

    @rule(cut=st.booleans())
    def pull_or_put_back_the_cable(self, cut: bool) -> None:
        self.world.proxy.always = proxies.breaks if cut else None

    @rule(count=st.integers(1, 6))
    def deliver(self, count: int) -> None:
        self.world.step(count)

    @rule(losing_state=st.booleans())
    def restart_sync(self, losing_state: bool) -> None:
        self.world.sync.restart(losing_state=losing_state)

    @rule(pages=st.integers(0, 3), rest=st.integers(0, 4_095))
    def tear_the_state_of_sync(self, pages: int, rest: int) -> None:
        self.world.tear_state(pages * 4_096 + rest)

    @invariant()
    def what_was_told_is_in_the_ledger_once(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        try:
            self.world.settle(restored=self.restored)
        finally:
            self.world.close()


def run(
    zygote: Zygote, cloud: Any, line: proxies.FaultyProxy, *, examples: int, steps: int, seeded: bool
) -> None:
    bounds = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        derandomize=seeded,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    made: Any = lambda: TillAgainstModel(zygote, cloud, line)  # noqa: E731 - Hypothesis calls it as a class
    run_state_machine_as_test(made, settings=bounds)


def test_a_till_keeps_to_a_plain_model_of_it_whatever_happens(
    zygote: Zygote,
    aws: Any,  # noqa: F811 - the fixture
    proxy: proxies.FaultyProxy,  # noqa: F811 - the fixture
) -> None:
    run(zygote, aws, proxy, examples=6, steps=25, seeded=True)


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


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_till_keeps_to_a_plain_model_of_it_in_two_hundred_lives(
    zygote: Zygote,
    aws: Any,  # noqa: F811 - the fixture
    proxy: proxies.FaultyProxy,  # noqa: F811 - the fixture
) -> None:
    run(zygote, aws, proxy, examples=200, steps=40, seeded=False)
