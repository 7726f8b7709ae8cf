"""The seven steps in their order, with what can run beside them, and an end that leaves nothing running."""

import asyncio
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

from sales.baskets import Basket, baskets
from sales.journal import Journal
from twin import cloud as twin_cloud
from twin import core, fleet
from twin import state as twin_state
from twin.demo import cloud, news, proof, replaying, report, sabotage, tills
from twin.demo.cloud import Account, greentill
from twin.demo.processes import DemoError, Programs
from twin.demo.replaying import Selling
from twin.demo.settings import Settings
from twin.demo.show import Say, Show
from twin.machines import Machine, ensure_root, reclaim, refusal

BUILD_SECONDS = 900.0


class Demo:
    """One run. `run` returns the proof; `end` ends everything that the run started, however far it came."""

    def __init__(self, settings: Settings, show: Show) -> None:
        self._settings = settings
        self._show = show
        self._programs = Programs(settings.out_dir / "logs")
        self._beside = ThreadPoolExecutor(max_workers=3, thread_name_prefix="demo")
        self._machines: dict[str, Machine] = {}

    def run(self) -> proof.Proof:
        """Raises DemoError, and what the twin's parts raise, when a step fails."""
        reason = refusal()
        if reason:
            raise DemoError(reason)
        self._reclaim()
        image = self._background("root", "Debian root for the machines", _root)
        built = self._background("build", "Components", self._build)
        nucleus = self._background("core", "Greengrass core for the machines", self._core)
        with self._show.phase("cloud", "1 The twin's cloud") as say:
            account = cloud.start(self._settings, say)
        with self._show.phase("deploy", "2 cdk bootstrap, cdk deploy --all, read back") as say:
            say("waiting for the components")
            built.result()
            read_back = cloud.deploy(account, self._programs, self._settings, say)
            say(f"read back {len(read_back)} things")
        with self._show.phase("provision", "3 Three tills from kits, by claim") as say:
            state = self._provision(account, nucleus.result(), image, say)
        with self._show.phase("deployment", "4 The deployment reaches each till") as say:
            tills.wait_for_deployment(account, state, self._settings, say)
        with self._show.phase("replay", "5 Real baskets, pulled cables, a power cut") as say:
            sellings = self._sell(state, say)
        with self._show.phase("proof", "6 The backlog drains; the proof") as say:
            result = self._prove(account, sellings, say)
        if not self._settings.keep:
            with self._show.phase("destroy", "7 cdk destroy --all; what is left?") as say:
                result = self._destroy(account, result, say)
        self._show.write(self._settings.out_dir / "phases.json")
        report.write_page(
            self._settings.out_dir / "report.html", result, sellings, self._show.phases, read_back
        )
        return result

    def end(self) -> None:
        """End programs, machines, link and cloud of this twin."""
        self._programs.end_all()
        self._beside.shutdown(wait=False, cancel_futures=True)
        self._end_twin()

    def _end_twin(self) -> None:
        if not refusal():
            reclaim(self._settings.twin_dir, erase=True)
        twin_cloud.stop(self._settings.twin_dir)

    def _reclaim(self) -> None:
        """What an aborted run left: its machines, link and cloud, and its files."""
        self._end_twin()
        for name in ("journals", "kits", "logs", "cdk.out"):
            shutil.rmtree(self._settings.out_dir / name, ignore_errors=True)
        for name in ("report.html", "phases.json"):
            (self._settings.out_dir / name).unlink(missing_ok=True)
        self._settings.out_dir.mkdir(parents=True, exist_ok=True)

    def _background(self, name: str, title: str, work: Callable[[Say], Path]) -> "Future[Path]":
        def timed() -> Path:
            with self._show.phase(name, title, background=True) as say:
                return work(say)

        return self._beside.submit(timed)

    def _build(self, say: Say) -> Path:
        self._programs.run(
            "build",
            greentill("release", "build"),
            environment=cloud.own_environment(),
            say=say,
            timeout=BUILD_SECONDS,
        )
        return twin_state.ROOT / "dist"

    def _core(self, say: Say) -> Path:
        target = self._settings.out_dir / "core"
        say("its wheels, its program")
        core.build(target)
        return target

    def _provision(
        self, account: Account, nucleus: Path, image: "Future[Path]", say: Say
    ) -> twin_state.State:
        kits = tills.make_kits(account, self._programs, self._settings, say)
        return fleet.bring_up(
            account.state,
            kits,
            nucleus,
            self._bootstrap_log(say),
            work_dir=self._settings.twin_dir,
            root_image=image.result(),
        )

    def _bootstrap_log(self, say: Say) -> Callable[[str, str], None]:
        """Each till's bootstrap goes to a log of its own, line by line; news of it is said."""

        def heard(serial: str, line: str) -> None:
            with (self._settings.out_dir / "logs" / f"bootstrap-{serial}.log").open(
                "a", encoding="utf-8"
            ) as log:
                log.write(line.rstrip("\n") + "\n")
            news.only(news.BOOTSTRAP, lambda told: say(f"{serial}: {told}"))(line)

        return heard

    def _machine(self, serial: str) -> Machine:
        if serial not in self._machines:
            self._machines[serial] = fleet.machine(serial, work_dir=self._settings.twin_dir)
        return self._machines[serial]

    def _sell(self, state: twin_state.State, say: Say) -> list[Selling]:
        """Each till's acts at the same time, each with baskets of its own store."""
        stores = {store: baskets([store]) for store in {till.dataset_store for till in self._settings.tills}}
        chosen = {
            till.serial: list(islice(stores[till.dataset_store], self._settings.baskets_per_till))
            for till in self._settings.tills
        }
        sellings = [Selling(till, state.tills[till.serial].pos_url) for till in self._settings.tills]
        asyncio.run(self._all_tills(sellings, chosen, say))
        return sellings

    async def _all_tills(self, sellings: list[Selling], chosen: Mapping[str, list[Basket]], say: Say) -> None:
        wires = tills.Wires(self._settings, self._machine)
        pace = self._settings.pace
        await replaying.together(
            replaying.sell(selling, baskets_of, self._journal(selling.till.serial), wires, say, pace=pace)
            for selling in sellings
            for baskets_of in [chosen[selling.till.serial]]
        )

    def _journal(self, serial: str) -> Journal:
        return Journal(self._settings.out_dir / "journals" / f"{serial}.jsonl")

    def _prove(self, account: Account, sellings: list[Selling], say: Say) -> proof.Proof:
        things = {till.serial: account.names.thing(till.serial) for till in self._settings.tills}

        def ledgers() -> dict[str, tills.Ledger]:
            return {thing: tills.ledger(self._machine(serial)) for serial, thing in things.items()}

        within = self._settings.drain_within
        verdict, held = proof.drain(account.sales(), ledgers, sellings, within, say)
        if self._settings.sabotage in {"swallow-write", "swap-byte"}:
            sabotage.before_proof(account, self._settings, say)
            verdict, held = proof.drain(account.sales(), ledgers, sellings, 0.0, say)
        return proof.prove(sellings, verdict, held, things)

    def _destroy(self, account: Account, result: proof.Proof, say: Say) -> proof.Proof:
        sabotage.before_destroy(account, self._settings, say)
        failed = cloud.destroy(account, self._programs, self._settings, say)
        left = tuple(f"{one.service} {one.kind} {one.name}" for one in cloud.left_over(account))
        say(f"{len(left)} left over")
        problems = (*result.problems, *((f"cdk destroy failed: {failed}",) if failed else ()))
        return replace(result, left_over=left, problems=problems)


def _root(say: Say) -> Path:
    return ensure_root(news.stages(say))
