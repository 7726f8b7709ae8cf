"""When a till has come, or its kit has expired, the claim and all earlier certificates are worth nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.identity.certificates import Retirement
from infra.identity.claims import handler as claims
from infra.identity.contact import handler as contact
from infra.identity.troubles import TroubleError
from infra.names import Names

THING = "greentill-LOBBY0001"
LATER = int(time.time()) + 3600


class Context:
    """What a function may ask about its call."""

    def __init__(self, seconds: float = 900) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


@pytest.fixture
def iot(registry: Any, names: Names) -> Any:
    client = boto3.client("iot")
    for policy in (names.core_policy, names.claim_policy):
        client.create_policy(policyName=policy, policyDocument="{}")
    for stage in ("dev", "prod"):
        client.create_thing_group(thingGroupName=names.stage_group(stage))
    return client


def make_claim(iot: Any) -> str:
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.attach_policy(policyName="greentill-claim", target=made["certificateArn"])
    return str(made["certificateId"])


def make_certificate(iot: Any, thing: str = THING) -> str:
    made = iot.create_keys_and_certificate(setAsActive=True)
    iot.create_thing(thingName=thing)
    iot.attach_policy(policyName="greentill-core", target=made["certificateArn"])
    iot.attach_thing_principal(thingName=thing, principal=made["certificateArn"])
    return str(made["certificateId"])


def certificates(iot: Any) -> set[str]:
    return {one["certificateId"] for one in iot.list_certificates()["certificates"]}


def expected(claim: str, **changes: Any) -> dict[str, Any]:
    row = {
        "thing": THING,
        "stage": "dev",
        "state": "pending",
        "claim_certificate_id": claim,
        "claim_expires_at": LATER,
        "claim_state": "open",
        "certificate_ids": [],
    }
    return row | changes


def stored(registry: Any) -> dict[str, Any]:
    found: dict[str, Any] = registry.get_item(Key={"thing": THING})["Item"]
    return found


def connects(certificate: str) -> None:
    contact.handle({"clientId": THING, "principalIdentifier": certificate}, None)


def test_after_first_contact_the_claims_certificate_is_gone(registry: Any, iot: Any) -> None:
    claim, own = make_claim(iot), make_certificate(iot)
    registry.put_item(Item=expected(claim, certificate_ids=[own]))
    connects(own)
    assert certificates(iot) == {own}
    row = stored(registry)
    assert (row["state"], row["claim_closed_because"]) == ("provisioned", "used")
    assert row["claim_closed_at"]
    assert "claim_state" not in row
    assert row["retired_certificate_ids"] == [claim]


def test_the_certificate_of_an_interrupted_try_goes_with_the_claim(registry: Any, iot: Any) -> None:
    claim, lost, own = make_claim(iot), make_certificate(iot), make_certificate(iot)
    registry.put_item(Item=expected(claim, certificate_ids=[lost, own]))
    connects(own)
    assert certificates(iot) == {own}
    assert stored(registry)["certificate_ids"] == [own]


def test_a_replaced_tills_earlier_certificate_is_revoked_by_the_new_ones_first_contact(
    registry: Any, iot: Any
) -> None:
    claim, earlier, own = make_claim(iot), make_certificate(iot), make_certificate(iot)
    registry.put_item(Item=expected(claim, certificate_ids=[own], earlier_certificate_ids=[earlier]))
    connects(earlier)
    assert stored(registry)["state"] == "pending"  # the card that died doesn't speak for the new one
    connects(own)
    assert certificates(iot) == {own}
    assert set(stored(registry)["retired_certificate_ids"]) == {earlier, claim}
    assert "earlier_certificate_ids" not in stored(registry)


def test_a_first_contact_that_broke_off_is_finished_by_its_repetition(
    registry: Any, iot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, own = make_claim(iot), make_certificate(iot)
    registry.put_item(Item=expected(claim, certificate_ids=[own]))
    with monkeypatch.context() as broken:
        broken.setattr(Retirement, "claim", throttled)
        with pytest.raises(ClientError):
            connects(own)
    assert stored(registry)["state"] == "provisioned"
    assert certificates(iot) == {own, claim}
    connects(own)
    assert certificates(iot) == {own}


def test_what_a_first_contact_left_is_ended_within_the_hour(
    registry: Any, iot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, lost, own = make_claim(iot), make_certificate(iot), make_certificate(iot)
    registry.put_item(Item=expected(claim, certificate_ids=[lost, own]))
    with monkeypatch.context() as broken:
        broken.setattr(Retirement, "till", throttled)
        with pytest.raises(ClientError):
            connects(own)
    claims.handle({}, Context())
    assert certificates(iot) == {own}
    assert stored(registry)["certificate_ids"] == [own]


def test_a_till_that_was_moved_while_it_provisioned_comes_into_its_stage_within_the_hour_at_the_latest(
    registry: Any, iot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim, own = make_claim(iot), make_certificate(iot)
    iot.add_thing_to_thing_group(thingName=THING, thingGroupName="greentill-dev")  # as it began to provision
    registry.put_item(Item=expected(claim, certificate_ids=[own], stage="prod"))
    with monkeypatch.context() as broken:
        broken.setattr(contact, "settle_by_row", throttled)
        with pytest.raises(ClientError):
            connects(own)
    claims.handle({}, Context())
    groups = iot.list_thing_groups_for_thing(thingName=THING)["thingGroups"]
    assert [group["groupName"] for group in groups] == ["greentill-prod"]
    assert certificates(iot) == {own}


def test_a_claim_that_will_not_end_keeps_no_other_open_and_is_told(
    registry: Any, iot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = "a" * 64, make_claim(iot)
    registry.put_item(Item=expected(stuck, thing="greentill-ODD0001", claim_expires_at=1))
    registry.put_item(Item=expected(other, claim_expires_at=2))
    end = Retirement.claim

    def ends(retirement: Retirement, certificate_id: str) -> None:
        if certificate_id == stuck:
            throttled()
        end(retirement, certificate_id)

    monkeypatch.setattr(Retirement, "claim", ends)
    with pytest.raises(TroubleError, match=r'"claims": 1.*greentill-ODD0001: .*Throttling'):
        claims.handle({}, Context())
    assert certificates(iot) == set()


def throttled(*_: object) -> None:
    raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "Update")


@pytest.mark.parametrize("state", ["open", "making"])
def test_an_expired_claim_loses_its_certificate(registry: Any, iot: Any, state: str) -> None:
    claim = make_claim(iot)
    registry.put_item(Item=expected(claim, claim_state=state, claim_expires_at=int(time.time()) - 1))
    claims.handle({}, Context())
    assert certificates(iot) == set()
    row = stored(registry)
    assert (row["state"], row["claim_closed_because"]) == ("pending", "expired")
    assert "claim_state" not in row


def test_a_claim_whose_time_is_not_over_is_left_alone(registry: Any, iot: Any) -> None:
    claim = make_claim(iot)
    registry.put_item(Item=expected(claim))
    claims.handle({}, Context())
    assert certificates(iot) == {claim}
    assert stored(registry)["claim_state"] == "open"


def test_an_expired_claim_that_got_a_successor_meanwhile_does_not_close_that(registry: Any, iot: Any) -> None:
    old, new = make_claim(iot), make_claim(iot)
    registry.put_item(Item=expected(new))
    found = expected(old, claim_expires_at=1)
    retirement = Retirement(iot, Names("greentill", "123456789012", "eu-west-1"))
    assert not claims._expire(registry, retirement, found, datetime.now(UTC))
    assert stored(registry)["claim_state"] == "open"
    assert certificates(iot) == {new}


def test_ending_claims_stops_before_its_time_is_over_and_goes_on_the_next_hour(
    registry: Any, iot: Any
) -> None:
    registry.put_item(Item=expected(make_claim(iot), claim_expires_at=1))
    claims.handle({}, Context(seconds=1))
    assert len(certificates(iot)) == 1
    claims.handle({}, Context())
    assert certificates(iot) == set()


def test_only_what_is_to_be_ended_is_looked_at(registry: Any) -> None:
    for number in range(50):
        registry.put_item(Item=expected("x", thing=f"greentill-OPEN{number:04}"))
        done = expected("x", thing=f"greentill-DONE{number:04}", claim_expires_at=1)
        del done["claim_state"]
        registry.put_item(Item=done)
    registry.put_item(Item=expected("x", claim_expires_at=1))
    assert [claim["thing"] for claim in claims.overdue(registry, int(time.time()))] == [THING]


def test_what_is_gone_already_is_no_error(registry: Any, iot: Any, names: Names) -> None:
    retirement = Retirement(iot, names)
    own = make_certificate(iot)
    retirement.till(own, THING)
    retirement.till(own, THING)
    assert certificates(iot) == set()
