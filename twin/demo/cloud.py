"""Steps 1, 2 and 7: the twin's cloud, the real CDK against it, and what a destroy leaves."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from infra import settings as infra_settings
from infra.cleanup.leftovers import Leftover, leftovers
from infra.names import Names
from sales.reconcile import Cloud as SalesCloud
from twin import cloud as twin_cloud
from twin import state as twin_state
from twin.cloud import environment
from twin.demo import news
from twin.demo.processes import DemoError, Programs
from twin.demo.settings import STAGE, Settings
from twin.demo.show import Say

CDK = str(twin_state.ROOT / "node_modules/.bin/cdk")
CDK_SECONDS = 900.0
QUIET = {"NODE_NO_WARNINGS": "1"}  # Debian's Node
CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 4})


@dataclass(frozen=True)
class Account:
    """The twin's account as an engineer's shell would see it: an environment, and a boto3 session in it."""

    state: twin_state.State
    names: Names

    @classmethod
    def of(cls, state: twin_state.State) -> "Account":
        fleet = infra_settings.load(twin_state.ROOT).fleet
        return cls(state, Names(fleet.name, state.cloud.account, state.cloud.region))

    def environment(self) -> dict[str, str]:
        return {**outside(os.environ), **environment(self.state)}

    def session(self) -> Any:
        return _Session(self)

    def sales(self) -> SalesCloud:
        session = self.session()
        return SalesCloud(self.names, session.client("dynamodb"), session.client("s3"))


class _Session:
    """boto3 clients for the twin, whatever this process's own environment says."""

    def __init__(self, account: Account) -> None:
        told = environment(account.state)
        self._endpoint, self._ca = told["AWS_ENDPOINT_URL"], told["AWS_CA_BUNDLE"]
        self._session = boto3.Session(
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
            region_name=told["AWS_REGION"],
        )

    def client(self, service: str) -> Any:
        return self._session.client(service, endpoint_url=self._endpoint, verify=self._ca, config=CONFIG)


def outside(environ: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what could lead to another account."""
    return {key: value for key, value in environ.items() if not key.startswith("AWS_")}


def own_environment() -> dict[str, str]:
    """For programs that need no cloud."""
    return outside(os.environ)


def start(settings: Settings, say: Say) -> Account:
    """A cloud that answers; that of an aborted run is ended first."""
    if twin_cloud.is_running(settings.twin_dir):
        say("ending the cloud of an earlier run")
        twin_cloud.stop(settings.twin_dir)
    say("starting")
    state = twin_cloud.start(settings.twin_dir)
    say(f"answers at {state.cloud.endpoint}")
    return Account.of(state)


def deploy(account: Account, programs: Programs, settings: Settings, say: Say) -> list[str]:
    """`cdk bootstrap` and `cdk deploy --all`; returns, in words, what was read back. Raises DemoError."""
    cdk = _Cdk(account, programs, settings, say)
    cdk.synth()
    cdk.run("bootstrap", f"aws://{account.names.account}/{account.names.region}")
    cdk.run("deploy", "--all", "--require-approval", "never")
    return read_back(account)


def destroy(account: Account, programs: Programs, settings: Settings, say: Say) -> str | None:
    """`cdk destroy --all`; returns what went wrong, for the verdict, rather than raise."""
    try:
        _Cdk(account, programs, settings, say).run("destroy", "--all", "--force")
    except DemoError as error:
        return str(error)
    return None


def left_over(account: Account) -> list[Leftover]:
    return leftovers(account.session(), account.names)


@dataclass(frozen=True)
class _Cdk:
    account: Account
    programs: Programs
    settings: Settings
    say: Say

    def synth(self) -> None:
        """Once for all commands: the app takes seconds to start."""
        self._run("synth", "--quiet", "--output", self._assembly)

    def run(self, command: str, *arguments: str) -> None:
        """With --ci, events come as plain lines on standard output."""
        self._run(command, *arguments, "--app", self._assembly, "--ci")

    @property
    def _assembly(self) -> str:
        return str(self.settings.out_dir / "cdk.out")

    def _run(self, command: str, *arguments: str) -> None:
        self.say(f"cdk {command}")
        self.programs.run(
            f"cdk-{command}",
            [CDK, command, *arguments],
            environment={**self.account.environment(), **QUIET},
            say=news.only(news.CDK, self.say),
            timeout=CDK_SECONDS,
        )


def read_back(account: Account) -> list[str]:
    """What the services say is there; an exit code is no proof. Raises DemoError for what is missing."""
    session, names = account.session(), account.names
    found: list[str] = []

    def expect(what: str, there: bool) -> None:
        if not there:
            raise DemoError(f"after the deploy there is no {what}: see {account.state.cloud.log}")
        found.append(what)

    tables = session.client("dynamodb").list_tables()["TableNames"]
    for table in (names.sales_table, names.rollups_table, names.registry_table):
        expect(f"table {table}", table in tables)
    buckets = [bucket["Name"] for bucket in session.client("s3").list_buckets()["Buckets"]]
    for bucket in (names.sales_bucket, names.artifact_bucket):
        expect(f"bucket {bucket}", bucket in buckets)
    iot = session.client("iot")
    groups = [group["groupName"] for group in iot.list_thing_groups()["thingGroups"]]
    expect(f"thing group {names.stage_group(STAGE)}", names.stage_group(STAGE) in groups)
    template = iot.describe_provisioning_template(templateName=names.provisioning_template)
    expect(f"provisioning template {names.provisioning_template}", bool(template["enabled"]))
    alias = iot.describe_role_alias(roleAlias=names.role_alias)["roleAliasDescription"]
    expect(f"role alias {names.role_alias}", names.token_exchange_role in alias["roleArn"])
    greengrass = session.client("greengrassv2")
    group_arn = names.group_arn(names.stage_group(STAGE))
    deployments = greengrass.list_deployments(targetArn=group_arn)["deployments"]
    expect(f"deployment to {names.stage_group(STAGE)}", bool(deployments))
    told = greengrass.get_deployment(deploymentId=deployments[0]["deploymentId"])["components"]
    for name in ("Runtime", "Pos", "Sync"):
        component = names.component(name)
        expect(f"component {component} in the deployment", component in told)
    return found


def greentill(*arguments: str) -> list[str]:
    """The project's own command line."""
    return [sys.executable, "-m", "greentill", *arguments]
