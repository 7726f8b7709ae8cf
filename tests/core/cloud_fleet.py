"""A small fleet in the twin's cloud for the core's tests, made with boto3 from the product's own policies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.identity.policies import claim_policy, core_policy
from infra.identity.template import template_body
from infra.names import Names
from tests.core.core_under_test import USER

ASSUMED_BY_IOT = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["credentials.iot.amazonaws.com", "iot.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


@dataclass
class Fleet:
    """Template, policies, role, bucket and a stage group with names of their own."""

    cloud: Any
    names: Names
    bucket: str
    group: str

    @classmethod
    def make(cls, cloud: Any) -> Fleet:
        state = cloud.state.cloud
        names = Names(f"f{uuid.uuid4().hex[:8]}", state.account, state.region)
        iam, iot, s3 = cloud.client("iam"), cloud.client("iot"), cloud.client("s3")
        bucket = f"artifacts-{uuid.uuid4().hex[:10]}"
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": state.region})
        role = iam.create_role(
            RoleName=f"{names.fleet}-role", AssumeRolePolicyDocument=json.dumps(ASSUMED_BY_IOT)
        )["Role"]["Arn"]
        allow = {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/components/*",
        }
        iam.put_role_policy(
            RoleName=f"{names.fleet}-role",
            PolicyName="artifacts",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
        )
        iam.attach_role_policy(
            RoleName=f"{names.fleet}-role",
            PolicyArn="arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration",
        )
        iot.create_role_alias(roleAlias=names.role_alias, roleArn=role, credentialDurationSeconds=3600)
        iot.create_policy(policyName=names.core_policy, policyDocument=json.dumps(core_policy(names)))
        iot.create_policy(policyName=names.claim_policy, policyDocument=json.dumps(claim_policy(names)))
        iot.create_thing_type(thingTypeName=names.thing_type)
        group = f"{names.fleet}-dev"
        iot.create_thing_group(thingGroupName=group)
        body = template_body(names)
        body["Parameters"]["StageGroup"] = {"Type": "String", "Default": group}
        body["Parameters"]["Store"] = {"Type": "String", "Default": "ST-1"}
        iot.create_provisioning_template(
            templateName=names.provisioning_template,
            templateBody=json.dumps(body),
            provisioningRoleArn=role,
            enabled=True,
        )
        return cls(cloud, names, bucket, group)

    def root(self, folder: Path, serial: str, **changes: Any) -> Path:
        """A Greengrass root with a kit's configuration and a claim of its own."""
        iot, state = self.cloud.client("iot"), self.cloud.state.cloud
        claim = iot.create_keys_and_certificate(setAsActive=True)
        iot.attach_policy(policyName=self.names.claim_policy, target=claim["certificateArn"])
        (folder / "claim.pem.crt").write_text(claim["certificatePem"])
        (folder / "claim.private.key").write_text(claim["keyPair"]["PrivateKey"])
        (folder / "config").mkdir()
        settings = {
            "region": state.region,
            "iot_data_endpoint": "localhost",
            "iot_credentials_endpoint": "localhost",
            "provisioning_template": self.names.provisioning_template,
            "serial": serial,
            "role_alias": self.names.role_alias,
            "claim_certificate": str(folder / "claim.pem.crt"),
            "claim_private_key": str(folder / "claim.private.key"),
            "root_ca": state.ca,
            "mqtt_port": state.mqtt_port,
            "data_plane_port": state.iot_port,
            "credentials_port": state.iot_port,
            "default_user": USER,
            "sudo": "",
            "longest_backoff_seconds": 1,
            "restart_seconds": 0.1,
        }
        (folder / "config" / "core.json").write_text(json.dumps(settings | changes))
        return folder

    def component(self, recipe: dict[str, Any]) -> None:
        self.cloud.client("greengrassv2").create_component_version(inlineRecipe=json.dumps(recipe).encode())

    def deploy(self, components: dict[str, str]) -> str:
        state = self.cloud.state.cloud
        made = self.cloud.client("greengrassv2").create_deployment(
            targetArn=f"arn:aws:iot:{state.region}:{state.account}:thinggroup/{self.group}",
            components={name: {"componentVersion": version} for name, version in components.items()},
        )
        return str(made["deploymentId"])

    def job_status(self, deployment: str, thing: str) -> tuple[str, dict[str, str]]:
        job = self.cloud.client("greengrassv2").get_deployment(deploymentId=deployment)["iotJobId"]
        found = self.cloud.client("iot").describe_job_execution(jobId=job, thingName=thing)["execution"]
        return found["status"], (found.get("statusDetails") or {}).get("detailsMap") or {}

    def environment(self) -> dict[str, str]:
        """What a kit's environment file gives the unit."""
        state = self.cloud.state.cloud
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return kept | {
            "AWS_ENDPOINT_URL": state.endpoint,
            "AWS_CA_BUNDLE": state.ca,
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "twin" / "core"),
        }


@contextmanager
def running(root: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The core as the unit runs it; killed at the end if the test hasn't."""
    command = [sys.executable, "-u", "-m", "greentill_core", "--root", str(root)]
    with (root / "output").open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        print((root / "output").read_text(errors="replace"))  # noqa: T201 - pytest shows it when a test fails
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def power_cut(core: subprocess.Popen[bytes]) -> None:
    """End the core and every process below it at once, as a pulled plug does."""
    below = [core.pid]
    for pid in below:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            below += [int(child) for child in task.read_text().split()]
    for pid in below:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    core.wait()
