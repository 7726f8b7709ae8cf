"""Configuration, backoff, files, IPC and the ledger's reader."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from edge_components.edgekit import config, files, ipc
from edge_components.edgekit.backoff import Backoff
from edge_components.edgekit.ledger import LedgerReader, LedgerUnavailableError
from edge_components.edgekit.priority import BACKGROUND, background

ROOT = Path(__file__).parents[2]
NOBODY = 65534


@dataclass(frozen=True)
class Settings:
    port: int = config.limits(8080, minimum=1, maximum=65535)
    wait: float = 1.5
    on: bool = False
    name: str | None = None
    folder: Path = Path("/var")
    rates: dict[str, str] = field(default_factory=dict)
    topics: tuple[str, ...] = ()


def test_settings_come_as_texts_from_lite_and_as_floats_from_classic():
    lite = {"port": "9000", "wait": "2.5", "on": "true", "name": "", "folder": "/a", "topics": ["t"]}
    classic = {"port": 9000.0, "wait": 2.5, "on": True, "name": None, "folder": "/a", "topics": ["t"]}
    for found in (lite, classic):
        loaded = config.build(Settings, found)
        assert loaded.settings == Settings(port=9000, wait=2.5, on=True, folder=Path("/a"), topics=("t",))
        assert loaded.problems == ()


@pytest.mark.parametrize(
    ("key", "value", "because"),
    [
        ("port", "70000", "at most 65535"),
        ("port", 0, "at least 1"),
        ("port", 1.5, "whole number"),
        ("port", "many", "must be a number"),
        ("wait", "nan", "finite"),
        ("on", "perhaps", "true or false"),
        ("rates", [], "a table"),
        ("topics", "t", "a list"),
        ("name", {}, "a text"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence_and_the_default_stays(key, value, because):
    loaded = config.build(Settings, {key: value})
    assert loaded.settings == Settings()
    assert len(loaded.problems) == 1
    assert key in loaded.problems[0]
    assert because in loaded.problems[0]


def test_an_unknown_setting_is_reported_but_what_greengrass_reads_is_not():
    assert config.build(Settings, {"accessControl": {}}).problems == ()
    (problem,) = config.build(Settings, {"prot": 1}).problems
    assert "prot" in problem
    assert "port" in problem


def test_configuration_comes_from_the_nucleus_else_from_the_named_file(tmp_path):
    path = tmp_path / "configuration.json"
    path.write_text('{"port": 1}')
    environment = {config.FILE_VARIABLE: str(path)}
    nucleus = SimpleNamespace(configuration=lambda: {"port": 2})
    assert config.read(nucleus, environment) == {"port": 2}
    assert config.read(None, environment) == {"port": 1}
    assert config.read(None, {}) == {}
    path.write_text("[]")
    with pytest.raises(config.ConfigurationError, match="JSON object"):
        config.read(None, environment)


def test_waits_grow_to_the_cap_with_full_jitter_and_begin_anew_after_a_success():
    backoff = Backoff(base=1, cap=8, rng=random.Random(1))  # noqa: S311 - a test that repeats
    ceilings = []
    for _ in range(6):
        ceilings.append(backoff.ceiling)
        assert 0 <= backoff.next() <= ceilings[-1]
    assert ceilings == [1, 2, 4, 8, 8, 8]
    backoff.reset()
    assert backoff.ceiling == 1
    assert len({Backoff(cap=300, base=300).next() for _ in range(20)}) > 10


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "cursor.json"
    files.write_json(path, {"seq": 1})

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_json(path, {"seq": 2})
    monkeypatch.undo()
    assert path.read_text() == '{"seq": 1}\n'
    assert list(tmp_path.iterdir()) == [path]
    files.write_json(path, {"seq": 3})
    assert path.read_text() == '{"seq": 3}\n'


def test_without_a_nucleus_there_is_no_connection_and_one_that_is_dead_is_an_ipc_error(tmp_path):
    assert ipc.connect({}) is None
    dead = {ipc.SOCKET_VARIABLE: str(tmp_path / "no.socket"), ipc.TOKEN_VARIABLE: "t"}
    with pytest.raises(ipc.IpcError, match="does not answer"):
        ipc.connect(dead)


def test_what_a_component_goes_without_is_said_once(caplog):
    degraded = ipc.Degraded(__import__("logging").getLogger("test"))
    for _ in range(3):
        degraded.say("readers poll", ipc.IpcError("PublishToTopic failed"))
    assert [entry.message for entry in caplog.records] == ["readers poll: PublishToTopic failed"]


@pytest.mark.parametrize("module", ["record", "keys", "money"])
def test_the_format_imports_only_the_standard_library(module):
    script = (
        f"import edge_components.edgekit.{module};"
        "known = (*sys.stdlib_module_names, 'edge_components');"
        "print([name for name in sys.modules if name.partition('.')[0] not in known])"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {script}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert found.stdout.strip() in ("['__main__']", "[]")


SCHEMA = """
CREATE TABLE records(epoch TEXT, seq INTEGER, kind TEXT, sale_id TEXT, receipt_no TEXT, business_date TEXT,
    recorded_at TEXT, hash TEXT, record TEXT, PRIMARY KEY(epoch, seq)) WITHOUT ROWID;
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT);
INSERT INTO meta VALUES('thing', 'greentill-X');
"""


@pytest.fixture
def ledger(tmp_path) -> Iterator[apsw.Connection]:
    tmp_path.chmod(0o755)
    connection = apsw.Connection(str(tmp_path / "ledger.db"))
    connection.pragma("journal_mode", "wal")
    connection.execute(SCHEMA)
    yield connection
    connection.close(force=True)


def fill(connection, epoch, count):
    rows = [(epoch, seq, f"hash{seq}") for seq in range(1, count + 1)]
    with connection:
        connection.executemany(
            "INSERT INTO records VALUES(?, ?, 'sale', NULL, NULL, 'd', 't', ?, '{}')", rows
        )


def test_a_reader_pages_through_epochs_in_order_at_most_500_at_a_time(ledger, tmp_path):
    fill(ledger, "b" * 16, 3)
    fill(ledger, "a" * 16, 1_203)
    with LedgerReader(tmp_path / "ledger.db") as reader:
        seen, sizes, position = [], [], ("", 0)
        while rows := reader.after(*position, limit=100_000):
            sizes.append(len(rows))
            seen += [(row.epoch, row.seq) for row in rows]
            position = seen[-1]
        assert sizes == [500, 500, 206]
        assert seen == [("a" * 16, seq) for seq in range(1, 1_204)] + [("b" * 16, seq) for seq in (1, 2, 3)]
        assert [(head.epoch, head.seq, head.hash) for head in reader.heads()] == [
            ("a" * 16, 1_203, "hash1203"),
            ("b" * 16, 3, "hash3"),
        ]
        assert reader.meta("thing") == "greentill-X"


def test_a_reader_cannot_write_and_holds_no_transaction_that_would_let_the_wal_grow(ledger, tmp_path):
    fill(ledger, "a" * 16, 700)
    with LedgerReader(tmp_path / "ledger.db") as reader:
        assert len(reader.after("", 0)) == 500
        busy_log_done = ledger.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        assert busy_log_done == (0, 0)
        with pytest.raises(LedgerUnavailableError, match="readonly"):
            reader._all("DELETE FROM records", ())


def test_a_user_who_may_not_write_can_read_what_is_still_in_the_wal(ledger, tmp_path):
    fill(ledger, "a" * 16, 5)
    for path in (tmp_path, *tmp_path.parents):
        if path.stat().st_uid == os.geteuid() and path != Path("/") and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o055)
    (tmp_path / "ledger.db-shm").chmod(0o644)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        with LedgerReader(tmp_path / "ledger.db") as reader:
            assert len(reader.after("", 0)) == 5
    finally:
        os.seteuid(user)


def test_a_ledger_that_is_not_there_yet_can_be_asked_again(tmp_path):
    reader = LedgerReader(tmp_path / "ledger.db")
    with pytest.raises(LedgerUnavailableError):
        reader.heads()
    connection = apsw.Connection(str(tmp_path / "ledger.db"))
    with pytest.raises(LedgerUnavailableError):
        reader.heads()
    connection.execute(SCHEMA)
    assert reader.heads() == []
    connection.close()
    reader.close()


def test_a_reader_follows_to_the_ledger_that_took_the_place_of_one_set_aside(ledger, tmp_path):
    fill(ledger, "a" * 16, 5)
    reader = LedgerReader(tmp_path / "ledger.db")
    assert reader.heads()[0].seq == 5
    ledger.close()
    for path in list(tmp_path.glob("ledger.db*")):
        path.rename(tmp_path / f"old-{path.name}")
    connection = apsw.Connection(str(tmp_path / "ledger.db"))
    connection.execute(SCHEMA)
    fill(connection, "b" * 16, 2)
    assert [head.epoch for head in reader.heads()] == ["b" * 16]
    connection.close()
    reader.close()


def test_who_runs_behind_selling_takes_its_threads_along_and_goes_nowhere_ahead_of_what_it_was_told():
    script = """if True:
        import os, threading
        from edge_components.edgekit.priority import background
        os.nice({told})
        background()
        background()
        seen = []
        thread = threading.Thread(target=lambda: seen.append(os.nice(0)))
        thread.start()
        thread.join()
        print(os.nice(0), *seen)
    """
    here = os.getpriority(os.PRIO_PROCESS, 0)  # whoever runs the tests may have lowered them
    for told in (0, 5, 15):
        lowered = max(BACKGROUND, min(19, here + told))
        argv = [sys.executable, "-c", script.format(told=told)]
        assert subprocess.check_output(argv, cwd=ROOT, text=True).split() == [str(lowered)] * 2


def test_work_goes_on_where_nobody_may_say_that_selling_goes_first(monkeypatch, caplog):
    def forbidden(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setpriority", forbidden)
    background()
    assert "Operation not permitted" in caplog.text
