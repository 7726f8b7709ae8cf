"""What other components leave in the outbox reaches the bucket, and is taken away only then."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from edge_components.edgekit.files import write_json
from edge_components.sync.outbox import LARGEST_BYTES, Outbox
from tests.sync.till import Till


@pytest.fixture
def outbox(till: Till) -> Path:
    folder = till.settings.outbox
    folder.mkdir(parents=True)
    return folder


def leave(folder: Path, name: str, value: object, age: int = 0) -> Path:
    path = folder / name
    write_json(path, value)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - age * 1_000_000_000))
    return path


def in_bucket(till: Till) -> dict[str, bytes]:
    s3 = till.client("s3")
    bucket = till.settings.sales_bucket
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"outbox/till={till.settings.thing}/").get(
        "Contents", []
    )
    return {
        one["Key"].rpartition("/")[2]: s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
        for one in found
    }


def test_the_oldest_file_goes_first_and_is_taken_away_once_it_is_there(till: Till, outbox: Path) -> None:
    leave(outbox, "new.json", {"n": 2})
    leave(outbox, "old.json", {"n": 1}, age=60)
    duty = Outbox(till.settings, till.cloud)
    assert duty.step() is True
    assert in_bucket(till) == {"old.json": b'{"n": 1}\n'}
    assert [path.name for path in outbox.iterdir()] == ["new.json"]
    assert duty.step() is True
    assert duty.step() is False
    assert set(in_bucket(till)) == {"old.json", "new.json"}
    assert list(outbox.iterdir()) == []


def test_a_file_that_was_not_acknowledged_stays_and_comes_again(
    till: Till, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(outbox, "one.json", {"n": 1})
    duty = Outbox(till.settings, till.cloud)
    real = till.cloud.s3.put_object

    def lost(**request: Any) -> None:
        real(**request)
        raise ConnectionResetError("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(till.cloud.s3, "put_object", lost)
        with pytest.raises(ConnectionResetError):
            duty.step()
    assert (outbox / "one.json").exists()
    assert duty.step() is True
    assert in_bucket(till) == {"one.json": b'{"n": 1}\n'}
    assert list(outbox.iterdir()) == []


def test_a_file_that_is_written_anew_meanwhile_is_not_taken_away(
    till: Till, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(outbox, "one.json", {"n": 1})
    real = till.cloud.s3.put_object

    def meanwhile(**request: Any) -> None:
        real(**request)
        leave(outbox, "one.json", {"n": 2})

    duty = Outbox(till.settings, till.cloud)
    with monkeypatch.context() as patch:
        patch.setattr(till.cloud.s3, "put_object", meanwhile)
        duty.step()
    assert (outbox / "one.json").exists()
    duty.step()
    assert in_bucket(till) == {"one.json": b'{"n": 2}\n'}


def test_what_is_no_message_stays_and_holds_nothing_up(
    till: Till, outbox: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (outbox / "large.json").write_bytes(b"x" * (LARGEST_BYTES + 1))
    (outbox / ".half.json").write_text("{")
    (outbox / "odd name.json").write_text("{}")
    (outbox / "link.json").symlink_to("/etc/hostname")
    leave(outbox, "good.json", {})
    duty = Outbox(till.settings, till.cloud)
    while duty.step():
        pass
    assert set(in_bucket(till)) == {"good.json"}
    assert len(list(outbox.iterdir())) == 4
    assert caplog.text.count("large.json") == 1


def test_without_an_outbox_there_is_nothing_to_do(till: Till) -> None:
    assert Outbox(till.settings, till.cloud).step() is False


def refusing(monkeypatch: pytest.MonkeyPatch, method: str, name: str) -> None:
    """As for a file of another user's, in a folder of theirs (the tests' own user may be root)."""
    real = getattr(Path, method)

    def refuse(path: Path, *rest: Any, **more: Any) -> Any:
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *rest, **more)

    monkeypatch.setattr(Path, method, refuse)


def test_a_file_that_cannot_be_read_holds_nothing_up_and_goes_once_it_can(
    till: Till, outbox: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    closed = leave(outbox, "closed.json", {"n": 1}, age=60)
    leave(outbox, "open.json", {"n": 2})
    duty = Outbox(till.settings, till.cloud)
    with monkeypatch.context() as patch:
        refusing(patch, "read_bytes", "closed.json")
        for _ in range(3):
            while duty.step():
                pass
    assert set(in_bucket(till)) == {"open.json"}
    assert caplog.text.count("closed.json can't be read") == 1
    closed.chmod(0o640)
    while duty.step():
        pass
    assert set(in_bucket(till)) == {"open.json", "closed.json"}


def test_a_file_that_cannot_be_taken_away_is_sent_once_and_holds_nothing_up(
    till: Till, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(outbox, "kept.json", {"n": 1}, age=60)
    leave(outbox, "new.json", {"n": 2})
    sent: list[str] = []
    real = till.cloud.s3.put_object

    def put(**request: Any) -> None:
        sent.append(request["Key"])
        real(**request)

    monkeypatch.setattr(till.cloud.s3, "put_object", put)
    refusing(monkeypatch, "unlink", "kept.json")
    duty = Outbox(till.settings, till.cloud)
    for _ in range(3):
        while duty.step():
            pass
    assert [key.rpartition("/")[2] for key in sent] == ["kept.json", "new.json"]
    assert [path.name for path in outbox.iterdir()] == ["kept.json"]


def test_thousands_of_files_are_looked_for_once_and_not_for_each(
    till: Till, outbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(300):
        (outbox / f"{number:03}.json").write_text("{}")
    looks: list[str] = []
    real = Path.glob

    def look(path: Path, pattern: str) -> Any:
        looks.append(pattern)
        return real(path, pattern)

    monkeypatch.setattr(Path, "glob", look)
    duty = Outbox(till.settings, till.cloud)
    while duty.step():
        pass
    assert len(in_bucket(till)) == 300
    assert len(looks) == 2  # the second finds nothing
