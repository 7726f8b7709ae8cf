"""fleet.toml and releases/: what is wrong is refused with key, value and what is allowed."""

import json
from pathlib import Path

import pytest

from infra.settings import SettingsError, load

REPOSITORY = Path(__file__).parents[2]

GOOD = """
[fleet]
name = "greentill"
region = "eu-west-1"
[stores.ST-367]
name = "Main Street"
time_zone = "America/New_York"
currency = "USD"
[stages.dev]
nucleus = "classic"
[stages.dev.configuration.Sync]
segment_seconds = "5"
"""


def written(root: Path, text: str, release: object = None) -> Path:
    (root / "fleet.toml").write_text(text)
    (root / "releases").mkdir(exist_ok=True)
    document = {"components": {}} if release is None else release
    (root / "releases" / "dev.json").write_text(json.dumps(document))
    return root


def refused(root: Path) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        load(root)
    return caught.value


def test_the_fleet_in_this_repository_loads() -> None:
    settings = load(REPOSITORY)
    assert settings.stages["dev"].configuration["Sync"]["segment_seconds"] == "5"
    assert {settings.stores[store].currency_exponent for store in ("ST-367", "ST-406")} == {2}


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    store = load(written(tmp_path, GOOD)).stores["ST-367"]
    assert (store.day_starts, store.prices_include_tax, store.locale) == ("04:00", False, "en-US")


def test_settings_can_not_be_changed_after_loading(tmp_path: Path) -> None:
    settings = load(written(tmp_path, GOOD))
    with pytest.raises(TypeError):
        settings.stores["ST-1"] = settings.stores["ST-367"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("old", "new", "key", "hint"),
    [
        ('region = "eu-west-1"', 'regoin = "eu-west-1"', "fleet.regoin", "did you mean region?"),
        ('"America/New_York"', '"America/New_Yrok"', "stores.ST-367.time_zone", "America/New_York?"),
        ('"America/New_York"', '"EST5PDT9"', "stores.ST-367.time_zone", "IANA"),
        ('"USD"', '"UDS"', "stores.ST-367.currency", "an ISO 4217 currency"),
        ('"USD"', "840", "stores.ST-367.currency", "ISO 4217"),
        ('"greentill"', '"green-till"', "fleet.name", "lower-case letters and digits"),
        ('"eu-west-1"', '"Ireland"', "fleet.region", "eu-west-1"),
        ('"classic"', '"clasic"', "stages.dev.nucleus", "did you mean classic?"),
        ("[stores.ST-367]", '[stores."ST 367"]', "stores.ST 367", "names matching"),
        ("[stages.dev]", "[stages.DEV]", "stages", "names matching"),
        ("segment_seconds", "nested = {ratio = 0.5}\nsegment_seconds", "Sync.nested.ratio", "whole number"),
        ("[stages.dev.configuration.Sync]", "[stages.dev.configuration.sync]", "configuration.sync", "names"),
        ('name = "Main Street"', 'name = "  "', "stores.ST-367.name", "the store's name"),
        ("[fleet]", "[flete]", "flete", "did you mean fleet?"),
        ("[fleet]", "keep = 1\n[fleet]", "keep", "only the keys"),
        ('currency = "USD"', 'currency = "USD"\nday_starts = "24:00"', "day_starts", "00:00 to 23:59"),
        ('currency = "USD"', 'currency = "USD"\nprices_include_tax = "yes"', "include_tax", "true or false"),
        ('currency = "USD"', "", "stores.ST-367.currency", "is missing"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(
    tmp_path: Path, old: str, new: str, key: str, hint: str
) -> None:
    assert old in GOOD
    error = refused(written(tmp_path, GOOD.replace(old, new, 1)))
    assert key in str(error)
    assert hint in str(error)
    assert error.allowed


@pytest.mark.parametrize(
    ("till", "hint"),
    [
        ('[tills.AB1]\nstore = "ST-367"\nstage = "dev"', "names matching"),
        ('[tills.LOBBY0001]\nstore = "ST-376"\nstage = "dev"', "did you mean ST-367?"),
        ('[tills.LOBBY0001]\nstore = "ST-367"\nstage = "prod"', "allowed: dev"),
        ('[tills.LOBBY0001]\nstore = "ST-367"\nstage = "dev"\nterminals = ["T1", "T1"]', "each once"),
        ('[tills.LOBBY0001]\nstore = "ST-367"\nstage = "dev"\nterminals = []', "each once"),
    ],
)
def test_a_till_belongs_to_a_known_store_and_stage(tmp_path: Path, till: str, hint: str) -> None:
    assert hint in str(refused(written(tmp_path, f"{GOOD}\n{till}\n")))


def test_more_than_fifty_tills_are_sent_to_kits(tmp_path: Path) -> None:
    tills = "".join(f'[tills.TILL{n:04}]\nstore = "ST-367"\nstage = "dev"\n' for n in range(51))
    assert "greentill till kit" in str(refused(written(tmp_path, GOOD + tills)))


@pytest.mark.parametrize(
    ("pinned", "hint"),
    [
        ({"version": "1.0", "digest": "sha256:" + "0" * 64}, "a version such as 1.0.0"),
        ({"version": "1.0.0", "digest": "0" * 64}, "sha256:"),
        ({"version": "1.0.0"}, "digest"),
        ({"version": "1.0.0", "digest": "sha256:" + "0" * 64, "urgent": True}, "only the keys"),
    ],
)
def test_a_release_pins_version_and_digest(tmp_path: Path, pinned: dict[str, object], hint: str) -> None:
    error = refused(written(tmp_path, GOOD, {"components": {"Sync": pinned}}))
    assert "releases/dev.json" in str(error)
    assert hint in str(error)


def test_a_stage_configures_only_what_it_runs(tmp_path: Path) -> None:
    release = {"components": {"Synch": {"version": "1.0.0", "digest": "sha256:" + "0" * 64}}}
    assert "did you mean Synch?" in str(refused(written(tmp_path, GOOD, release)))


def test_a_release_of_an_unknown_stage_is_refused(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    (tmp_path / "releases" / "dve.json").write_text('{"components": {}}')
    assert "did you mean dev?" in str(refused(tmp_path))


def test_a_stage_without_a_release_file_is_refused(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    (tmp_path / "releases" / "dev.json").unlink()
    assert "dev.json" in str(refused(tmp_path))


def test_broken_toml_is_reported_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in str(refused(written(tmp_path, "[fleet]\nname = \n")))


@pytest.mark.parametrize("nonsense", ["x = " + "[" * 5000, "x = " + "9" * 5000, "\ufeff" * 3, "\0"])
def test_nonsense_is_one_sentence(tmp_path: Path, nonsense: str) -> None:
    assert "well-formed TOML" in str(refused(written(tmp_path, nonsense)))


@pytest.mark.parametrize("nonsense", ["[" * 100_000, "9" * 5000, '{"components":{"\\ud800":{}}}'])
def test_a_release_of_nonsense_is_one_sentence_that_can_be_printed(tmp_path: Path, nonsense: str) -> None:
    root = written(tmp_path, GOOD)
    (root / "releases" / "dev.json").write_text(nonsense)
    assert "allowed" in str(refused(root)).encode().decode()


def test_a_folder_in_the_place_of_a_file_is_one_sentence(tmp_path: Path) -> None:
    root = written(tmp_path, GOOD)
    (root / "fleet.toml").unlink()
    (root / "fleet.toml").mkdir()
    assert "Is a directory" in str(refused(root))
