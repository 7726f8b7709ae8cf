"""Publishing twice changes nothing; a version never gets other bytes; a stage names exact builds."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.names import Names
from release.build import Built, read_dist
from release.errors import ReleaseError
from release.promote import promote
from release.publish import Cloud, publish
from release.recipe import component_digest
from tests.release.conftest import ROOT, clone

FLEET = "reltest"


def probe(folder: Path, shared_dist: dict[str, Built], content: bytes = b"artifact") -> Built:
    """A small component made of Sync's recipe, so that publishing it is quick."""
    import hashlib

    recipe = shared_dist["Sync"].recipe_text.replace("com.@FLEET@.Sync", "com.@FLEET@.Probe")
    recipe = recipe.replace("components/Sync/", "components/Probe/").replace("sync.zip", "probe.zip")
    target = folder / "Probe" / "1.0.0"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    (target / "probe.zip").write_bytes(content)
    (target / "recipe.json").write_text(recipe)
    artifacts = {"probe.zip": hashlib.sha256(content).hexdigest()}
    manifest = {
        "component": "Probe",
        "version": "1.0.0",
        "digest": component_digest(recipe, artifacts),
        "artifacts": [{"file": name, "sha256": digest} for name, digest in artifacts.items()],
    }
    (target / "manifest.json").write_text(json.dumps(manifest))
    return read_dist(folder)[0]


@pytest.fixture
def account(cloud: Any) -> Iterator[Cloud]:
    """The twin's cloud with an artifact bucket for a fleet of this test's own."""
    region, number = cloud.state.cloud.region, cloud.state.cloud.account
    names = Names(FLEET, number, region)
    s3, greengrass = cloud.client("s3"), cloud.client("greengrassv2")
    s3.create_bucket(Bucket=names.artifact_bucket, CreateBucketConfiguration={"LocationConstraint": region})
    yield Cloud(names, s3, greengrass)
    for entry in s3.list_objects_v2(Bucket=names.artifact_bucket).get("Contents", []):
        s3.delete_object(Bucket=names.artifact_bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=names.artifact_bucket)
    for component in greengrass.list_components(scope="PRIVATE")["components"]:
        if component["componentName"].startswith(names.component_prefix):
            greengrass.delete_component(arn=component["latestVersion"]["arn"])


@pytest.mark.twin
def test_publishing_creates_a_version_once_and_refuses_other_bytes(
    account: Cloud, shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    one = probe(tmp_path, shared_dist)
    first = publish([one], account, lambda _step: None)
    again = publish([one], account, lambda _step: None)
    assert [(entry.created, entry.digest) for entry in first + again] == [
        (True, one.digest),
        (False, one.digest),
    ]
    described = account.greengrass.describe_component(arn=first[0].arn)
    assert described["tags"] == {"greentill:fleet": FLEET, "greentill:digest": one.digest}
    recipe = json.loads(account.greengrass.get_component(arn=first[0].arn)["recipe"])
    bucket, key = recipe["Manifests"][0]["Artifacts"][0]["Uri"].removeprefix("s3://").split("/", 1)
    assert bucket == account.names.artifact_bucket
    assert account.s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"artifact"
    changed = probe(tmp_path, shared_dist, b"other bytes")
    with pytest.raises(ReleaseError, match="raise ComponentVersion"):
        publish([changed], account, lambda _step: None)


@pytest.mark.twin
def test_versions_are_created_one_after_another(
    account: Cloud, shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    pauses: list[float] = []
    one = probe(tmp_path / "one", shared_dist)
    recipe = one.recipe_text.replace('"ComponentVersion":"1.0.0"', '"ComponentVersion":"1.0.1"')
    (one.folder / "recipe.json").write_text(recipe)
    other = dataclasses.replace(one, version="1.0.1", digest=component_digest(recipe, one.artifacts))
    second = publish([other], account, lambda _step: None, pauses.append)
    one = probe(tmp_path / "two", shared_dist)
    publish([one, other], account, lambda _step: None, pauses.append)
    assert second[0].created
    assert 1.0 in pauses


def test_promoting_names_exact_builds_and_no_other_stage_changes(
    shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    root = clone(tmp_path / "root")
    promote(root, "dev", list(shared_dist.values()))
    written = json.loads((root / "releases" / "dev.json").read_text())["components"]
    assert written == {
        name: {"version": one.version, "digest": one.digest} for name, one in shared_dist.items()
    }
    assert json.loads((root / "releases" / "staging.json").read_text()) == {"components": {}}


def test_an_unknown_stage_is_refused_with_those_there_are(
    shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    with pytest.raises(ReleaseError, match="releases/ has dev, staging"):
        promote(clone(tmp_path / "root"), "production", list(shared_dist.values()))


def test_other_bytes_under_a_version_that_a_later_stage_runs_are_refused(
    shared_dist: dict[str, Built], tmp_path: Path
) -> None:
    root = clone(tmp_path / "root")
    built = list(shared_dist.values())
    promote(root, "staging", built)
    changed = [dataclasses.replace(built[0], digest="sha256:" + "0" * 64)]
    with pytest.raises(ReleaseError, match="runs in staging with another digest"):
        promote(root, "dev", changed)


def test_what_dev_runs_is_what_the_working_tree_builds(shared_dist: dict[str, Built]) -> None:
    """Otherwise a clone can't be deployed. After a change: greentill release build, then promote --to dev."""
    pinned = json.loads((ROOT / "releases" / "dev.json").read_text())["components"]
    same = {name: entry for name, entry in pinned.items() if entry["version"] == shared_dist[name].version}
    assert {name: entry["digest"] for name, entry in same.items()} == {
        name: shared_dist[name].digest for name in same
    }
