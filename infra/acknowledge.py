"""Findings of cdk-nag that we keep, each with the reason why."""

import re

from aws_cdk import Acknowledgment, Aws, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, reason: str, *findings: str) -> None:
    """Accept `findings` (such as `AwsSolutions-IAM5[Resource::*]`) on `construct` and below, for `reason`."""
    for finding in findings:
        # cdk-nag writes placeholders, CloudFormation's and IAM's alike, in angle brackets.
        written = re.sub(r"\$\{([^}]+)\}", r"<\1>", finding.replace(Aws.ACCOUNT_ID, "<AWS::AccountId>"))
        Validations.of(construct).acknowledge(Acknowledgment(id=written, reason=reason))
