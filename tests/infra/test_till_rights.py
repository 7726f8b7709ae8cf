"""A till's rights end at its own name: the templates' statements, evaluated for till-1 against till-10."""

from collections.abc import Callable
from typing import Any

import pytest
from aws_cdk.assertions import Template

from tests.infra.iam_evaluator import Principal, plain

ACCOUNT = "eu-west-1:123456789012"
OWN, OTHER = "greentill-TILL1", "greentill-TILL10"
BUCKET = "arn:aws:s3:::greentill-sales-123456789012-eu-west-1"
SALES = f"arn:aws:dynamodb:{ACCOUNT}:table/greentill-sales"
REGISTRY = f"arn:aws:dynamodb:{ACCOUNT}:table/greentill-registry"
DAY = "sales/date=2026-11-21"


@pytest.fixture(scope="module")
def identity(template: Callable[[str], Template]) -> Template:
    return template("Identity")


@pytest.fixture(scope="module")
def till(identity: Template) -> Principal:
    """Till-1 with the credentials of the token exchange role."""
    roles = identity.find_resources(
        "AWS::IAM::Role", {"Properties": {"RoleName": "greentill-token-exchange"}}
    )
    (role,) = roles.values()
    statements: Any = plain(role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"])
    return Principal(statements, {"credentials-iot:ThingName": OWN})


def iot_policy(identity: Template, name: str) -> list[dict[str, Any]]:
    (policy,) = identity.find_resources("AWS::IoT::Policy", {"Properties": {"PolicyName": name}}).values()
    statements: list[dict[str, Any]] = plain(policy["Properties"]["PolicyDocument"]["Statement"])
    return statements


@pytest.fixture(scope="module")
def core(identity: Template) -> Principal:
    return Principal(iot_policy(identity, "greentill-core"), {"iot:Connection.Thing.ThingName": OWN})


@pytest.fixture(scope="module")
def claim(identity: Template) -> Principal:
    return Principal(iot_policy(identity, "greentill-claim"), {})


@pytest.mark.parametrize("action", ["BatchWriteItem", "PutItem", "UpdateItem", "GetItem", "Query"])
def test_a_till_writes_and_reads_its_own_sales_only(till: Principal, action: str) -> None:
    assert till.may(f"dynamodb:{action}", SALES, LeadingKeys=[OWN])
    assert not till.may(f"dynamodb:{action}", SALES, LeadingKeys=[OTHER])
    assert not till.may(f"dynamodb:{action}", SALES, LeadingKeys=[OWN, OTHER])


@pytest.mark.parametrize("action", ["Scan", "DeleteItem", "DeleteTable", "PartiQLSelect", "UpdateTable"])
def test_a_till_never_reads_everything_or_deletes(till: Principal, action: str) -> None:
    assert not till.may(f"dynamodb:{action}", SALES, LeadingKeys=[OWN])


def test_a_till_queries_no_index_since_indexes_span_tills(till: Principal) -> None:
    assert not till.may("dynamodb:Query", f"{SALES}/index/by-store-date", LeadingKeys=["ST-367#2026-11-21"])


def test_a_till_reads_its_registry_row_and_changes_none(till: Principal) -> None:
    assert till.may("dynamodb:GetItem", REGISTRY, LeadingKeys=[OWN])
    assert not till.may("dynamodb:GetItem", REGISTRY, LeadingKeys=[OTHER])
    assert not till.may("dynamodb:UpdateItem", REGISTRY, LeadingKeys=[OWN])
    assert not till.may("dynamodb:PutItem", REGISTRY, LeadingKeys=[OWN])


@pytest.mark.parametrize("action", ["s3:PutObject", "s3:GetObject"])
def test_a_till_uses_its_own_segments_only(till: Principal, action: str) -> None:
    assert till.may(action, f"{BUCKET}/{DAY}/till={OWN}/0001-000000000001-9-abcdef01.jsonl.gz")
    assert not till.may(action, f"{BUCKET}/{DAY}/till={OTHER}/0001-000000000001-9-abcdef01.jsonl.gz")
    assert not till.may(action, f"{BUCKET}/athena/result.csv")


def test_a_till_can_not_hide_a_segment_below_another_tills(till: Principal) -> None:
    assert not till.may("s3:PutObject", f"{BUCKET}/{DAY}/till={OTHER}/till={OWN}/x")
    assert not till.may("s3:PutObject", f"{BUCKET}/{DAY}/till={OTHER}/date=2026-11-21/till={OWN}/x")


def test_a_till_fills_its_own_outbox_only_and_reads_none(till: Principal) -> None:
    assert till.may("s3:PutObject", f"{BUCKET}/outbox/till={OWN}/doctor.json")
    assert not till.may("s3:PutObject", f"{BUCKET}/outbox/till={OTHER}/doctor.json")
    assert not till.may("s3:PutObject", f"{BUCKET}/outbox/till={OTHER}/till={OWN}/doctor.json")
    assert not till.may("s3:GetObject", f"{BUCKET}/outbox/till={OWN}/doctor.json")


def test_a_till_finds_its_own_segments_only(till: Principal) -> None:
    assert till.may("s3:ListBucket", BUCKET, prefix=[f"{DAY}/till={OWN}/0001-"])
    assert not till.may("s3:ListBucket", BUCKET, prefix=[f"{DAY}/till={OTHER}/"])
    assert not till.may("s3:ListBucket", BUCKET, prefix=[f"{DAY}/"])
    assert not till.may("s3:ListBucket", BUCKET)


@pytest.mark.parametrize("action", ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutBucketPolicy"])
def test_a_till_deletes_no_segment(till: Principal, action: str) -> None:
    assert not till.may(action, f"{BUCKET}/{DAY}/till={OWN}/x")


def test_a_till_installs_artifacts_and_changes_none(till: Principal) -> None:
    artifact = "arn:aws:s3:::greentill-artifacts-123456789012-eu-west-1/components/Pos/ab/pos.zip"
    assert till.may("s3:GetObject", artifact)
    assert not till.may("s3:PutObject", artifact)


def test_a_till_writes_its_own_sums_and_does_nothing_else_to_them(till: Principal) -> None:
    rollups = f"arn:aws:dynamodb:{ACCOUNT}:table/greentill-rollups"
    assert till.may("dynamodb:PutItem", rollups, LeadingKeys=[OWN])
    assert not till.may("dynamodb:PutItem", rollups, LeadingKeys=[OTHER])
    assert not till.may("dynamodb:DeleteItem", rollups, LeadingKeys=[OWN])
    assert not till.may("dynamodb:Scan", rollups, LeadingKeys=[OWN])


def test_a_till_reads_catalogues_and_publishes_none(till: Principal) -> None:
    catalogue = "arn:aws:s3:::greentill-artifacts-123456789012-eu-west-1/catalogue/ST-367/latest.json"
    assert till.may("s3:GetObject", catalogue)
    assert not till.may("s3:PutObject", catalogue)
    assert not till.may("s3:DeleteObject", catalogue)


def test_a_till_logs_under_its_own_name(till: Principal) -> None:
    group = f"arn:aws:logs:{ACCOUNT}:log-group:/greentill/tills:log-stream:"
    assert till.may("logs:PutLogEvents", f"{group}{OWN}/pos")
    assert not till.may("logs:PutLogEvents", f"{group}{OTHER}/pos")
    assert not till.may("logs:CreateLogGroup", f"{group}{OWN}/pos")


def test_a_core_connects_as_itself_only(core: Principal) -> None:
    client = f"arn:aws:iot:{ACCOUNT}:client/"
    assert core.may("iot:Connect", f"{client}{OWN}")
    assert core.may("iot:Connect", f"{client}{OWN}#2")
    assert not core.may("iot:Connect", f"{client}{OTHER}")


@pytest.mark.parametrize("action", ["iot:Publish", "iot:Receive"])
def test_a_core_uses_its_own_topics_only(core: Principal, action: str) -> None:
    topic = f"arn:aws:iot:{ACCOUNT}:topic/$aws/things"
    assert core.may(action, f"{topic}/{OWN}/jobs/notify-next")
    assert core.may(action, f"{topic}/{OWN}/greengrassv2/health/json")
    assert not core.may(action, f"{topic}/{OTHER}/jobs/notify-next")
    assert not core.may(action, f"arn:aws:iot:{ACCOUNT}:topic/$aws/certificates/create/json")


def test_a_core_listens_to_no_other(core: Principal) -> None:
    topics = f"arn:aws:iot:{ACCOUNT}:topicfilter/$aws/things"
    assert core.may("iot:Subscribe", f"{topics}/{OWN}/shadow/name/x/update/delta")
    assert not core.may("iot:Subscribe", f"{topics}/{OTHER}/shadow/name/x/update/delta")
    assert not core.may("iot:Subscribe", f"{topics}/+/jobs/#")


def test_a_core_assumes_the_tills_alias_only(core: Principal) -> None:
    alias = f"arn:aws:iot:{ACCOUNT}:rolealias"
    assert core.may("iot:AssumeRoleWithCertificate", f"{alias}/greentill-tills")
    assert not core.may("iot:AssumeRoleWithCertificate", f"{alias}/administrators")


def test_a_claim_can_provision_and_nothing_else(claim: Principal) -> None:
    topic = f"arn:aws:iot:{ACCOUNT}:topic/$aws"
    assert claim.may("iot:Connect", f"arn:aws:iot:{ACCOUNT}:client/TILL1")
    assert claim.may("iot:Publish", f"{topic}/certificates/create/json")
    assert claim.may("iot:Publish", f"{topic}/certificates/create-from-csr/json")
    assert claim.may("iot:Publish", f"{topic}/provisioning-templates/greentill-provisioning/provision/json")
    assert not claim.may("iot:Publish", f"{topic}/provisioning-templates/other/provision/json")
    assert not claim.may("iot:Publish", f"{topic}/things/{OWN}/jobs/start-next")
    assert not claim.may("iot:AssumeRoleWithCertificate", f"arn:aws:iot:{ACCOUNT}:rolealias/greentill-tills")


def test_a_claim_can_not_throw_a_till_off_by_taking_its_client_id(claim: Principal) -> None:
    assert not claim.may("iot:Connect", f"arn:aws:iot:{ACCOUNT}:client/{OWN}")


def function_of(template: Template, duty: str) -> Principal:
    """A function with the statements of its own role."""
    roles = template.find_resources("AWS::IAM::Role", {"Properties": {"RoleName": f"greentill-{duty}"}})
    (role,) = roles.values()
    return Principal(plain(role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]), {})


def test_the_publisher_makes_components_of_its_fleet_only(template: Callable[[str], Template]) -> None:
    publisher = function_of(template("Components"), "publisher")
    components = f"arn:aws:greengrass:{ACCOUNT}:components:com"
    assert publisher.may("greengrass:CreateComponentVersion", f"{components}.greentill.Pos")
    assert not publisher.may("greengrass:CreateComponentVersion", f"{components}.greentillx.Pos")
    assert not publisher.may("greengrass:CreateComponentVersion", f"{components}.other.Pos")


def test_the_sweeper_detaches_policies_from_certificates_only(template: Callable[[str], Template]) -> None:
    sweeper = function_of(template("Cleanup"), "sweeper")
    assert sweeper.may("iot:DetachPolicy", f"arn:aws:iot:{ACCOUNT}:cert/{'a' * 64}")
    assert not sweeper.may("iot:DetachPolicy", f"arn:aws:iot:{ACCOUNT}:thinggroup/others")
    assert not sweeper.may("iot:DetachPolicy", "*")


@pytest.mark.parametrize("duty", ["first-contact", "claims"])
def test_who_ends_certificates_can_make_none_and_touch_no_other_fleets_thing(
    template: Callable[[str], Template], duty: str
) -> None:
    function = function_of(template("Identity"), duty)
    certificate = f"arn:aws:iot:{ACCOUNT}:cert/{'a' * 64}"
    assert function.may("iot:UpdateCertificate", certificate)
    assert function.may("iot:DetachThingPrincipal", f"arn:aws:iot:{ACCOUNT}:thing/{OWN}")
    assert not function.may("iot:DetachThingPrincipal", f"arn:aws:iot:{ACCOUNT}:thing/other-TILL1")
    for action in ("AddThingToThingGroup", "RemoveThingFromThingGroup"):
        assert function.may(f"iot:{action}", f"arn:aws:iot:{ACCOUNT}:thinggroup/greentill-dev")
        assert not function.may(f"iot:{action}", f"arn:aws:iot:{ACCOUNT}:thinggroup/other-dev")
    for action in ("ListThingGroupsForThing", "DescribeThing", "AddThingToThingGroup"):
        assert function.may(f"iot:{action}", f"arn:aws:iot:{ACCOUNT}:thing/{OWN}")
    assert not function.may("iot:AttachPolicy", certificate)
    assert not function.may("iot:CreateKeysAndCertificate", "*")
    assert not function.may("iot:DeleteThing", f"arn:aws:iot:{ACCOUNT}:thing/{OWN}")
    assert not function.may("dynamodb:PutItem", REGISTRY)
    assert not function.may("dynamodb:Scan", REGISTRY)


def test_who_signs_for_tills_of_its_fleet_can_do_no_more(template: Callable[[str], Template]) -> None:
    signer = function_of(template("Identity"), "rotation")
    certificate = f"arn:aws:iot:{ACCOUNT}:cert/{'a' * 64}"
    for action in ("iot:CreateCertificateFromCsr", "iot:ListCertificates"):
        assert signer.may(action, "*")
    assert signer.may("iot:AttachThingPrincipal", f"arn:aws:iot:{ACCOUNT}:thing/{OWN}")
    for action in ("AttachThingPrincipal", "DetachThingPrincipal", "UpdateThingShadow"):
        assert not signer.may(f"iot:{action}", f"arn:aws:iot:{ACCOUNT}:thing/other-TILL1")
    for action in (
        "CreateKeysAndCertificate",
        "CreateThing",
        "DeleteThing",
        "CreatePolicy",
        "CreatePolicyVersion",
    ):
        assert not signer.may(f"iot:{action}", "*")
    assert not signer.may("iot:RegisterCertificate", certificate)
    for action in ("PutItem", "DeleteItem", "Scan"):
        assert not signer.may(f"dynamodb:{action}", REGISTRY)
    assert not signer.may("dynamodb:Query", f"{REGISTRY}/index/by-claim")


def test_who_notes_presence_changes_no_certificate(template: Callable[[str], Template]) -> None:
    presence = function_of(template("Identity"), "presence")
    certificate = f"arn:aws:iot:{ACCOUNT}:cert/{'a' * 64}"
    assert presence.may("iot:DescribeCertificate", certificate)
    for action in ("UpdateCertificate", "DeleteCertificate", "AttachPolicy", "DetachPolicy"):
        assert not presence.may(f"iot:{action}", certificate)
    for action in ("PutItem", "DeleteItem", "Scan", "Query"):
        assert not presence.may(f"dynamodb:{action}", REGISTRY)


def test_the_hook_reads_and_notes_and_does_nothing_else(template: Callable[[str], Template]) -> None:
    hook = function_of(template("Identity"), "provisioning-hook")
    assert hook.may("dynamodb:GetItem", REGISTRY)
    assert hook.may("dynamodb:UpdateItem", REGISTRY)
    for action in ("dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:Scan", "dynamodb:Query"):
        assert not hook.may(action, REGISTRY)
    assert not hook.may("dynamodb:UpdateItem", SALES)


def test_a_till_neither_lists_nor_writes_the_artifact_bucket(till: Principal) -> None:
    bucket = "arn:aws:s3:::greentill-artifacts-123456789012-eu-west-1"
    assert not till.may("s3:ListBucket", bucket)
    assert not till.may("s3:ListBucket", bucket, prefix=["components/"])
    assert not till.may("s3:ListBucketVersions", bucket)
    for action in ("s3:PutObject", "s3:DeleteObject", "s3:PutObjectAcl"):
        assert not till.may(action, f"{bucket}/components/Pos/ab/pos.zip")
    assert not till.may("s3:GetObject", f"{bucket}/elsewhere/x")


def test_a_core_uses_no_name_that_only_begins_like_its_own(core: Principal) -> None:
    for kind, name in (
        ("client", f"{OWN}0"),
        ("client", f"{OWN}0#2"),
        ("client", f"{OWN}-backup"),
        ("topic", f"$aws/things/{OWN}0/shadow/update"),
        ("topicfilter", f"$aws/things/{OWN}0/shadow/#"),
    ):
        for action in ("iot:Connect", "iot:Publish", "iot:Receive", "iot:Subscribe"):
            assert not core.may(action, f"arn:aws:iot:{ACCOUNT}:{kind}/{name}")


@pytest.mark.parametrize("topic", ["#", "+/+/#", "$aws/things/+/shadow/#", "$aws/events/#", "till/sales"])
def test_a_core_subscribes_to_nothing_that_others_share(core: Principal, topic: str) -> None:
    assert not core.may("iot:Subscribe", f"arn:aws:iot:{ACCOUNT}:topicfilter/{topic}")


def test_a_claim_reads_no_shadow_and_no_other_fleets_template(claim: Principal) -> None:
    prefix = f"arn:aws:iot:{ACCOUNT}"
    for topic in (f"$aws/things/{OWN}/shadow/get", "$aws/provisioning-templates/greentillx/provision/json"):
        for action, kind in (
            ("iot:Publish", "topic"),
            ("iot:Receive", "topic"),
            ("iot:Subscribe", "topicfilter"),
        ):
            assert not claim.may(action, f"{prefix}:{kind}/{topic}")
    assert not claim.may("iot:Subscribe", f"{prefix}:topicfilter/#")
    assert not claim.may("greengrass:ResolveComponentCandidates", "*")
