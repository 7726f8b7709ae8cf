"""What the templates promise: encryption, recovery, pinned versions, own logs, an order to undo them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk.assertions import Match, Template

from infra.fleet import build_app
from tests.infra.iam_evaluator import plain
from tests.infra.paper_fleet import FLEET_TOML, write_component, write_release

Find = Callable[[str], Template]
PARTS = ("Storage", "Identity", "Components", "Deployment-dev", "Cleanup")


def test_sales_survive_a_mistake_in_the_table(template: Find) -> None:
    for table in ("greentill-sales", "greentill-rollups"):
        template("Storage").has_resource_properties(
            "AWS::DynamoDB::Table",
            {
                "TableName": table,
                "BillingMode": "PAY_PER_REQUEST",
                "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            },
        )


def test_buckets_are_versioned_encrypted_private_and_expire_what_was_replaced(template: Find) -> None:
    buckets = template("Storage").find_resources("AWS::S3::Bucket")
    assert len(buckets) == 2
    for bucket in buckets.values():
        properties = bucket["Properties"]
        assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
        assert properties["BucketEncryption"]
        assert all(properties["PublicAccessBlockConfiguration"].values())
        assert properties["LifecycleConfiguration"]["Rules"]


def test_buckets_speak_tls_only(template: Find) -> None:
    policies = template("Storage").find_resources("AWS::S3::BucketPolicy")
    assert len(policies) == 2
    for policy in policies.values():
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        assert any(
            one["Effect"] == "Deny" and one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
            for one in statements
        )


def test_every_log_group_goes_with_its_stack_and_no_function_can_bring_one_back(template: Find) -> None:
    for part in PARTS:
        found = template(part)
        functions = found.find_resources("AWS::Lambda::Function")
        groups = found.find_resources("AWS::Logs::LogGroup")
        names = {group["Properties"]["LogGroupName"] for group in groups.values()}
        assert names >= {f"/aws/lambda/{one['Properties']['FunctionName']}" for one in functions.values()}
        assert all(group["DeletionPolicy"] == "Delete" for group in groups.values())
        assert "logs:CreateLogGroup" not in json.dumps(found.to_json())
        assert "AWSLambdaBasicExecutionRole" not in json.dumps(found.to_json())


def test_a_partition_is_projected_for_each_day_so_that_tills_add_none(template: Find) -> None:
    template("Storage").has_resource_properties(
        "AWS::Glue::Table",
        {
            "TableInput": Match.object_like(
                {
                    "PartitionKeys": [{"Name": "date", "Type": "string"}],
                    "Parameters": Match.object_like(
                        {"projection.enabled": "true", "projection.date.type": "date"}
                    ),
                }
            )
        },
    )


def test_provisioning_asks_the_hook_and_binds_a_certificate_to_one_thing(template: Find) -> None:
    identity = template("Identity")
    (found,) = identity.find_resources("AWS::IoT::ProvisioningTemplate").values()
    properties = found["Properties"]
    assert properties["PreProvisioningHook"]["TargetArn"]
    body = json.loads(plain(properties["TemplateBody"]))
    assert body["Resources"]["certificate"]["Properties"]["ThingPrincipalType"] == "EXCLUSIVE_THING"
    thing = body["Resources"]["thing"]["Properties"]
    assert thing["ThingName"]["Fn::Join"][1][0] == "greentill-"
    assert thing["ThingGroups"] == [{"Ref": "StageGroup"}]
    assert all("Default" not in parameter for parameter in body["Parameters"].values())


def test_only_this_accounts_template_rules_and_schedules_may_call_the_functions(template: Find) -> None:
    for permission in template("Identity").find_resources("AWS::Lambda::Permission").values():
        properties = plain(permission["Properties"])
        service = properties["Principal"].partition(".")[0]
        assert properties["SourceAccount"] == "123456789012"
        assert properties["SourceArn"].startswith(f"arn:aws:{service}:eu-west-1:123456789012:")
        assert "greentill" in properties["SourceArn"].rpartition("/")[2]


def test_claims_are_ended_by_the_clock_too(template: Find) -> None:
    template("Identity").has_resource_properties(
        "AWS::Events::Rule",
        {"Name": "greentill-claims", "ScheduleExpression": "rate(1 hour)", "State": "ENABLED"},
    )


def test_refusals_are_counted_and_a_repeated_one_is_an_alarm(template: Find) -> None:
    identity = template("Identity")
    identity.has_resource_properties(
        "AWS::Logs::MetricFilter",
        {
            "FilterPattern": '{ $.outcome = "refused" }',
            "MetricTransformations": [
                Match.object_like({"MetricNamespace": "Greentill", "MetricName": "RefusedProvisioning"})
            ],
        },
    )
    identity.has_resource_properties(
        "AWS::CloudWatch::Alarm",
        {
            "AlarmName": "greentill-refused-provisioning",
            "Namespace": "Greentill",
            "MetricName": "RefusedProvisioning",
            "Statistic": "Sum",
            "Threshold": 3,
            "TreatMissingData": "notBreaching",
        },
    )


def test_no_private_key_or_certificate_is_in_a_template(template: Find) -> None:
    for part in PARTS:
        text = json.dumps(template(part).to_json())
        assert "PRIVATE KEY" not in text
        assert 'AWS::IoT::Certificate"' not in text


def test_a_stage_runs_exact_versions_and_rolls_back(template: Find) -> None:
    deployment = template("Deployment-dev")
    (found,) = deployment.find_resources("AWS::GreengrassV2::Deployment").values()
    properties = plain(found["Properties"])
    versions = {name: one["ComponentVersion"] for name, one in properties["Components"].items()}
    assert versions == {
        "aws.greengrass.Nucleus": "2.18.2",
        "aws.greengrass.TokenExchangeService": "2.0.3",
        "com.greentill.Pos": "1.1.0",
    }
    merge = json.loads(properties["Components"]["com.greentill.Pos"]["ConfigurationUpdate"]["Merge"])
    assert merge == {"quiet_seconds": "5"}
    assert properties["TargetArn"] == "arn:aws:iot:eu-west-1:123456789012:thinggroup/greentill-dev"
    assert properties["DeploymentPolicies"]["FailureHandlingPolicy"] == "ROLLBACK"
    assert properties["DeploymentPolicies"]["ComponentUpdatePolicy"] == {
        "Action": "NOTIFY_COMPONENTS",
        "TimeoutInSeconds": 60,
    }


def test_a_stage_without_components_has_no_deployment(app: App) -> None:
    assert app.node.try_find_child("Greentill-Deployment-prod") is None


def test_every_built_version_is_published_with_its_digest(template: Find) -> None:
    (found,) = template("Components").find_resources("Custom::ComponentVersions").values()
    versions = found["Properties"]["Versions"]
    assert [(one["Component"], one["Version"]) for one in versions] == [("Pos", "1.0.0"), ("Pos", "1.1.0")]
    assert all(one["Digest"].startswith("sha256:") for one in versions)


def test_a_destroy_sweeps_first_and_takes_the_tables_last(app: App) -> None:
    def needs(part: str) -> set[str]:
        stack: Any = app.node.find_child(f"Greentill-{part}")
        return {other.stack_name.removeprefix("Greentill-") for other in stack.dependencies}

    assert needs("Cleanup") == {"Storage", "Identity", "Components", "Deployment-dev"}
    assert needs("Deployment-dev") == {"Components", "Identity"}
    assert needs("Identity") == {"Storage"}


def test_everything_that_can_carry_a_tag_carries_the_fleets(template: Find) -> None:
    for table in template("Storage").find_resources("AWS::DynamoDB::Table").values():
        assert {"Key": "greentill:fleet", "Value": "greentill"} in table["Properties"]["Tags"]


def test_listed_tills_are_things_and_nothing_else_grows_with_them(template: Find, fleet_root: Path) -> None:
    template("Identity").has_resource_properties(
        "AWS::IoT::Thing",
        {"ThingName": "greentill-LOBBY0001", "AttributePayload": {"Attributes": {"serial": "LOBBY0001"}}},
    )
    assert "LOBBY0001" not in json.dumps([template(part).to_json() for part in PARTS if part != "Identity"])


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Template:
    root = tmp_path_factory.mktemp("keeping")
    (root / "fleet.toml").write_text(
        FLEET_TOML.replace('region = "eu-west-1"', 'region = "eu-west-1"\nkeep_sales_on_destroy = true')
    )
    digest = write_component(root / "dist", "Pos", "1.0.0")
    write_release(root, "dev", Pos=("1.0.0", digest))
    write_release(root, "prod")
    stack: Any = build_app(root, tmp_path_factory.mktemp("cdk.out")).node.find_child("Greentill-Storage")
    return Template.from_stack(stack)


def test_sales_that_are_kept_are_neither_deleted_nor_emptied(keeping: Template) -> None:
    keeping.has_resource(
        "AWS::DynamoDB::Table",
        {"DeletionPolicy": "Retain", "Properties": {"TableName": "greentill-sales"}},
    )
    (emptied,) = keeping.find_resources("Custom::EmptiedBuckets").values()
    assert plain(emptied["Properties"]["Buckets"]) == ["greentill-artifacts-123456789012-eu-west-1"]
    (emptier,) = keeping.find_resources("AWS::IAM::Role").values()
    assert "greentill-sales" not in json.dumps(emptier["Properties"]["Policies"])
