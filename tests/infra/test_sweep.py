"""A destroy leaves nothing: what provisioning and releases made goes, in order, and nobody else's."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from infra.cleanup.sweep import handler
from infra.cleanup.sweep.attempt import Attempts, OutOfTimeError
from infra.cleanup.sweep.sweep import sweep
from infra.names import Names
from tests.infra.fake_greengrass import FakeGreengrass, refusal


@pytest.fixture
def iot(aws: None, names: Names) -> Any:
    """IoT with the fleet's policies, type and a group, and a neighbour's thing and certificate."""
    client = boto3.client("iot")
    for policy in (names.core_policy, names.claim_policy, "neighbour-core"):
        client.create_policy(policyName=policy, policyDocument="{}")
    client.create_thing_type(thingTypeName=names.thing_type)
    client.create_thing_group(thingGroupName=names.stage_group("dev"))
    client.create_thing(thingName="neighbour-1")
    neighbour = client.create_keys_and_certificate(setAsActive=True)
    client.attach_policy(policyName="neighbour-core", target=neighbour["certificateArn"])
    client.attach_thing_principal(thingName="neighbour-1", principal=neighbour["certificateArn"])
    return _WithoutMissingCalls(client)


class _WithoutMissingCalls:
    """moto's IoT, but for two calls and two listings that it lacks; it records what was asked of them."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_provisioning_template(self, *, templateName: str, enabled: bool) -> None:  # noqa: N803
        self.calls.append(f"disable {templateName}")
        assert not enabled


@pytest.fixture
def greengrass(names: Names) -> FakeGreengrass:
    return FakeGreengrass()


def provision(iot: Any, names: Names, serial: str) -> str:
    thing = names.thing(serial)
    iot.create_thing(thingName=thing, thingTypeName=names.thing_type)
    iot.add_thing_to_thing_group(thingName=thing, thingGroupName=names.stage_group("dev"))
    arn: str = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_policy(policyName=names.core_policy, target=arn)
    iot.attach_thing_principal(thingName=thing, principal=arn)
    return arn


def test_the_shadow_of_a_till_goes_with_its_thing(iot: Any, greengrass: FakeGreengrass, names: Names) -> None:
    provision(iot, names, "TILL0001")
    data = boto3.client("iot-data")
    shadow = {"thingName": names.thing("TILL0001"), "shadowName": "certificate"}
    data.update_thing_shadow(**shadow, payload=b'{"state": {"desired": {"rotation": "r1"}}}')
    run(iot, greengrass, names, attempts())
    iot.create_thing(thingName=names.thing("TILL0001"))
    with pytest.raises(data.exceptions.ResourceNotFoundException):
        data.get_thing_shadow(**shadow)


def attempts(remaining: Callable[[], float] = lambda: 900.0) -> Attempts:
    return Attempts(remaining_seconds=remaining, sleep=lambda _: None)


def run(iot: Any, greengrass: FakeGreengrass, names: Names, using: Attempts) -> Attempts:
    data = boto3.client("iot-data")
    sweep(iot=iot, data=data, greengrassv2=greengrass, names=names, stages=["dev"], attempts=using)
    return using


def test_tills_claims_and_stray_certificates_go_and_the_neighbour_stays(
    iot: Any, greengrass: FakeGreengrass, names: Names
) -> None:
    for number in range(3):
        provision(iot, names, f"TILL000{number}")
    claim = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_policy(policyName=names.claim_policy, target=claim)
    stray = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_policy(policyName=names.core_policy, target=stray)

    done = run(iot, greengrass, names, attempts())

    assert done.failures == []
    assert [one["thingName"] for one in iot.list_things()["things"]] == ["neighbour-1"]
    assert len(iot.list_certificates()["certificates"]) == 1
    assert done.deleted["thing"] == 3
    assert done.deleted["certificate"] == 4
    assert done.deleted["claim certificate"] == 1
    assert iot.calls == [f"disable {names.provisioning_template}"]


def test_policies_can_be_deleted_afterwards(iot: Any, greengrass: FakeGreengrass, names: Names) -> None:
    provision(iot, names, "TILL0001")
    run(iot, greengrass, names, attempts())
    iot.delete_policy(policyName=names.core_policy)


def test_releases_go_and_the_neighbours_stay(iot: Any, greengrass: FakeGreengrass, names: Names) -> None:
    ours, theirs = names.group_arn("greentill-dev"), names.group_arn("neighbour-dev")
    greengrass.deployments = {
        "active": {"targetArn": ours, "deploymentStatus": "ACTIVE"},
        "past": {"targetArn": ours, "deploymentStatus": "CANCELED"},
        "single": {"targetArn": names.thing_arn("greentill-TILL1"), "deploymentStatus": "ACTIVE"},
        "neighbour": {"targetArn": theirs, "deploymentStatus": "ACTIVE"},
    }
    greengrass.cores = ["greentill-TILL0001", "neighbour-1"]
    for name, version in (
        ("com.greentill.Pos", "1.0.0"),
        ("com.greentill.Pos", "1.1.0"),
        ("com.greentillx.Pos", "1.0.0"),
    ):
        recipe = json.dumps({"ComponentName": name, "ComponentVersion": version}).encode()
        greengrass.create_component_version(inlineRecipe=recipe, tags={})

    assert run(iot, greengrass, names, attempts()).failures == []

    assert list(greengrass.deployments) == ["neighbour"]
    assert greengrass.cores == ["neighbour-1"]
    assert list(greengrass.versions) == [FakeGreengrass.arn("com.greentillx.Pos", "1.0.0")]


def test_what_will_not_go_is_named_and_the_rest_goes(
    iot: Any, greengrass: FakeGreengrass, names: Names
) -> None:
    for version in ("1.0.0", "1.1.0"):
        recipe = json.dumps({"ComponentName": "com.greentill.Pos", "ComponentVersion": version}).encode()
        greengrass.create_component_version(inlineRecipe=recipe, tags={})
    stuck = FakeGreengrass.arn("com.greentill.Pos", "1.0.0")
    greengrass.undeletable = {stuck}

    done = run(iot, greengrass, names, attempts())

    assert [(one.kind, one.name) for one in done.failures] == [("component version", stuck)]
    assert "AccessDenied" in done.failures[0].reason
    assert list(greengrass.versions) == [stuck]


def test_a_second_sweep_of_a_swept_fleet_finds_nothing(
    iot: Any, greengrass: FakeGreengrass, names: Names
) -> None:
    provision(iot, names, "TILL0001")
    run(iot, greengrass, names, attempts())
    again = run(iot, greengrass, names, attempts())
    assert not again.deleted["thing"]
    assert again.failures == []


def test_a_sweep_out_of_time_stops_and_a_next_one_goes_on(
    iot: Any, greengrass: FakeGreengrass, names: Names
) -> None:
    for number in range(3):
        provision(iot, names, f"TILL000{number}")
    left = iter([900.0] * 8)
    with pytest.raises(OutOfTimeError):
        run(iot, greengrass, names, attempts(lambda: next(left, 0.0)))
    assert run(iot, greengrass, names, attempts()).failures == []
    assert [one["thingName"] for one in iot.list_things()["things"]] == ["neighbour-1"]


def test_what_is_refused_for_now_is_tried_again(names: Names) -> None:
    answers = iter([refusal("DeleteConflictException"), refusal("ThrottlingException"), None])

    def step() -> None:
        if error := next(answers):
            raise error

    patient = attempts()
    patient.delete("policy", "greentill-core", step)
    assert patient.deleted == {"policy": 1}
    assert patient.failures == []


def test_what_is_gone_already_counts_as_deleted(names: Names) -> None:
    def step() -> None:
        raise refusal("ResourceNotFoundException")

    done = attempts()
    done.delete("thing", "greentill-X", step)
    assert done.failures == []


class Context:
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:greentill-sweeper"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch, aws: None) -> dict[str, Any]:
    """A sweeper whose sweep the test decides, and what it told CloudFormation or passed to its next turn."""
    seen: dict[str, Any] = {"answers": [], "next": []}
    monkeypatch.setenv("ACCOUNT", "123456789012")

    def answered(_event: Any, _physical_id: str, duty: Callable[[], Any]) -> None:
        try:
            seen["answers"].append(duty())
        except handler.LeftOverError as error:
            seen["answers"].append(str(error))

    monkeypatch.setattr(handler, "answered", answered)
    monkeypatch.setattr(handler, "_next_turn", lambda event, _: seen["next"].append(event))
    return seen


def deletion(**more: Any) -> dict[str, Any]:
    return {"RequestType": "Delete", "ResourceProperties": {"Fleet": "greentill", "Stages": ["dev"]}, **more}


def test_a_sweep_that_needs_longer_takes_another_turn(
    turns: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_time(**_: Any) -> None:
        raise OutOfTimeError

    monkeypatch.setattr(handler, "sweep", out_of_time)
    handler.handle(deletion(), Context())
    assert turns["answers"] == []
    assert turns["next"][0]["SweepStarted"] > 0


def test_a_sweep_that_outlasts_cloudformation_says_to_run_destroy_again(
    turns: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_time(**_: Any) -> None:
        raise OutOfTimeError

    monkeypatch.setattr(handler, "sweep", out_of_time)
    handler.handle(deletion(SweepStarted=1.0), Context())
    assert "run cdk destroy --all again" in turns["answers"][0]
    assert turns["next"] == []


def test_leftovers_fail_the_destroy_with_their_names(
    turns: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*, attempts: Attempts, **_: Any) -> None:
        def refused() -> None:
            raise refusal("AccessDeniedException")

        attempts.delete("certificate", "abc123", refused)

    monkeypatch.setattr(handler, "sweep", fail)
    handler.handle(deletion(), Context())
    assert turns["answers"][0].startswith("1 could not be deleted: certificate abc123")


def test_nothing_is_swept_before_the_destroy(turns: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "sweep", lambda **_: pytest.fail("swept on create"))
    handler.handle({**deletion(), "RequestType": "Create"}, Context())
    assert turns["answers"] == [None]
