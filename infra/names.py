"""The only place that spells the names of what a fleet makes in the cloud.

Every name carries the fleet's name and is fixed, so that the command line, kits and tests need no look-up
beyond the account and the region, and two fleets share an account without touching. Inside templates the
account is CloudFormation's own placeholder.
"""

import re
from dataclasses import dataclass

from infra.errors import SettingsError

FLEET = re.compile(r"[a-z][a-z0-9]{2,19}")
STAGE = re.compile(r"[a-z][a-z0-9]{1,15}")
STORE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
SERIAL = re.compile(r"[A-Za-z0-9]{4,32}")
COMPONENT = re.compile(r"[A-Z][A-Za-z0-9]{1,31}")
TERMINAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,15}")

FLEET_TAG = "greentill:fleet"
DIGEST_TAG = "greentill:digest"


def _checked(key: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise SettingsError(key, value, f"text matching {pattern.pattern}")
    return value


@dataclass(frozen=True)
class Names:
    """Names of one fleet in one account and region. Wrong parts raise SettingsError."""

    fleet: str
    account: str
    region: str

    def __post_init__(self) -> None:
        _checked("fleet.name", self.fleet, FLEET)

    # stacks
    def stack(self, part: str) -> str:
        """`Greentill-Storage`; parts: Storage, Identity, Components, Cleanup."""
        return f"{self.stack_prefix}{part}"

    def deployment_stack(self, stage: str) -> str:
        return self.stack(f"Deployment-{_checked('stage', stage, STAGE)}")

    @property
    def stack_prefix(self) -> str:
        return f"{self.fleet.capitalize()}-"

    # tills
    @property
    def prefix(self) -> str:
        """What every name of the fleet starts with; a fleet's name has no hyphen, so no two overlap."""
        return f"{self.fleet}-"

    def thing(self, serial: str) -> str:
        return f"{self.prefix}{_checked('serial', serial, SERIAL)}"

    def serial(self, thing: str) -> str:
        """The serial in a thing's name; SettingsError for a thing of another fleet."""
        if not thing.startswith(self.prefix):
            raise SettingsError("thing", thing, f"a name that starts with {self.prefix}")
        return _checked("serial", thing.removeprefix(self.prefix), SERIAL)

    def stage_group(self, stage: str) -> str:
        return f"{self.prefix}{_checked('stage', stage, STAGE)}"

    def canary_group(self, stage: str) -> str:
        return f"{self.stage_group(stage)}-canary"

    @property
    def thing_type(self) -> str:
        return f"{self.prefix}till"

    # identity
    @property
    def core_policy(self) -> str:
        return f"{self.prefix}core"

    @property
    def claim_policy(self) -> str:
        return f"{self.prefix}claim"

    @property
    def provisioning_template(self) -> str:
        return f"{self.prefix}provisioning"

    @property
    def provisioning_role(self) -> str:
        return f"{self.prefix}provisioning"

    @property
    def role_alias(self) -> str:
        return f"{self.prefix}tills"

    @property
    def token_exchange_role(self) -> str:
        return f"{self.prefix}token-exchange"

    @property
    def till_log_group(self) -> str:
        """Where tills may write logs, each to streams that start with its own name."""
        return f"/{self.fleet}/tills"

    # storage
    @property
    def sales_table(self) -> str:
        return f"{self.prefix}sales"

    @property
    def rollups_table(self) -> str:
        return f"{self.prefix}rollups"

    @property
    def registry_table(self) -> str:
        return f"{self.prefix}registry"

    @property
    def sales_bucket(self) -> str:
        return f"{self.prefix}sales-{self.account}-{self.region}"

    @property
    def artifact_bucket(self) -> str:
        return f"{self.prefix}artifacts-{self.account}-{self.region}"

    @property
    def database(self) -> str:
        """The Glue database (Glue and Athena want no hyphens)."""
        return self.fleet

    @property
    def workgroup(self) -> str:
        return f"{self.prefix}sales"

    # components and deployments
    @property
    def component_prefix(self) -> str:
        return f"com.{self.fleet}."

    def component(self, short: str) -> str:
        """`com.greentill.Pos` for `Pos`."""
        return f"{self.component_prefix}{_checked('component', short, COMPONENT)}"

    def artifact_key(self, short: str, digest: str, file: str) -> str:
        """Where an artifact lies in the artifact bucket; `digest` is `sha256:<hex>`."""
        _checked("component", short, COMPONENT)
        return f"components/{short}/{digest.removeprefix('sha256:')}/{file}"

    @staticmethod
    def catalogue_key(store: str, file: str) -> str:
        """Where a store's catalogue lies in the artifact bucket; `file` is `latest.json` or a snapshot."""
        return f"catalogue/{_checked('store', store, STORE)}/{file}"

    def deployment(self, stage: str) -> str:
        return self.stage_group(stage)

    # functions, their roles and their log groups
    def function(self, duty: str) -> str:
        """`greentill-publisher`; its execution role has the same name."""
        return f"{self.prefix}{duty}"

    def log_group(self, duty: str) -> str:
        return f"/aws/lambda/{self.function(duty)}"

    def rule(self, duty: str) -> str:
        """An IoT topic rule's name (no hyphens there)."""
        return f"{self.fleet}_{duty}"

    def alarm(self, duty: str) -> str:
        return f"{self.prefix}{duty}"

    @property
    def metrics(self) -> str:
        """The CloudWatch namespace of the fleet's own metrics."""
        return self.fleet.capitalize()

    # amazon resource names
    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def table_arn(self, table: str) -> str:
        return self.arn("dynamodb", f"table/{table}")

    def thing_arn(self, thing: str) -> str:
        return self.arn("iot", f"thing/{thing}")

    def group_arn(self, group: str) -> str:
        return self.arn("iot", f"thinggroup/{group}")
