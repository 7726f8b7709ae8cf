"""Components as processes: users, steps, restarts, dependencies; run as root, components as nobody."""

from __future__ import annotations

import asyncio
import pwd
from dataclasses import replace
from typing import Any

from tests.core.core_under_test import Core, recipe, with_core
from twin.core.greentill_core.states import State

FOREVER = "while :; do sleep 0.2; done"


async def until(condition: Any) -> None:
    """Wait for something in the file system; with_core bounds the time."""
    while not condition():
        await asyncio.sleep(0.02)


def test_install_and_run_go_one_after_the_other_as_the_components_user() -> None:
    async def test(core: Core) -> None:
        lifecycle = {
            "install": {"Script": "id -un > {work:path}/who; id -gn >> {work:path}/who"},
            "run": {"Script": "cat {work:path}/who; pwd; echo problem >&2"},
        }
        assert await core.apply(recipe("com.test.One", lifecycle=lifecycle)) == []
        assert core.board["com.test.One"] == State.FINISHED
        said = core.log_of("com.test.One")
        assert "stdout. nobody\n" in said
        assert "stdout. nogroup\n" in said
        assert f"stdout. {core.work('com.test.One')}\n" in said
        assert "[WARNING]" in said
        assert "stderr. problem\n" in said
        assert core.work("com.test.One").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert core.work("com.test.One").stat().st_mode & 0o777 == 0o700

    with_core(test)


def test_requires_privilege_means_root() -> None:
    async def test(core: Core) -> None:
        lifecycle = {"install": {"Script": "id -un", "RequiresPrivilege": True}, "run": "id -un"}
        await core.apply(recipe("com.test.Root", lifecycle=lifecycle))
        lines = [line for line in core.log_of("com.test.Root").splitlines() if "stdout." in line]
        assert [line.rpartition(" ")[2] for line in lines] == ["root", "nobody"]

    with_core(test)


def test_recipe_variables_and_setenv_arrive_in_the_script() -> None:
    async def test(core: Core) -> None:
        script = (
            "echo path={artifacts:path} open={artifacts:decompressedPath} root={kernel:rootPath} "
            "thing={iot:thingName} port={configuration:/http/port} "
            'open-place={configuration:/absent} env="$MODE"'
        )
        one = recipe(
            "com.test.Var",
            "2.1.0",
            configuration={"http": {"port": 8080}},
            lifecycle={"Setenv": {"MODE": "{iot:thingName}-mode"}, "run": {"Script": script}},
        )
        await core.apply(one)
        root = core.settings.root
        expected = (
            f"path={root}/packages/artifacts/com.test.Var/2.1.0 "
            f"open={root}/packages/artifacts-unarchived/com.test.Var/2.1.0 root={root} "
            "thing=greentill-CORE0001 port=8080 open-place={configuration:/absent} "
            "env=greentill-CORE0001-mode\n"
        )
        assert expected in core.log_of("com.test.Var")

    with_core(test)


def test_a_component_gets_what_a_nucleus_promises_in_its_environment() -> None:
    async def test(core: Core) -> str:
        needs = {"aws.greengrass.TokenExchangeService": {"VersionRequirement": ">=2.0.0"}}
        exchange = recipe("aws.greengrass.TokenExchangeService")
        await core.apply(exchange, recipe("com.test.Env", lifecycle={"run": "env"}, dependencies=needs))
        return core.log_of("com.test.Env")

    said = with_core(test)
    for name in (
        "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT=",
        "SVCUID=",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost:",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN=",
        "AWS_IOT_THING_NAME=greentill-CORE0001",
        "AWS_REGION=eu-west-1",
        "AWS_DEFAULT_REGION=eu-west-1",
        "GGC_VERSION=2.",
        "HOME=/nonexistent",
    ):
        assert f"stdout. {name}" in said


def test_credentials_are_not_offered_where_no_component_asks_for_them() -> None:
    async def test(core: Core) -> str:
        await core.apply(recipe("com.test.Env", lifecycle={"run": "env"}))
        return core.log_of("com.test.Env")

    assert "AWS_CONTAINER_CREDENTIALS_FULL_URI" not in with_core(test)


def test_a_run_that_fails_is_tried_three_times_and_then_broken() -> None:
    async def test(core: Core) -> None:
        lifecycle = {"run": {"Script": "echo again >> tries; exit 3"}}
        assert await core.apply(recipe("com.test.Bad", lifecycle=lifecycle)) == ["com.test.Bad"]
        assert (core.work("com.test.Bad") / "tries").read_text() == "again\n" * 3
        assert "run exited with 3" in core.log_of("com.test.Bad")

    with_core(test)


def test_a_run_that_recovers_is_not_broken() -> None:
    async def test(core: Core) -> None:
        script = f"echo x >> tries; [ $(wc -l < tries) -ge 3 ] || exit 1; {FOREVER}"
        assert await core.apply(recipe("com.test.Shaky", lifecycle={"run": script})) == []
        assert core.board["com.test.Shaky"] == State.RUNNING

    with_core(test)


def test_an_install_that_takes_longer_than_its_timeout_is_ended_with_its_children() -> None:
    async def test(core: Core, timeout: float) -> list[str]:
        script = "sleep 300 & echo $! >> children; wait"
        lifecycle = {"install": {"Script": script, "Timeout": timeout}}
        assert await core.apply(recipe("com.test.Slow", lifecycle=lifecycle)) == ["com.test.Slow"]
        assert f"install took longer than {timeout:g} s" in core.log_of("com.test.Slow")
        children = core.work("com.test.Slow") / "children"
        return children.read_text().split() if children.exists() else []

    for timeout in (0.3, 3.0, 30.0):  # a busy machine may take longer to begin at all
        if children := with_core(lambda core, timeout=timeout: test(core, timeout)):  # type: ignore[misc]
            break
    assert children
    assert not any(alive(int(pid)) for pid in children)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - /proc is no ordinary folder
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_component_starts_after_what_it_needs_and_restarts_when_that_goes() -> None:
    async def test(core: Core) -> None:
        seen = core.settings.root / "seen"
        seen.mkdir(mode=0o777)
        seen.chmod(0o777)
        base = recipe(
            "com.test.Base",
            lifecycle={"startup": f"sleep 0.3; touch {seen}/base", "shutdown": f"rm -f {seen}/base"},
        )
        needs = {"com.test.Base": {"VersionRequirement": ">=1.0.0", "DependencyType": "HARD"}}
        check = f"test -e {seen}/base && echo up >> {seen}/tops; {FOREVER}"
        top = recipe("com.test.Top", lifecycle={"run": check}, dependencies=needs)
        tops = seen / "tops"
        assert await core.apply(top, base) == []
        await until(lambda: tops.exists() and tops.read_text())
        newer = replace(base, version="1.0.1")
        assert await core.apply(top, newer) == []
        await until(lambda: tops.read_text() != "up\n")
        assert tops.read_text() == "up\n" * 2

    with_core(test)


def test_a_soft_dependency_neither_delays_nor_restarts() -> None:
    async def test(core: Core) -> None:
        needs = {"com.test.Libs": {"VersionRequirement": ">=1.0.0", "DependencyType": "SOFT"}}
        top = recipe("com.test.Top", lifecycle={"run": f"echo started; {FOREVER}"}, dependencies=needs)
        libs = recipe("com.test.Libs", lifecycle={"install": "until [ -e go ]; do sleep 0.05; done"})
        applied = asyncio.create_task(core.apply(top, libs))
        await core.board.until(lambda: core.board["com.test.Top"] == State.RUNNING)
        assert core.board["com.test.Libs"] == State.NEW
        (core.work("com.test.Libs") / "go").touch()
        assert await applied == []
        assert await core.apply(top, replace(libs, version="1.0.1")) == []
        await core.heard("com.test.Top", "stdout. started")

    with_core(test)


def test_what_a_deployment_leaves_out_is_stopped_and_what_it_keeps_runs_on() -> None:
    async def test(core: Core) -> None:
        stay = recipe("com.test.Stay", lifecycle={"run": f"echo started; {FOREVER}"})
        polite = "trap 'echo ended > ended; exit 0' TERM; touch listening; " + FOREVER
        go = recipe("com.test.Go", lifecycle={"run": polite})
        await core.apply(stay, go)
        await until((core.work("com.test.Go") / "listening").exists)
        await core.apply(stay)
        assert (core.work("com.test.Go") / "ended").read_text() == "ended\n"
        assert set(core.supervisor.states()) == {"com.test.Stay"}
        await core.heard("com.test.Stay", "stdout. started")

    with_core(test)


def test_a_token_is_worth_nothing_once_its_component_is_gone() -> None:
    async def test(core: Core) -> bytes:
        exchange = recipe("aws.greengrass.TokenExchangeService")
        script = 'echo "$AWS_CONTAINER_AUTHORIZATION_TOKEN" > token; ' + FOREVER
        await core.apply(exchange, recipe("com.test.Sync", lifecycle={"run": script}))
        token_file = core.work("com.test.Sync") / "token"
        await until(lambda: token_file.exists() and token_file.read_text().strip())
        token = token_file.read_text().strip()
        assert (await ask(core.exchange.url, token)).startswith(b"HTTP/1.1 200")
        await core.apply(exchange)
        return await ask(core.exchange.url, token)

    assert with_core(test).startswith(b"HTTP/1.1 403")


async def ask(url: str, token: str) -> bytes:
    address, _, path = url.removeprefix("http://").partition("/")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    writer.write(f"GET /{path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\n\r\n".encode())
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer
