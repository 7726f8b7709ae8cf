"""Deployments on one machine: a cloud that answers at once, real processes, real files."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from tests.core.core_under_test import LOG, Core, recipe_text, with_core
from twin.core.greentill_core.data_plane import DataPlane, Resolved
from twin.core.greentill_core.deployments import Deployments
from twin.core.greentill_core.errors import DeploymentError, NotReachableError
from twin.core.greentill_core.s3 import S3
from twin.core.greentill_core.state import StateFile

FOREVER = "while :; do sleep 0.2; done"


class Cloud:
    """Data plane and S3 in one: recipes by name and version, objects by address."""

    def __init__(self) -> None:
        self.recipes: dict[str, dict[str, dict[str, Any]]] = {}
        self.objects: dict[str, bytes] = {}
        self.groups = ["greentill-dev", "greentill-extra"]
        self.away = 0
        self.asked: list[tuple[str, dict[str, str]]] = []

    def add(self, name: str, version: str = "1.0.0", **more: Any) -> None:
        self.recipes.setdefault(name, {})[version] = recipe_text(name, version, **more)

    def thing_groups(self) -> list[str]:
        if self.away:
            self.away -= 1
            raise NotReachableError("no route")
        return self.groups

    def resolve(self, name: str, requirements: Mapping[str, str], platform: Mapping[str, str]) -> Resolved:
        self.asked.append((name, dict(requirements)))
        exact = {text.lstrip("=") for text in requirements.values() if text.startswith("=")}
        found = [version for version in sorted(self.recipes.get(name, {})) if exact <= {version}]
        if not found or len(exact) > 1:
            raise DeploymentError(f"no version of {name}")
        text = json.dumps(self.recipes[name][found[-1]]).encode()
        return Resolved(f"arn:{name}:{found[-1]}", name, found[-1], text)

    async def refresh(self) -> None:
        return

    def get(self, uri: str) -> bytes:
        return self.objects[uri]


def document(components: dict[str, Any], group: str = "greentill-dev", **more: Any) -> dict[str, Any]:
    return {
        "deploymentId": "d-1",
        "configurationArn": f"arn:aws:greengrass:eu-west-1:000000000000:configuration:thinggroup/{group}:1",
        "components": {
            name: value if isinstance(value, dict) else {"version": value}
            for name, value in components.items()
        },
        "failureHandlingPolicy": "ROLLBACK",
        "componentUpdatePolicy": {"timeout": 5, "action": "NOTIFY_COMPONENTS"},
        **more,
    }


def deployments(core: Core, cloud: Cloud) -> Deployments:
    return Deployments(
        cast(DataPlane, cloud),
        cast(S3, cloud),
        supervisor=core.supervisor,
        state=core.state,
        updates=core.updates,
        changed=core.operations.configuration_changed,
        log=LOG,
        longest_backoff=0.05,
    )


def test_a_deployment_brings_components_their_artifacts_and_what_they_depend_on() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.objects["s3://artifacts/hello.txt"] = b"hello from s3"
        digest = base64.b64encode(hashlib.sha256(b"hello from s3").digest()).decode()
        cloud.add("com.test.Libs", lifecycle={"install": "true"})
        cloud.add(
            "com.test.App",
            dependencies={
                "com.test.Libs": {"VersionRequirement": ">=1.0.0 <2.0.0", "DependencyType": "SOFT"}
            },
            artifacts=[{"Uri": "s3://artifacts/hello.txt", "Digest": digest, "Algorithm": "SHA-256"}],
            lifecycle={"run": "cat {artifacts:path}/hello.txt; echo; " + FOREVER},
        )
        outcome = await deployments(core, cloud).run(document({"com.test.App": "1.0.0"}))
        assert outcome.status == "SUCCEEDED"
        assert set(core.supervisor.states()) == {"com.test.App", "com.test.Libs"}
        await core.heard("com.test.App", "stdout. hello from s3")
        assert ("com.test.Libs", {"com.test.App": ">=1.0.0 <2.0.0"}) in cloud.asked
        assert list(core.state.kept.roots) == ["com.test.App"]

    with_core(test)


def test_a_failed_deployment_goes_back_to_what_ran_configuration_included() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.App", configuration={"mode": "a"}, lifecycle={"run": f"echo one; {FOREVER}"})
        cloud.add("com.test.App", "1.1.0", lifecycle={"run": "exit 1"})
        runner = deployments(core, cloud)
        await runner.run(document({"com.test.App": "1.0.0"}))
        update = {"version": "1.1.0", "configurationUpdate": {"merge": {"mode": "b"}}}
        outcome = await runner.run(document({"com.test.App": update}))
        assert outcome.status == "FAILED"
        assert outcome.details["detailed-deployment-status"] == "FAILED_ROLLBACK_COMPLETE"
        assert "com.test.App" in outcome.details["deployment-failure-cause"]
        assert core.state.kept.components == {"com.test.App": "1.0.0"}
        assert core.state.configuration("com.test.App") == {"mode": "a"}
        await core.heard("com.test.App", "stdout. one", 2)

    with_core(test)


def test_without_rollback_the_broken_version_stays() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.App", lifecycle={"run": "exit 1"})
        outcome = await deployments(core, cloud).run(
            document({"com.test.App": "1.0.0"}, failureHandlingPolicy="DO_NOTHING")
        )
        assert (outcome.status, core.state.kept.components) == ("FAILED", {"com.test.App": "1.0.0"})

    with_core(test)


def test_an_artifact_that_does_not_match_fails_the_deployment_and_stops_nothing() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.App", lifecycle={"run": f"echo one; {FOREVER}"})
        artifact = {"Uri": "s3://artifacts/x", "Digest": "AAAA", "Algorithm": "SHA-256"}
        cloud.objects["s3://artifacts/x"] = b"tampered"
        cloud.add("com.test.App", "1.1.0", artifacts=[artifact], lifecycle={"run": FOREVER})
        runner = deployments(core, cloud)
        await runner.run(document({"com.test.App": "1.0.0"}))
        outcome = await runner.run(document({"com.test.App": "1.1.0"}))
        assert outcome.status == "FAILED"
        assert "ARTIFACT_CHECKSUM_MISMATCH" in outcome.details["deployment-failure-cause"]
        await core.heard("com.test.App", "stdout. one")

    with_core(test)


def test_a_deployment_waits_for_a_cloud_that_is_away() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.away = 3
        cloud.add("com.test.App", lifecycle={"install": "true"})
        assert (await deployments(core, cloud).run(document({"com.test.App": "1.0.0"}))).status == "SUCCEEDED"
        assert cloud.away == 0

    with_core(test)


def test_groups_are_united_and_a_group_that_the_till_left_counts_no_more() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.One", lifecycle={"install": "true"})
        cloud.add("com.test.Two", lifecycle={"install": "true"})
        runner = deployments(core, cloud)
        await runner.run(document({"com.test.One": "1.0.0"}))
        await runner.run(document({"com.test.Two": "1.0.0"}, group="greentill-extra"))
        assert set(core.supervisor.states()) == {"com.test.One", "com.test.Two"}
        cloud.groups = ["greentill-dev"]
        await runner.run(document({"com.test.One": "1.0.0"}))
        assert set(core.supervisor.states()) == {"com.test.One"}

    with_core(test)


def test_an_empty_revision_removes_everything() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.One", lifecycle={"run": FOREVER})
        runner = deployments(core, cloud)
        await runner.run(document({"com.test.One": "1.0.0"}))
        assert (await runner.run(document({}))).status == "SUCCEEDED"
        assert core.supervisor.states() == {}
        assert core.state.kept.components == {}

    with_core(test)


def test_components_that_need_each_other_in_a_circle_are_refused() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        for name, other in (("com.test.A", "com.test.B"), ("com.test.B", "com.test.A")):
            cloud.add(name, dependencies={other: {"VersionRequirement": ">=1.0.0"}})
        outcome = await deployments(core, cloud).run(document({"com.test.A": "1.0.0"}))
        assert "circle" in outcome.details["deployment-failure-cause"]

    with_core(test)


def test_after_a_power_cut_what_ran_last_starts_without_the_cloud() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.App", configuration={"mode": "a"}, lifecycle={"run": f"echo one; {FOREVER}"})
        runner = deployments(core, cloud)
        await runner.run(document({"com.test.App": "1.0.0"}))
        core.state.save()
        await core.supervisor.close()
        core.state.kept = StateFile(
            core.settings.root / "config" / "state.json"
        ).kept  # as a new process reads it
        nothing = Cloud()
        nothing.away = 1_000_000
        await deployments(core, nothing).boot()
        assert await core.supervisor.settled() == []
        await core.heard("com.test.App", "stdout. one", 2)

    with_core(test)


def test_a_power_cut_in_the_middle_of_a_deployment_starts_the_version_before_it() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.App", lifecycle={"run": f"echo one; {FOREVER}"})
        cloud.add("com.test.App", "1.1.0", lifecycle={"install": FOREVER})
        runner = deployments(core, cloud)
        await runner.run(document({"com.test.App": "1.0.0"}))
        core.state.save()
        cut_short = asyncio.create_task(runner.run(document({"com.test.App": "1.1.0"})))
        while core.state.kept.before is None:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        cut_short.cancel()
        await core.supervisor.close()
        core.state.kept = StateFile(core.settings.root / "config" / "state.json").kept
        await deployments(core, Cloud()).boot()
        assert await core.supervisor.settled() == []
        assert core.state.kept.components == {"com.test.App": "1.0.0"}
        await core.heard("com.test.App", "stdout. one", 2)

    with_core(test)


def test_a_component_that_defers_keeps_running_until_it_lets_go() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.App", lifecycle={"run": FOREVER})
        cloud.add("com.test.App", "1.1.0", lifecycle={"run": FOREVER})
        runner = deployments(core, cloud)
        await runner.run(document({"com.test.App": "1.0.0"}))
        waits = iter([100.0, 50.0, 0.0])
        rounds = []

        def ask(deployment: str, names: set[str]) -> set[str]:
            rounds.append((deployment, names, core.state.kept.components["com.test.App"]))
            core.updates._answers = {"com.test.App": next(waits)}
            return {"com.test.App"}

        core.updates.ask = ask  # type: ignore[method-assign]
        outcome = await runner.run(document({"com.test.App": "1.1.0"}))
        assert outcome.status == "SUCCEEDED"
        assert rounds == [("d-1", {"com.test.App"}, "1.0.0")] * 3

    with_core(test)


def test_a_change_of_configuration_alone_is_told_and_restarts_nothing() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.App", configuration={"mode": "a"}, lifecycle={"run": f"echo one; {FOREVER}"})
        runner = deployments(core, cloud)
        await runner.run(document({"com.test.App": "1.0.0"}))
        update = {"version": "1.0.0", "configurationUpdate": {"merge": json.dumps({"mode": "b"})}}
        await runner.run(document({"com.test.App": update}))
        assert core.state.configuration("com.test.App") == {"mode": "b"}
        await core.heard("com.test.App", "stdout. one")

    with_core(test)
