"""What rotations lean on: a named shadow from both of its ends, and certificates with their dates."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.cloud.devices import Device
from tests.cloud.fleet import Fleet, make
from tests.conftest import Cloud

pytestmark = pytest.mark.twin


@pytest.fixture(scope="module")
def fleet(cloud: Cloud) -> Fleet:
    return make(cloud)


@pytest.fixture(scope="module")
def till(fleet: Fleet):
    _topic, answer, identity = fleet.provision("OKSHADOW1")
    return answer["thingName"], identity


def shadow(thing, suffix):
    return f"$aws/things/{thing}/shadow/name/certificate/{suffix}"


def test_a_till_reads_and_reports_in_its_own_named_shadow_and_hears_what_is_wanted(cloud, till):
    thing, identity = till
    data = cloud.client("iot-data")
    with Device(cloud, identity, thing) as device:
        for suffix in ("get/accepted", "get/rejected", "update/delta", "update/accepted"):
            device.subscribe(shadow(thing, suffix))
        _topic, nothing = device.ask(shadow(thing, "get"), {})
        assert nothing["code"] == 404
        payload = json.dumps({"state": {"desired": {"rotation": "r1"}}}).encode()
        data.update_thing_shadow(thingName=thing, shadowName="certificate", payload=payload)
        _topic, delta = device.wait_for(lambda topic: topic.endswith("/delta"))
        assert delta["state"] == {"rotation": "r1"}
        device.publish(shadow(thing, "update"), {"state": {"reported": {"rotation": "r1", "csr": "x"}}})
        device.publish(shadow(thing, "update"), {"state": {"reported": {"csr": None}}})
        _topic, whole = device.ask(shadow(thing, "get"), {})
    assert whole["state"]["reported"] == {"rotation": "r1"}
    assert whole["state"]["desired"] == {"rotation": "r1"}


def test_a_certificate_tells_when_it_was_made_and_when_it_expires(cloud, fleet, till):
    thing, _identity = till
    iot = cloud.client("iot")
    (arn,) = iot.list_thing_principals(thingName=thing)["principals"]
    told = iot.describe_certificate(certificateId=arn.rpartition("/")[2])["certificateDescription"][
        "validity"
    ]
    now = datetime.now(UTC)
    assert told["notBefore"] <= now
    assert told["notAfter"] > now + timedelta(days=365)
