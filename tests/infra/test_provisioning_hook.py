"""The hook: a serial gets in with its own claim, in time, until its till has been heard from."""

import time
from typing import Any

import pytest

from infra.identity.contact import handler as contact
from infra.identity.hook import handler as hook

THING = "greentill-LOBBY0001"
CLAIM = "c" * 64
NEW = "a" * 64


def row(**changes: Any) -> dict[str, Any]:
    expected = {
        "thing": THING,
        "serial": "LOBBY0001",
        "store": "ST-367",
        "stage": "dev",
        "state": "pending",
        "claim_certificate_id": CLAIM,
        "claim_expires_at": int(time.time()) + 3600,
        "refusals": 0,
    }
    return expected | changes


def request(**changes: Any) -> dict[str, Any]:
    event = {
        "claimCertificateId": CLAIM,
        "certificateId": NEW,
        "certificatePem": "-----BEGIN CERTIFICATE-----",
        "templateArn": "arn:aws:iot:eu-west-1:123456789012:provisioningtemplate/greentill-provisioning",
        "clientId": "LOBBY0001",
        "parameters": {"SerialNumber": "LOBBY0001"},
    }
    return event | changes


def stored(registry: Any) -> dict[str, Any]:
    found: dict[str, Any] = registry.get_item(Key={"thing": THING})["Item"]
    return found


def test_a_till_with_its_own_claim_is_put_where_the_registry_says(registry: Any) -> None:
    registry.put_item(Item=row())
    assert hook.handle(request(), None) == {
        "allowProvisioning": True,
        "parameterOverrides": {"StageGroup": "greentill-dev", "Store": "ST-367"},
    }
    assert stored(registry)["certificate_ids"] == [NEW]


def test_a_till_that_lost_power_may_try_again_with_the_same_claim(registry: Any) -> None:
    registry.put_item(Item=row())
    hook.handle(request(), None)
    assert hook.handle(request(certificateId="second-certificate"), None)["allowProvisioning"]
    assert stored(registry)["certificate_ids"] == [NEW, "second-certificate"]


def test_after_first_contact_the_claim_is_closed(registry: Any) -> None:
    registry.put_item(Item=row())
    hook.handle(request(), None)
    contact.handle({"clientId": THING, "principalIdentifier": NEW}, None)
    assert stored(registry)["state"] == "provisioned"
    assert stored(registry)["provisioned_at"]
    assert hook.handle(request(certificateId="thief"), None) == {"allowProvisioning": False}


@pytest.mark.parametrize(
    "event",
    [
        {"clientId": THING, "principalIdentifier": CLAIM},
        {"clientId": "greentill-OTHER0001", "principalIdentifier": NEW},
        {"clientId": THING},
        {},
    ],
)
def test_only_the_tills_own_certificate_closes_its_claim(registry: Any, event: dict[str, str]) -> None:
    registry.put_item(Item=row())
    hook.handle(request(), None)
    contact.handle(event, None)
    assert stored(registry)["state"] == "pending"


def test_a_second_connection_of_a_busy_nucleus_counts_as_the_tills(registry: Any) -> None:
    registry.put_item(Item=row())
    hook.handle(request(), None)
    contact.handle({"clientId": f"{THING}#2", "principalIdentifier": NEW}, None)
    assert stored(registry)["state"] == "provisioned"


@pytest.mark.parametrize(
    ("row_changes", "event_changes", "reason"),
    [
        ({"state": "provisioned"}, {}, "provisioned, not pending"),
        ({"state": "revoked"}, {}, "revoked, not pending"),
        ({"state": "decommissioned"}, {}, "decommissioned, not pending"),
        ({"claim_expires_at": 1}, {}, "expired"),
        ({}, {"claimCertificateId": "another-kit"}, "another kit"),
        ({}, {"claimCertificateId": None}, "did not come with a claim"),
        ({}, {"parameters": {"SerialNumber": "LOBBY0001", "StageGroup": "greentill-prod"}}, "StageGroup"),
        ({}, {"parameters": {"SerialNumber": "LOBBY0001", "Store": "ST-1"}}, "Store"),
    ],
)
def test_a_refusal_is_counted_and_logged_with_its_reason(
    registry: Any,
    capsys: pytest.CaptureFixture[str],
    row_changes: dict[str, Any],
    event_changes: dict[str, Any],
    reason: str,
) -> None:
    registry.put_item(Item=row(**row_changes))
    assert hook.handle(request(**event_changes), None) == {"allowProvisioning": False}
    assert stored(registry)["refusals"] == 1
    assert reason in stored(registry)["last_refusal"]["reason"]
    assert stored(registry)["last_refusal"]["at"]
    assert "certificate_ids" not in stored(registry)
    assert reason in capsys.readouterr().out


def test_a_kit_can_not_make_certificates_without_end(registry: Any) -> None:
    registry.put_item(Item=row(certificate_ids=[f"{number:064}" for number in range(hook.MOST_TRIES - 1)]))
    assert hook.handle(request(), None)["allowProvisioning"]
    assert hook.handle(request(certificateId="b" * 64), None) == {"allowProvisioning": False}
    assert "never heard from" in stored(registry)["last_refusal"]["reason"]


@pytest.mark.parametrize("serial", ["UNKNOWN01", "LOBBY 0001", "", "A" * 33, "A" * 3000])
def test_an_unknown_serial_is_refused_and_leaves_no_row(registry: Any, serial: str) -> None:
    assert hook.handle(request(parameters={"SerialNumber": serial}), None) == {"allowProvisioning": False}
    assert registry.scan()["Count"] == 0


def test_a_serial_that_no_till_can_have_is_not_even_looked_up(
    registry: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """DynamoDB refuses a key of more than 2,048 bytes: a refusal is to be one, not a function's failure."""
    monkeypatch.setenv("REGISTRY_TABLE", "there-is-no-such-table")
    assert hook.handle(request(parameters={"SerialNumber": "\x1b" * 3000}), None) == hook.REFUSED
    assert '"outcome": "refused"' in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"state": "revoked"}, {"stage": "prod"}, {"store": "ST-406"}])
def test_a_row_that_changes_while_it_is_admitted_is_refused(
    registry: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, str]
) -> None:
    registry.put_item(Item=row())

    def revoke_then_check(event: Any) -> None:
        read = registry.get_item(Key={"thing": THING})["Item"]
        registry.put_item(Item=row(**change))
        monkeypatch.setattr(hook, "_check_request", lambda _: None)
        with pytest.raises(hook.RefusedError, match="changed"):
            hook._note_certificate(registry, read, event)

    revoke_then_check(request())
    assert "certificate_ids" not in stored(registry)
