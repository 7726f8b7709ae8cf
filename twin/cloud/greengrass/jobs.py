"""Deployments on the wire: IoT jobs in their own namespace, which the emulator's jobs do not know.

The emulator keeps the jobs; here they are kept out of the topics without a namespace, and answered on
$aws/things/<thing>/jobs/<job or $next>/namespace-aws-gg-deployment/{get,update}.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from typing import Any

from ministack import app as emulator
from ministack.services import iot

from twin.cloud.context import Document, scope
from twin.cloud.greengrass.deployments import NAMESPACE
from twin.cloud.settings import Settings

TOPIC = re.compile(rf"\$aws/things/([^/]+)/jobs/([^/]+)/namespace-{NAMESPACE}/(get|update)")
LOGGER = logging.getLogger("twin.greengrass.jobs")
Change = tuple[str, str, str, str | None]  # account, region, thing, the job that was next
TERMINAL = {"SUCCEEDED", "FAILED", "REJECTED"}


class NamespacedJobs:
    """Wraps the emulator's job queue and broker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._told: dict[str, str | None] = {}  # thing -> the job it was last told is next
        self._pending_of_any = iot.jobs_pending_for_thing
        self._notify = iot.jobs_notify_thing
        self._tasks: set[asyncio.Task[None]] = set()

    def install(self) -> None:
        iot.jobs_pending_for_thing = self._pending_without_namespace
        iot.jobs_notify_thing = self._notify_soon

    async def hear(self, topic: str, payload: bytes) -> None:
        """Answer a request on a namespaced topic; other topics are not for us."""
        found = TOPIC.fullmatch(topic)
        if not found:
            return
        thing, job_id, verb = found.groups()
        request = _request(payload)
        if request is None:
            refusal = iot._jobs_rejected("InvalidJson", "The request is not a JSON object.")
            await self._publish(f"{topic}/rejected", refusal)
        elif verb == "get":
            await self._get(topic, thing, job_id, request)
        else:
            await self._update(topic, thing, job_id, request)

    async def _get(self, topic: str, thing: str, job_id: str, request: Document) -> None:
        document = iot._jobs_mqtt_head(request.get("clientToken"), int(time.time()))
        with scope(self._settings):
            if job_id == "$next":
                execution = self._next(thing)
                self._told[thing] = execution["jobId"] if execution else None
            else:
                execution = iot.jobs_describe_execution(thing, job_id)
            if execution:
                body = iot._jobs_job_document_object(execution["jobId"])
                document["execution"] = iot._jobs_mqtt_execution(execution, body)
        if execution is None and job_id != "$next":
            refusal = iot._jobs_rejected(
                "ResourceNotFound", f"Job {job_id} not found for {thing}", request.get("clientToken")
            )
            await self._publish(f"{topic}/rejected", refusal)
            return
        await self._publish(f"{topic}/accepted", document)

    async def _update(self, topic: str, thing: str, job_id: str, request: Document) -> None:
        with scope(self._settings):
            before = iot.jobs_first_pending_job_id(thing)
            execution, error = iot.jobs_update_execution(
                thing,
                job_id,
                status=request.get("status"),
                expected_version=request.get("expectedVersion"),
                status_details=request.get("statusDetails"),
                execution_number=request.get("executionNumber"),
            )
            current = iot.jobs_describe_execution(thing, job_id) if error else None
        if error:
            refusal = iot._jobs_error_tuple_to_rejected(error, request.get("clientToken"), current)
            await self._publish(f"{topic}/rejected", refusal)
            return
        document = iot._jobs_mqtt_head(request.get("clientToken"), int(time.time()))
        if request.get("includeJobExecutionState"):
            document["executionState"] = iot.jobs_execution_state(execution)
        await self._publish(f"{topic}/accepted", document)
        if execution["status"] in TERMINAL:
            account, region = self._settings.account, self._settings.region
            await iot.jobs_notify_thing(account, region, thing, before)
            await iot.jobs_abort_if_met(account, region, job_id)

    def _pending_without_namespace(self, thing: str) -> list[Document]:
        return [each for each in self._pending_of_any(thing) if not _namespaced(each["jobId"])]

    def _pending(self, thing: str) -> list[Document]:
        return [each for each in self._pending_of_any(thing) if _namespaced(each["jobId"])]

    def _next(self, thing: str) -> Document | None:
        return next(iter(self._pending(thing)), None)

    async def _notify_soon(self, account: str, region: str, thing: str, before: str | None) -> None:
        """Leave the telling to the event loop: whoever changed a queue, on any thread, need not wait."""
        loop = emulator._MAIN_LOOP
        loop.call_soon_threadsafe(self._start_notifying, loop, (account, region, thing, before))

    def _start_notifying(self, loop: asyncio.AbstractEventLoop, change: Change) -> None:
        task = loop.create_task(self._notify_both(*change))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            LOGGER.error("Telling a till of its jobs failed", exc_info=task.exception())

    async def _notify_both(self, account: str, region: str, thing: str, before: str | None) -> None:
        await self._notify(account, region, thing, before)
        with scope(self._settings):
            pending = self._pending(thing)
            execution = pending[0] if pending else None
            job_id = execution["jobId"] if execution else None
            message: Document = {"timestamp": int(time.time())}
            if execution:
                body = iot._jobs_job_document_object(execution["jobId"])
                message["execution"] = iot._jobs_mqtt_execution(execution, body)
        if self._told.get(thing) == job_id:
            return
        self._told[thing] = job_id
        by_status: dict[str, list[Any]] = {}
        for each in pending:
            by_status.setdefault(each["status"], []).append(iot.jobs_execution_summary(each))
        base = f"$aws/things/{thing}/jobs"
        listing = {"timestamp": int(time.time()), "jobs": by_status}
        await self._publish(f"{base}/notify-namespace-{NAMESPACE}", listing)
        await self._publish(f"{base}/notify-next-namespace-{NAMESPACE}", message)

    async def _publish(self, topic: str, document: Document) -> None:
        payload = iot._jobs_mqtt_json(document).encode()
        await iot.broker_publish(self._settings.account, self._settings.region, topic, payload, qos=1)


def _namespaced(job_id: str) -> bool:
    job = iot._jobs.get(job_id)
    return bool(job and job.get("namespaceId") == NAMESPACE)


def _request(payload: bytes) -> Document | None:
    try:
        request = json.loads(payload) if payload else {}
    except ValueError:
        return None
    return request if isinstance(request, dict) else None
