"""The core fails where a real nucleus fails, so that mending can be tried: users, modes, sudo, recipes."""

from __future__ import annotations

import base64
import hashlib
import json
import pwd
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.core.core_under_test import Core, recipe, recipe_text, with_core
from tests.core.test_core_deployments import Cloud, deployments, document
from tests.core.test_core_lifecycle import until
from twin.core.greentill_core import component, users
from twin.core.greentill_core.errors import DeploymentError
from twin.core.greentill_core.recipes import parse
from twin.core.greentill_core.states import State

FOREVER = "while :; do sleep 0.2; done"
NAME = "com.test.App"


def with_script(cloud: Cloud, script: bytes, run: str, **entry: Any) -> None:
    """A component whose artifact is a script."""
    uri = "s3://artifacts/start.sh"
    cloud.objects[uri] = script
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    artifact = {"Uri": uri, "Digest": digest, "Algorithm": "SHA-256", **entry}
    cloud.add(NAME, artifacts=[artifact], lifecycle={"run": run})


async def deployed(core: Core, cloud: Cloud) -> Any:
    return await deployments(core, cloud).run(document({NAME: "1.0.0"}))


SCRIPT = b"#!/bin/sh\necho started\n"


def test_a_script_that_is_run_directly_needs_permission_to_execute() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        with_script(cloud, SCRIPT, "{artifacts:path}/start.sh")
        outcome = await deployed(core, cloud)
        assert outcome.status == "FAILED"
        assert f"{NAME} did not start" in outcome.details["deployment-failure-cause"]
        assert "start.sh: Permission denied" in core.log_of(NAME)
        assert "run exited with 126" in core.log_of(NAME)

    with_core(test)


@pytest.mark.parametrize(
    ("run", "entry"),
    [
        ("sh {artifacts:path}/start.sh", {}),
        ("{artifacts:path}/start.sh", {"Permission": {"Read": "ALL", "Execute": "ALL"}}),
    ],
)
def test_it_runs_through_an_interpreter_or_with_the_permission(run: str, entry: Mapping[str, Any]) -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        with_script(cloud, SCRIPT, run, **entry)
        assert (await deployed(core, cloud)).status == "SUCCEEDED"
        await core.heard(NAME, "stdout. started")

    with_core(test)


def test_a_root_that_others_may_not_pass_hides_the_artifacts_from_the_components_user() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        with_script(cloud, SCRIPT, "cat {artifacts:path}/start.sh")
        core.settings.root.chmod(0o700)
        assert (await deployed(core, cloud)).status == "FAILED"
        assert "Permission denied" in core.log_of(NAME)
        core.settings.root.chmod(0o755)
        assert (await deployed(core, cloud)).status == "SUCCEEDED"

    with_core(test)


def test_what_a_privileged_install_leaves_outside_the_work_folder_stays_roots() -> None:
    async def test(core: Core) -> None:
        data = core.settings.root / "data"
        install = f"mkdir -p {data}; umask 077; echo 1 > {data}/made; echo 1 > {{work:path}}/made"
        lifecycle = {
            "install": {"Script": install, "RequiresPrivilege": True},
            "run": f"cat {data}/made; exit 1",
        }
        assert await core.apply(recipe(NAME, lifecycle=lifecycle)) == [NAME]
        assert f"cat: {data}/made: Permission denied" in core.log_of(NAME)
        assert (data / "made").stat().st_uid == 0

    with_core(test)


def test_what_it_leaves_in_the_work_folder_is_given_to_the_user_before_the_next_try() -> None:
    async def test(core: Core) -> None:
        install = "umask 077; mkdir -p below; echo made-by-root > below/made"
        lifecycle = {
            "install": {"Script": install, "RequiresPrivilege": True},
            "run": f"cat below/made && {FOREVER}",
        }
        assert await core.apply(recipe(NAME, lifecycle=lifecycle)) == []
        await core.heard(NAME, "stdout. made-by-root")
        said = core.log_of(NAME)
        assert said.index("Permission denied") < said.index("stdout. made-by-root")
        made = core.work(NAME) / "below" / "made"
        assert made.stat().st_uid == pwd.getpwnam("nobody").pw_uid

    with_core(test)


@pytest.mark.parametrize("user", ["nobody_here:nogroup", "nobody:no_such_group"])
def test_without_its_user_or_group_a_component_is_broken_and_the_core_goes_on(user: str) -> None:
    async def test(core: Core) -> None:
        privileged = {"install": {"Script": "true", "RequiresPrivilege": True}, "run": "echo ran"}
        assert await core.apply(recipe(NAME, lifecycle=privileged)) == [NAME]
        said = core.log_of(NAME)
        assert "Could not determine user/group to run with" in said
        assert user in said
        assert "stdout. ran" not in said

    with_core(test, default_user=user)


def test_a_user_without_a_home_has_nowhere_to_put_what_programs_keep_there() -> None:
    async def test(core: Core) -> None:
        await core.apply(recipe(NAME, lifecycle={"run": "mkdir ~/.cache"}))
        assert re.search("cannot create directory .*/nonexistent/.cache", core.log_of(NAME))

    with_core(test)


def test_a_root_that_sudo_lets_run_nothing_starts_no_component(tmp_path: Path) -> None:
    sudo = tmp_path / "sudo"
    asked = tmp_path / "asked"
    sudo.write_text(f'#!/bin/sh\necho "$@" >>{asked}\necho "root is not allowed to do that" >&2\nexit 1\n')
    sudo.chmod(0o755)

    async def test(core: Core) -> None:
        assert await core.apply(recipe(NAME, lifecycle={"run": "echo ran"})) == [NAME]
        assert "stderr. root is not allowed to do that" in core.log_of(NAME)
        assert "stdout. ran" not in core.log_of(NAME)
        assert "-u nobody -g #65534 -- true" in asked.read_text()
        sudo.write_text("#!/bin/sh\nexit 0\n")  # the rule is put back
        assert await core.apply(recipe(NAME, lifecycle={"run": "echo ran"})) == []

    with_core(test, sudo=str(sudo))


def test_a_machine_without_sudo_starts_no_component() -> None:
    async def test(core: Core) -> None:
        assert await core.apply(recipe(NAME, lifecycle={"run": "echo ran"})) == [NAME]
        assert "/no/sudo: No such file or directory" in core.log_of(NAME)

    with_core(test, sudo="/no/sudo")


def test_a_brace_that_begins_no_variable_cuts_a_script_on_lite_and_the_rest_runs_all_the_same() -> None:
    script = "echo first; A=cut; echo second ${A}; exit 7"

    async def run(core: Core) -> tuple[list[str], str]:
        return await core.apply(recipe(NAME, lifecycle={"run": script})), core.log_of(NAME)

    broken, said = with_core(run)
    assert broken == [NAME]
    assert "stdout. second cut" in said
    broken, said = with_core(run, nucleus="lite")
    assert "stdout. first" in said
    assert "stdout. second cut" not in said
    assert "run exited with 7" not in said


def test_a_setting_that_is_not_there_cuts_a_script_on_lite() -> None:
    script = "echo one {configuration:/mode}; echo two {configuration:/absent}; exit 7"

    async def run(core: Core) -> tuple[list[str], str]:
        one = recipe(NAME, configuration={"mode": ""}, lifecycle={"run": script})
        return await core.apply(one), core.log_of(NAME)

    broken, said = with_core(run, nucleus="lite")
    assert broken == []  # and the deployment succeeds
    assert "stdout. one" in said
    assert "exited with 7" not in said


def test_a_key_in_the_wrong_case_is_not_the_key() -> None:
    async def test(core: Core) -> None:
        lifecycle = {"install": {"Script": "id -un > who", "requiresPrivilege": True}, "run": "cat who"}
        await core.apply(recipe(NAME, lifecycle=lifecycle))
        assert "stdout. nobody" in core.log_of(NAME)

    with_core(test)
    text = recipe_text(NAME, artifacts=[{"URI": "s3://artifacts/x"}])
    with pytest.raises(DeploymentError, match="'Uri'"):
        parse(json.dumps(text))


def test_failures_that_lie_more_than_an_hour_back_are_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(core: Core) -> None:
        script = f"echo x >> tries; [ $(wc -l < tries) -ge 5 ] || exit 1; echo up; {FOREVER}"
        assert await core.apply(recipe(NAME, lifecycle={"run": script})) == []
        await core.heard(NAME, "stdout. up")

    assert component._FORGIVEN_SECONDS == 3600
    monkeypatch.setattr(component, "_FORGIVEN_SECONDS", 0.0)
    with_core(test)


def test_what_needs_a_broken_component_does_not_start_and_the_deployment_names_the_broken_one() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        cloud.add("com.test.Base", lifecycle={"run": "exit 1"})
        needs = {"com.test.Base": {"VersionRequirement": ">=1.0.0", "DependencyType": "HARD"}}
        cloud.add(NAME, dependencies=needs, lifecycle={"run": f"echo up; {FOREVER}"})
        outcome = await deployments(core, cloud).run(
            document({NAME: "1.0.0"}, failureHandlingPolicy="DO_NOTHING")
        )
        assert outcome.status == "FAILED"
        assert "com.test.Base did not start" in outcome.details["deployment-failure-cause"]
        assert core.board["com.test.Base"] == State.BROKEN
        assert core.board[NAME] == State.INSTALLED  # it waits

    with_core(test)


def test_what_only_likes_a_broken_component_runs() -> None:
    async def test(core: Core) -> None:
        base = recipe("com.test.Base", lifecycle={"run": "exit 1"})
        likes = {"com.test.Base": {"VersionRequirement": ">=1.0.0", "DependencyType": "SOFT"}}
        top = recipe(NAME, lifecycle={"run": f"echo up; {FOREVER}"}, dependencies=likes)
        assert await core.apply(base, top) == ["com.test.Base"]
        await core.heard(NAME, "stdout. up")
        assert core.board[NAME] == State.RUNNING

    with_core(test)


def test_a_deployments_reset_comes_before_its_merge() -> None:
    async def test(core: Core) -> None:
        cloud = Cloud()
        defaults = {"mode": "a", "limits": {"one": "1", "two": "2"}}
        cloud.add(NAME, configuration=defaults, lifecycle={"install": "true"})
        runner = deployments(core, cloud)

        async def update(**change: Any) -> Mapping[str, Any]:
            wanted = {"version": "1.0.0", "configurationUpdate": change}
            assert (await runner.run(document({NAME: wanted}))).status == "SUCCEEDED"
            return core.state.configuration(NAME)

        await update(merge={"mode": "b", "extra": "x", "limits": {"one": "9"}})
        found = await update(reset=["/mode", "/extra", "/limits/one"], merge={"extra": "y"})
        assert found == {"mode": "a", "extra": "y", "limits": {"one": "1", "two": "2"}}
        assert await update(reset=[""], merge={"mode": "c"}) == {**defaults, "mode": "c"}

    with_core(test)


def test_a_user_that_appears_is_used_with_the_next_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(core: Core) -> None:
        absent = {"yes": True}

        def find(user: str) -> users.Account:
            return users.find("nobody_here:nogroup" if absent else user)

        monkeypatch.setattr(f"{component.__name__}.find", find)
        one = recipe(NAME, lifecycle={"run": "id -un"})
        assert await core.apply(one) == [NAME]
        absent.clear()
        assert await core.apply(one) == []
        await until(lambda: "stdout. nobody" in core.log_of(NAME))

    with_core(test)
