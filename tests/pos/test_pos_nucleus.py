"""The till beside a nucleus: the real process, the real SDK, a socket that speaks Greengrass IPC."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from edge_components.edgekit import ipc
from edge_components.pos.nucleus import WAKE_TOPIC
from tests.core.core_under_test import Core, with_core
from tests.pos.pos_process import Pos, free_port, sale
from tests.waiting import wait_for

POS = "com.greentill.Pos"
READER = "com.test.Reader"
PUBSUB = "aws.greengrass.ipc.pubsub"
RECIPE = Path(__file__).parents[2] / "edge_components/pos/recipe.json"


def recipe_defaults() -> dict[str, object]:
    """What the recipe configures and asks for, access control included."""
    text = RECIPE.read_text(encoding="utf-8").replace("@FLEET@", "greentill")
    found: dict[str, object] = json.loads(text)["ComponentConfiguration"]["DefaultConfiguration"]
    return found


@pytest.fixture
def beside_core(pos: Pos, monkeypatch: pytest.MonkeyPatch):
    """Run a test while a core serves IPC, with pos configured through it and not through a file."""

    def run(test) -> None:
        def body(core: Core) -> None:
            path = str(core.ipc.path)
            port = free_port()  # the file names another one: only the nucleus knows this
            core.state.set_configuration(POS, {**recipe_defaults(), **pos.configuration, "port": port})
            pos.client.base_url = f"http://127.0.0.1:{port}"
            rights = {"operations": ["aws.greengrass#SubscribeToTopic"], "resources": [WAKE_TOPIC]}
            core.state.set_configuration(READER, {"accessControl": {PUBSUB: {"one": rights}}})
            core.ipc.admit("pos-token", POS)
            core.ipc.admit("reader-token", READER)
            monkeypatch.setenv(ipc.SOCKET_VARIABLE, path)
            monkeypatch.setenv(ipc.TOKEN_VARIABLE, "pos-token")
            reader = ipc.connect({ipc.SOCKET_VARIABLE: path, ipc.TOKEN_VARIABLE: "reader-token"})
            assert reader is not None
            pos.assign()
            try:
                test(core, reader)
            finally:
                reader.close()
                pos.kill()

        with_core(lambda core: asyncio.to_thread(body, core))

    return run


def test_a_commit_wakes_the_readers_with_the_rights_that_the_recipe_asks_for(pos, beside_core):
    def test(_core: Core, reader: ipc.Ipc) -> None:
        heard = threading.Event()
        reader.subscribe_local(WAKE_TOPIC, heard.set, lambda: None)
        pos.start()
        assert heard.wait(120)  # for what an earlier process may have left
        heard.clear()
        assert pos.sell(sale()).status_code == 201
        assert heard.wait(120)

    beside_core(test)


def test_an_update_waits_for_a_quiet_moment(pos, beside_core):
    pos.configuration["quiet_seconds"] = "600"

    def test(core: Core, reader: ipc.Ipc) -> None:
        woken = threading.Event()
        reader.subscribe_local(WAKE_TOPIC, woken.set, lambda: None)
        pos.start()
        assert woken.wait(120)  # pos has subscribed to updates before it wakes anyone
        assert wanted_wait(core) == 0
        pos.sell(sale())
        assert wanted_wait(core) > 500_000
        before = core.state.configuration(POS)
        core.state.set_configuration(POS, {**before, "quiet_seconds": "0"})
        core.loop.call_soon_threadsafe(core.operations.configuration_changed, POS, ["quiet_seconds"])
        wait_for(lambda: wanted_wait(core) == 0, pos.log)

    beside_core(test)


def test_rules_that_a_deployment_changes_hold_without_a_restart(pos, beside_core):
    def test(core: Core, _reader: ipc.Ipc) -> None:
        pos.start()
        before = core.state.configuration(POS)
        core.state.set_configuration(POS, {**before, "rules": {"max_total": "2.00"}})
        core.loop.call_soon_threadsafe(core.operations.configuration_changed, POS, ["rules", "max_total"])
        pause = threading.Event()
        for _ in range(2_400):
            exceptions = pos.sell(sale()).json()["exceptions"]
            if exceptions:
                break
            pause.wait(0.05)
        assert [one["code"] for one in exceptions] == ["total_too_high"]

    beside_core(test)


def wanted_wait(core: Core) -> float:
    """How many milliseconds pos asks a deployment to wait."""

    async def ask() -> None:
        core.updates.ask("a-deployment", {POS})

    asyncio.run_coroutine_threadsafe(ask(), core.loop).result(120)
    pause = threading.Event()
    for _ in range(2_400):
        if POS in (answers := core.updates.answers()):
            return answers[POS]
        pause.wait(0.05)
    raise AssertionError("pos did not answer")
