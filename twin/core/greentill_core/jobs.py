"""Deployments as IoT jobs: ask for the next, carry it out, report until the report is acknowledged."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from .deployments import Outcome
from .mqtt import Mqtt
from .state import StateFile

_NAMESPACE = "namespace-aws-gg-deployment"
_ANSWER_SECONDS = 10.0
_ASK_SECONDS = 300.0  # a lost notification delays a deployment by no more than this

Carry = Callable[[dict[str, Any]], Awaitable[Outcome]]
Finished = Callable[[dict[str, Any], Outcome], None]


class Jobs:
    """Runs as a task; `carry` carries a deployment out, `finished` hears of it afterwards."""

    def __init__(
        self,
        thing: str,
        link: Mqtt,
        state: StateFile,
        *,
        carry: Carry,
        finished: Finished,
        log: logging.Logger,
    ) -> None:
        self._base = f"$aws/things/{thing}/jobs"
        self._link = link
        self._state = state
        self._carry = carry
        self._finished = finished
        self._log = log
        self._ask = asyncio.Event()
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def run(self) -> None:
        get = f"{self._base}/$next/{_NAMESPACE}/get"
        await self._link.listen(f"{get}/accepted", self._next)
        await self._link.listen(f"{self._base}/notify-next-{_NAMESPACE}", self._next)
        self._link.on_up.append(self._ask.set)
        asking = asyncio.create_task(self._keep_asking(get))
        try:
            await self._report_pending()
            while True:
                await self._take(await self._heard.get())
        finally:
            asking.cancel()

    async def _keep_asking(self, get: str) -> None:
        while True:
            try:
                await asyncio.wait_for(self._ask.wait(), _ASK_SECONDS)
            except TimeoutError:
                self._log.debug("asking for deployments on the timer")
            self._ask.clear()
            if self._link.up:
                self._link.publish(get, b"{}")

    def _next(self, _topic: str, payload: bytes) -> None:
        try:
            execution = json.loads(payload).get("execution")
        except (ValueError, AttributeError) as error:
            self._log.warning("a job notification can't be understood: %s", error)
            return
        if execution:
            self._heard.put_nowait(execution)

    async def _take(self, execution: dict[str, Any]) -> None:
        job, document = execution["jobId"], execution.get("jobDocument")
        if document is None or not self._heard.empty():
            return  # only the newest word counts
        if not await self._update(job, "IN_PROGRESS", {}):
            return
        self._log.info("deployment %s is taken", document.get("deploymentId", job))
        outcome = await self._carry(document)
        self._state.kept.report = {
            "jobId": job,
            "status": outcome.status,
            "statusDetails": dict(outcome.details),
        }
        self._state.save()
        self._finished(document, outcome)
        await self._report_pending()

    async def _report_pending(self) -> None:
        report = self._state.kept.report
        if report is not None:
            await self._update(report["jobId"], report["status"], report["statusDetails"])
            self._state.kept.report = None
            self._state.save()
            while not self._heard.empty():
                self._heard.get_nowait()  # heard before the report, so out of date
            self._ask.set()

    async def _update(self, job: str, status: str, details: dict[str, str]) -> bool:
        """Report until answered; False when AWS IoT rejects it, as it does for a job that was cancelled."""
        topic = f"{self._base}/{job}/{_NAMESPACE}/update"
        answers: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

        def heard(name: str, payload: bytes) -> None:
            answers.put_nowait((name, payload))

        for ending in ("accepted", "rejected"):
            await self._link.listen(f"{topic}/{ending}", heard)
        try:
            while True:
                self._link.publish(topic, json.dumps({"status": status, "statusDetails": details}).encode())
                try:
                    name, payload = await asyncio.wait_for(answers.get(), _ANSWER_SECONDS)
                except TimeoutError:
                    continue
                if name.endswith("/rejected"):
                    self._log.warning(
                        "job %s did not take %s: %s", job, status, payload.decode(errors="replace")
                    )
                return name.endswith("/accepted")
        finally:
            for ending in ("accepted", "rejected"):
                await self._link.forget(f"{topic}/{ending}", heard)
