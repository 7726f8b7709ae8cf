"""A client that has gone without a word is disconnected when its keep-alive is over, and nobody else is."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.devices import Device, Identity, signing_request
from tests.cloud.fleet import policy
from tests.cloud.raw_client import RawClient
from tests.waiting import wait_for

pytestmark = pytest.mark.twin

PINGED_SECONDS = 10  # the broker waits for 15 s: no machine is that busy
PING_EVERY_SECONDS = 0.5


@pytest.fixture(scope="module")
def identity(cloud: Any) -> Identity:
    """A certificate that may do everything."""
    key, request = signing_request("keep-alive")
    iot = cloud.client("iot")
    made = iot.create_certificate_from_csr(certificateSigningRequest=request, setAsActive=True)
    name = f"keep-alive-{uuid.uuid4().hex[:8]}"
    iot.create_policy(policyName=name, policyDocument=policy((["iot:*"], ["*"])))
    iot.attach_policy(policyName=name, target=made["certificateArn"])
    return Identity(made["certificatePem"], key)


@contextmanager
def listener(cloud: Any, identity: Identity, client_id: str) -> Iterator[Device]:
    """Hears when the client is disconnected."""
    with Device(cloud, identity, f"listener-{uuid.uuid4().hex[:8]}") as device:
        device.subscribe(f"$aws/events/presence/disconnected/{client_id}")
        yield device


def disconnected(device: Device) -> dict[str, Any]:
    _topic, event = device.wait_for(lambda topic: "/presence/disconnected/" in topic)
    return dict(event)


def test_a_client_that_says_nothing_any_more_is_disconnected_and_everybody_hears_why(
    cloud: Any, identity: Identity, tmp_path: Path
) -> None:
    name = f"silent-{uuid.uuid4().hex[:8]}"
    with listener(cloud, identity, name) as heard:
        silent = RawClient(cloud, identity, tmp_path, name, keep_alive=2)
        event = disconnected(heard)
        assert event["disconnectReason"] == "MQTT_KEEP_ALIVE_TIMEOUT"
        assert event["clientInitiatedDisconnect"] is False
        wait_for(silent.is_closed, "the end of the connection")
        silent.close()


def test_a_client_that_pings_and_one_that_names_no_keep_alive_stay(
    cloud: Any, identity: Identity, tmp_path: Path
) -> None:
    pinging = RawClient(cloud, identity, tmp_path, f"ping-{uuid.uuid4().hex[:8]}", PINGED_SECONDS)
    unnamed = RawClient(cloud, identity, tmp_path, f"none-{uuid.uuid4().hex[:8]}", keep_alive=0)
    silent_name = f"silent-{uuid.uuid4().hex[:8]}"
    over = threading.Event()

    def keep_pinging() -> None:
        while not over.wait(PING_EVERY_SECONDS):
            pinging.ping()

    pings = threading.Thread(target=keep_pinging)
    pings.start()
    try:
        with listener(cloud, identity, silent_name) as heard:
            # As patient as for the pinging one, and connected after it: when it is gone, both had their time.
            silent = RawClient(cloud, identity, tmp_path, silent_name, PINGED_SECONDS)
            disconnected(heard)
        assert not pinging.is_closed()
        assert not unnamed.is_closed()
        silent.close()
    finally:
        over.set()
        pings.join()
        pinging.close()
        unnamed.close()
