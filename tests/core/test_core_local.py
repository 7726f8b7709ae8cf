"""Local deployments, as a developer makes them on a till, with the trap that lies in a file's name."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.core_under_test import LOG, Core, recipe_text, with_core
from tests.core.test_core_deployments import Cloud, deployments, document
from twin.core.greentill_core.local import LocalDeployments, main, outcome_path

FOREVER = "while :; do sleep 0.2; done"
NAME = "com.example.Hello"
NEEDS_A_NAME = (
    f"test {{configuration:/name}} != nobody || exit 1; echo hello {{configuration:/name}}; {FOREVER}"
)


def developed(folder: Path, name: str = NAME, version: str = "1.0.0", **more: Any) -> None:
    """A recipe and an artifact, in the folders that the command takes."""
    (folder / "recipes").mkdir(exist_ok=True)
    files = folder / "artifacts" / name / version
    files.mkdir(parents=True)
    (files / "hello.txt").write_text("from this machine")
    text = recipe_text(name, version, configuration={"name": "nobody"}, **more)
    (folder / "recipes" / f"{name}-{version}.json").write_text(json.dumps(text))


async def deploy(core: Core, folder: Path, capsys: Any, *more: str, merge: str = f"{NAME}=1.0.0") -> Any:
    """Ask as the command does, and wait for the core's answer."""
    where = [f"--root={core.settings.root}", f"--recipeDir={folder}/recipes"]
    assert main([*where, f"--artifactDir={folder}/artifacts", f"--merge={merge}", *more]) == 0
    done = outcome_path(core.settings.root, capsys.readouterr().out.strip())
    while not done.exists():
        await asyncio.sleep(0.02)
    return json.loads(done.read_text())


def with_local(test: Any, cloud: Cloud | None = None) -> None:
    async def body(core: Core) -> None:
        runner = deployments(core, cloud or Cloud())
        serving = asyncio.create_task(LocalDeployments(core.settings.root, runner.run, core.state, LOG).run())
        try:
            await test(core, runner)
        finally:
            serving.cancel()

    with_core(body)


@pytest.mark.parametrize(
    ("name", "status"), [("hello-config-update.json", "SUCCEEDED"), ("hello.json", "FAILED")]
)
def test_a_configuration_update_counts_only_when_its_files_name_says_so(
    tmp_path: Path, capsys: Any, name: str, status: str
) -> None:
    developed(tmp_path, lifecycle={"run": NEEDS_A_NAME})
    update = tmp_path / name
    update.write_text(json.dumps({NAME: {"MERGE": {"name": "Ana"}}}))

    async def test(core: Core, _runner: Any) -> None:
        found = await deploy(core, tmp_path, capsys, f"--update-config={update}")
        assert found["status"] == status
        assert ("stdout. hello Ana" in core.log_of(NAME)) == (status == "SUCCEEDED")
        if status == "FAILED":
            assert "run exited with 1" in core.log_of(NAME)  # broken, and nothing names the file

    with_local(test)


def test_local_artifacts_are_the_components_to_read_and_a_missing_one_is_named(
    tmp_path: Path, capsys: Any
) -> None:
    developed(
        tmp_path,
        artifacts=[{"Uri": "s3://anywhere/hello.txt"}],
        lifecycle={"run": "cat {artifacts:path}/hello.txt; echo"},
    )
    developed(tmp_path, version="1.1.0", artifacts=[{"Uri": "s3://anywhere/other.txt"}])

    async def test(core: Core, _runner: Any) -> None:
        assert (await deploy(core, tmp_path, capsys))["status"] == "SUCCEEDED"
        await core.heard(NAME, "stdout. from this machine")
        found = await deploy(core, tmp_path, capsys, merge=f"{NAME}=1.1.0")
        assert "other.txt is not among the local artifacts" in found["deployment-failure-cause"]
        assert core.state.kept.components == {NAME: "1.0.0"}

    with_local(test)


def test_what_was_deployed_here_stays_when_the_cloud_deploys_and_the_other_way_round(
    tmp_path: Path, capsys: Any
) -> None:
    cloud = Cloud()
    cloud.add("com.test.Cloud", lifecycle={"run": FOREVER})
    developed(tmp_path, lifecycle={"run": FOREVER})
    developed(tmp_path, name="com.example.Second", lifecycle={"run": FOREVER})

    async def test(core: Core, runner: Any) -> None:
        await deploy(core, tmp_path, capsys)
        assert (await runner.run(document({"com.test.Cloud": "1.0.0"}))).status == "SUCCEEDED"
        await deploy(core, tmp_path, capsys, merge="com.example.Second=1.0.0")
        assert set(core.supervisor.states()) == {NAME, "com.example.Second", "com.test.Cloud"}

    with_local(test, cloud)


def test_a_recipe_that_is_not_there_is_said_at_once(tmp_path: Path, capsys: Any) -> None:
    where = [f"--root={tmp_path}", f"--recipeDir={tmp_path}", f"--artifactDir={tmp_path}"]
    assert main([*where, "--merge=com.example.None=1.0.0"]) == 1
    assert "com.example.None-1.0.0.json can't be read" in capsys.readouterr().err
