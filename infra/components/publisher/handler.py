"""Publishes component versions for the Components stack. They outlive it: only the sweep deletes versions."""

import os

import boto3
from botocore.config import Config

from infra.components.publisher.publish import Publisher, Version
from infra.custom_resource import Event, answered
from infra.names import Names

PATIENT = Config(retries={"mode": "standard", "max_attempts": 10})


def handle(event: Event, _context: object) -> None:
    def duty() -> dict[str, str]:
        if event["RequestType"] == "Delete":
            return {}
        publisher = Publisher(
            greengrass=boto3.client("greengrassv2", config=PATIENT),
            s3=boto3.client("s3", config=PATIENT),
            names=Names(os.environ["FLEET"], os.environ["ACCOUNT"], os.environ["AWS_REGION"]),
        )
        versions = [Version.parse(one) for one in event["ResourceProperties"].get("Versions", [])]
        created = sum(publisher.publish(version) for version in versions)
        return {"Created": str(created), "Known": str(len(versions) - created)}

    answered(event, "component-versions", duty)
