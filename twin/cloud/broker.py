"""Hears every MQTT message that the broker has accepted, after the emulator has dealt with it."""

from __future__ import annotations

from typing import Any

from ministack.services import iot

from twin.cloud.greengrass.devices import CoreDevices
from twin.cloud.greengrass.jobs import NamespacedJobs


def install(jobs: NamespacedJobs, devices: CoreDevices) -> None:
    publish = iot.broker_publish

    async def broker_publish(
        account: str, region: str, topic: str, payload: bytes, *args: Any, **kwargs: Any
    ) -> None:
        await publish(account, region, topic, payload, *args, **kwargs)
        devices.hear(topic, payload)
        await jobs.hear(topic, payload)

    iot.broker_publish = broker_publish
