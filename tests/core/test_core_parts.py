"""Frames, access control, configuration, recipes, artifacts: each by itself."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import pwd
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.core.core_under_test import access, recipe, recipe_text, short_folder
from twin.core.greentill_core import artifacts, configuration, frames, storage, users
from twin.core.greentill_core.access import allowed, topic_matches
from twin.core.greentill_core.errors import CoreError, DeploymentError
from twin.core.greentill_core.frames import Flags, Frame, FrameError, MessageType
from twin.core.greentill_core.recipes import parse
from twin.core.greentill_core.variables import Folders

PUBSUB = "aws.greengrass.ipc.pubsub"


def test_a_frame_is_laid_out_as_the_event_stream_encoding_says() -> None:
    data = frames.encode(Frame(MessageType.PING, payload=b"hi"))
    total, headers = struct.unpack(">II", data[:8])
    assert total == len(data)
    assert struct.unpack(">I", data[8:12])[0] == zlib.crc32(data[:8])
    assert struct.unpack(">I", data[-4:])[0] == zlib.crc32(data[:-4])
    assert data[12 + headers : -4] == b"hi"


def test_a_frame_survives_the_way_there_and_back() -> None:
    frame = Frame(
        MessageType.APPLICATION_MESSAGE,
        7,
        Flags.TERMINATE_STREAM,
        {"a": "text", "b": b"\x00", "c": True, "d": 5},
    )
    assert frames.decode(frames.encode(frame)) == frame


@pytest.mark.parametrize("position", [2, 9, 20, -6, -1])
def test_a_flipped_bit_anywhere_is_noticed(position: int) -> None:
    data = bytearray(frames.encode(Frame(MessageType.PING, payload=b"payload", headers={"name": "value"})))
    data[position] ^= 4
    with pytest.raises(FrameError):
        frames.decode(bytes(data))


def test_a_policy_allows_its_operations_on_its_resources_and_nothing_else() -> None:
    rights = access(PUBSUB, "PublishToTopic", "greentill/*/sales")
    assert allowed(rights, PUBSUB, "aws.greengrass#PublishToTopic", "greentill/a/b/sales")
    assert not allowed(rights, PUBSUB, "aws.greengrass#PublishToTopic", "greentill/a/refunds")
    assert not allowed(rights, PUBSUB, "aws.greengrass#SubscribeToTopic", "greentill/a/sales")
    assert not allowed(
        rights, "aws.greengrass.ipc.mqttproxy", "aws.greengrass#PublishToTopic", "greentill/a/sales"
    )
    assert not allowed({}, PUBSUB, "aws.greengrass#PublishToTopic", "greentill/a/sales")


def test_a_malformed_policy_gives_no_rights() -> None:
    malformed: list[Any] = ["all", {PUBSUB: ["all"]}, {PUBSUB: {"one": "all"}}, {PUBSUB: {"one": {}}}]
    for broken in malformed:
        assert not allowed({"accessControl": broken}, PUBSUB, "aws.greengrass#PublishToTopic", "x")


@pytest.mark.parametrize(
    ("topic_filter", "topic", "matches"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/d/c", False),
        ("a/#", "a", True),
        ("a/#", "a/b/c", True),
        ("#", "$aws/things", False),
        ("a/b", "a/b/c", False),
    ],
)
def test_topic_filters_follow_mqtt(topic_filter: str, topic: str, matches: bool) -> None:
    assert topic_matches(topic_filter, topic) is matches


def test_what_the_till_has_beats_new_defaults_and_new_keys_arrive() -> None:
    have = {"port": "9090", "accessControl": {"old": {}}}
    defaults = {"port": "8080", "fresh": "yes", "accessControl": {"old": {"x": 1}}}
    became = configuration.updated(have, defaults, None)
    assert became["port"] == "9090"
    assert became["fresh"] == "yes"


def test_reset_runs_before_merge_and_takes_the_default_or_nothing() -> None:
    have = {"a": {"b": "mine", "c": "mine"}, "extra": 1, "list": [1, 2]}
    defaults = {"a": {"b": "default", "c": "default"}, "list": [0]}
    update = {"reset": ["/a/b", "/extra"], "merge": {"a": {"c": "merged"}, "list": [9]}}
    assert configuration.updated(have, defaults, update) == {
        "a": {"b": "default", "c": "merged"},
        "list": [9],
    }


def test_resetting_the_whole_configuration_gives_the_defaults() -> None:
    assert configuration.updated({"x": 1, "y": 2}, {"x": 0}, {"reset": [""]}) == {"x": 0}


def test_the_first_manifest_that_fits_this_platform_is_taken() -> None:
    document = recipe_text("com.test.Many")
    document["Manifests"] = [
        {"Platform": {"os": "windows"}, "Lifecycle": {"run": "no"}},
        {"Platform": {"os": "linux", "architecture": "sparc"}, "Lifecycle": {"run": "no"}},
        {"Platform": {"os": "linux", "runtime": "aws_nucleus_lite"}, "Lifecycle": {"run": "no"}},
        {"Platform": {"os": "linux", "runtime": "*"}, "Lifecycle": {"run": "yes"}},
        {"Lifecycle": {"run": "no"}},
    ]
    assert parse(json.dumps(document)).steps["run"].script == "yes"


def test_a_recipe_for_another_platform_is_refused_by_name() -> None:
    document = recipe_text("com.test.Other")
    document["Manifests"] = [{"Platform": {"os": "darwin"}}]
    with pytest.raises(DeploymentError, match=r"com\.test\.Other has no manifest"):
        parse(json.dumps(document))


def test_steps_but_run_time_out_after_120_seconds_unless_told_otherwise() -> None:
    steps = recipe(
        "com.test.Time",
        lifecycle={"install": "true", "run": "true", "shutdown": {"Script": "x", "Timeout": 7}},
    ).steps
    assert (steps["install"].timeout, steps["run"].timeout, steps["shutdown"].timeout) == (120.0, None, 7.0)


def digest(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def archive(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name, text in files.items():
            packed.writestr(name.replace("__", "/"), text)
    return made.getvalue()


def place(root: Path, data: bytes, **entry: Any) -> tuple[Path, Path]:
    """Put one artifact in place; its file and the folder it is unpacked to."""
    given = {
        "Uri": "s3://bucket/components/x/app.zip",
        "Digest": digest(data),
        "Algorithm": "SHA-256",
        **entry,
    }
    one = recipe("com.test.Art", artifacts=[given])
    folders = Folders(root)
    artifacts.ensure(one, folders, lambda _artifact: data)
    work = folders.work(one.name)
    work.mkdir(parents=True, exist_ok=True)
    users.give(users.find("nobody:nogroup"), work, folders.packages(one.name, one.version))
    name = given["Uri"].rpartition("/")[2]
    return folders.artifacts(one.name, one.version) / name, folders.unarchived(one.name, one.version) / Path(
        name
    ).stem


def can(user: str, path: Path, how: str) -> bool:
    """Whether a process of that user may read (-r) or execute (-x) the file, really."""
    entry = pwd.getpwnam(user)
    test = ["test", how, str(path)]
    done = subprocess.run(test, user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], check=False)
    return done.returncode == 0


def test_artifacts_are_the_components_to_read_and_nobodys_to_execute_by_default() -> None:
    with short_folder() as root:
        path, _ = place(root, b"data", Uri="s3://bucket/a/run.sh")
        assert can("nobody", path, "-r")
        assert not can("nobody", path, "-x")
        assert not can("daemon", path, "-r")
        assert not can("nobody", path.parent, "-w")


def test_read_and_execute_all_are_everyones() -> None:
    with short_folder() as root:
        permission = {"Read": "ALL", "Execute": "ALL"}
        path, _ = place(root, b"#!/bin/sh\n", Uri="s3://bucket/a/run.sh", Permission=permission)
        assert can("daemon", path, "-r")
        assert can("daemon", path, "-x")


def test_read_none_leaves_only_the_user_and_execute_brings_read_with_it() -> None:
    with short_folder() as root:
        none, _ = place(root, b"data", Uri="s3://bucket/a/x", Permission={"Read": "NONE", "Execute": "NONE"})
        assert none.stat().st_mode & 0o777 == 0o400
        run, _ = place(root, b"data", Uri="s3://bucket/a/y", Permission={"Read": "NONE", "Execute": "OWNER"})
        assert run.stat().st_mode & 0o777 == 0o550


def test_a_zip_is_unpacked_under_the_same_permissions() -> None:
    with short_folder() as root:
        data = archive(launcher_py="print()", edge__pos__main="x")
        _, unpacked = place(root, data, Unarchive="ZIP", Permission={"Read": "ALL"})
        assert (unpacked / "launcher_py").read_text() == "print()"
        assert can("daemon", unpacked / "edge" / "pos" / "main", "-r")
        assert not can("daemon", unpacked / "edge" / "pos" / "main", "-x")
        assert not can("nobody", unpacked / "edge", "-w")


def test_an_artifact_with_another_digest_never_lands_on_disk() -> None:
    with short_folder() as root:
        with pytest.raises(DeploymentError, match="ARTIFACT_CHECKSUM_MISMATCH"):
            place(root, b"changed", Digest=digest(b"original"))
        assert not list(root.rglob("app.zip"))


def test_an_artifact_that_is_there_already_is_not_fetched_again_but_a_damaged_one_is() -> None:
    with short_folder() as root:
        path, _ = place(root, b"data", Uri="s3://bucket/a/x")

        def refuse(_artifact: Any) -> bytes:
            raise AssertionError("fetched")

        given = {"Uri": "s3://bucket/a/x", "Digest": digest(b"data")}
        one = recipe("com.test.Art", artifacts=[given])
        artifacts.ensure(one, Folders(root), refuse)
        path.write_bytes(b"damaged")
        artifacts.ensure(one, Folders(root), lambda _artifact: b"data")
        assert path.read_bytes() == b"data"


def test_a_zip_that_reaches_outside_its_folder_is_refused() -> None:
    with short_folder() as root:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as packed:
            packed.writestr("../escaped", "x")
        with pytest.raises(DeploymentError, match="outside"):
            place(root, made.getvalue(), Unarchive="ZIP")
        assert not list(root.rglob("escaped"))


def test_a_file_is_whole_or_as_it_was_and_private_from_the_start(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    storage.write_json(path, {"a": 1})
    (tmp_path / "state.json.new").write_text("half of some")  # a power cut left it
    storage.write_json(path, {"a": 2})
    assert storage.read_json(path, None) == {"a": 2}
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["state.json"]  # noqa: PTH208 - the names are the point


def test_a_damaged_state_is_told_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("{half")
    with pytest.raises(CoreError, match=r"state\.json can't be read"):
        storage.read_json(path, {})
