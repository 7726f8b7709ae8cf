"""The fleet's sales in the account that the environment's credentials open."""

from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.names import Names
from infra.settings import load
from sales.reconcile import Cloud

CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
ROOT = Path(__file__).resolve().parent.parent


class AccessError(Exception):
    """The account can't be reached or doesn't know these credentials."""


def cloud(root: Path = ROOT) -> Cloud:
    """Clients and names for the fleet of `root`/fleet.toml. Raises SettingsError, AccessError."""
    fleet = load(root).fleet
    session = boto3.Session(region_name=fleet.region)
    try:
        account = session.client("sts", config=CONFIG).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError, ValueError) as error:  # ValueError: an endpoint that is no address
        raise AccessError(f"the cloud does not answer ({error}); are its credentials set?") from error
    return Cloud(
        names=Names(fleet.name, account, fleet.region),
        dynamodb=session.client("dynamodb", config=CONFIG),
        s3=session.client("s3", config=CONFIG),
    )
