"""A fleet is really deployed, read back from the services, used, and destroyed without a trace."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from infra.cleanup.leftovers import leftovers
from infra.names import Names
from tests.cloud.cdk import REPOSITORY, bootstrap, cdk
from tests.infra.paper_fleet import FLEET_TOML, write_component, write_release

pytestmark = pytest.mark.twin

FLEET = "papertill"  # of its own: other tests share this cloud


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clone")
    shutil.copy(REPOSITORY / "app.py", root / "app.py")
    listed = '\n[tills.LISTED001]\nstore = "ST-367"\nstage = "dev"\n'
    text = FLEET_TOML.replace('name = "greentill"', f'name = "{FLEET}"') + listed
    (root / "fleet.toml").write_text(text)
    digest = write_component(root / "dist", "Pos", "1.0.0")
    write_release(root, "dev", Pos=("1.0.0", digest))
    write_release(root, "prod")
    return root


def provision(cloud: Any, names: Names, serial: str) -> None:
    """What provisioning leaves behind, outside every stack; the thing may be there already."""
    iot = cloud.client("iot")
    thing = names.thing(serial)
    try:
        iot.create_thing(thingName=thing, thingTypeName=names.thing_type)
    except iot.exceptions.ResourceAlreadyExistsException:
        iot.update_thing(thingName=thing, thingTypeName=names.thing_type)
    iot.add_thing_to_thing_group(thingName=thing, thingGroupName=names.stage_group("dev"))
    arn = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_policy(policyName=names.core_policy, target=arn)
    iot.attach_thing_principal(thingName=thing, principal=arn)


def make_kit(cloud: Any, names: Names) -> None:
    """A claim that nobody has used."""
    iot = cloud.client("iot")
    arn = iot.create_keys_and_certificate(setAsActive=True)["certificateArn"]
    iot.attach_policy(policyName=names.claim_policy, target=arn)


def test_a_used_fleet_is_destroyed_without_a_trace(cloud: Any, clone: Path) -> None:
    names = Names(FLEET, cloud.state.cloud.account, cloud.state.cloud.region)
    bootstrap(clone, cloud)
    cdk(clone, cloud, "deploy", "--all", "--require-approval", "never")

    made = Counter((one.service, one.kind) for one in leftovers(cloud, names))
    assert made["cloudformation", "stack"] == 5
    assert made["dynamodb", "table"] == 3
    assert made["s3", "bucket"] == 2
    assert made["iot", "thing group"] == 4
    assert made["iot", "role alias"] == 1
    assert made["greengrass", "component version"] == 1
    assert made["greengrass", "deployment"] == 1
    assert made["athena", "saved query"] == 3
    assert made["iot", "thing"] == 1
    assert made["events", "rule"] >= 1
    assert made["cloudwatch", "alarm"] == 1

    provision(cloud, names, "PAPER0001")
    provision(cloud, names, "LISTED001")
    make_kit(cloud, names)
    cloud.client("s3").put_object(
        Bucket=names.sales_bucket, Key="sales/date=2026-11-21/till=papertill-PAPER0001/x", Body=b"a sale"
    )
    cdk(clone, cloud, "destroy", "--all", "--force")
    assert leftovers(cloud, names) == []
