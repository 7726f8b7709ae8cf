"""fleet.toml and releases/ as frozen, validated settings.

The CDK app, kits and releases all read them here; nothing else parses those files. No network, no AWS
library.
"""

import json
import re
import tomllib
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from infra import names
from infra.currencies import EXPONENTS
from infra.errors import SettingsError, near_miss
from infra.tables import Configuration, Table

__all__ = ["Fleet", "Pinned", "Release", "Settings", "SettingsError", "Stage", "Store", "Till", "load"]

FLEET_KEYS = ("name", "region", "keep_sales_on_destroy", "rotate_after_days")
MOST_TILLS = 50  # beyond that a fleet provisions by claim; a template must not grow with its tills
NUCLEI = ("classic", "lite")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
VERSION = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(-(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?"
)


@dataclass(frozen=True)
class Fleet:
    name: str
    region: str
    keep_sales_on_destroy: bool
    rotate_after_days: int | None = None  # None: a till's certificate is replaced when it expires soon


@dataclass(frozen=True)
class Store:
    """`day_starts` is HH:MM in `time_zone` (IANA); amounts have `currency_exponent` decimal places."""

    id: str
    name: str
    time_zone: str
    currency: str
    day_starts: str
    prices_include_tax: bool
    locale: str

    @property
    def currency_exponent(self) -> int:
        return EXPONENTS[self.currency]


@dataclass(frozen=True)
class Stage:
    """`configuration` maps a component's short name to what is merged over its recipe's defaults."""

    name: str
    nucleus: str
    configuration: Mapping[str, Configuration]


@dataclass(frozen=True)
class Till:
    serial: str
    store: str
    stage: str
    terminals: tuple[str, ...]


@dataclass(frozen=True)
class Pinned:
    """An exact build of a component: semantic version, and the digest of recipe and artifacts."""

    version: str
    digest: str


@dataclass(frozen=True)
class Release:
    stage: str
    components: Mapping[str, Pinned]


@dataclass(frozen=True)
class Settings:
    fleet: Fleet
    stores: Mapping[str, Store]
    stages: Mapping[str, Stage]
    tills: Mapping[str, Till]
    releases: Mapping[str, Release]


def load(root: Path) -> Settings:
    """The settings of the clone at `root`. Raises SettingsError, whose text says what to change."""
    top = Table("fleet.toml: ", _parsed(root / "fleet.toml"), keys=("fleet", "stores", "stages", "tills"))
    stages_table = top.table("stages", required=True)
    if not len(stages_table):
        raise SettingsError(top.name("stages"), {}, "at least one stage, such as [stages.dev]")
    stage_names = [name for name, _ in stages_table.tables(names.STAGE, keys=None)]
    releases = _releases(root / "releases", stage_names)
    stores = _stores(top.table("stores", required=True))
    return Settings(
        fleet=_fleet(top.table("fleet", keys=FLEET_KEYS, required=True)),
        stores=MappingProxyType(stores),
        stages=MappingProxyType(_stages(stages_table, releases)),
        tills=MappingProxyType(_tills(top.table("tills"), stores, stage_names)),
        releases=MappingProxyType(releases),
    )


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except FileNotFoundError as error:
        raise SettingsError(path.name, None, f"a file at {path}") from error
    except OSError as error:
        raise SettingsError(path.name, error.strerror, f"a file that can be read, at {path}") from error
    except (ValueError, RecursionError) as error:  # not TOML or JSON, not UTF-8, too long a number, too deep
        raise SettingsError(path.name, str(error), f"well-formed {path.suffix[1:].upper()}") from error


def _fleet(table: Table) -> Fleet:
    return Fleet(
        name=table.text(
            "name", pattern=names.FLEET, allowed="3 to 20 lower-case letters and digits, a letter first"
        ),
        region=table.text("region", pattern=REGION, allowed="an AWS Region such as eu-west-1"),
        keep_sales_on_destroy=table.boolean("keep_sales_on_destroy", default=False),
        rotate_after_days=table.days("rotate_after_days"),
    )


def _stores(table: Table) -> dict[str, Store]:
    fields = ("name", "time_zone", "currency", "day_starts", "prices_include_tax", "locale")
    zones = zoneinfo.available_timezones()
    return {
        store: Store(
            id=store,
            name=values.text("name", allowed="the store's name"),
            time_zone=values.choice("time_zone", zones, allowed="an IANA time zone such as America/New_York"),
            currency=values.choice("currency", EXPONENTS, allowed="an ISO 4217 currency such as USD"),
            day_starts=values.text(
                "day_starts", pattern=TIME_OF_DAY, allowed="a time of day, 00:00 to 23:59", default="04:00"
            ),
            prices_include_tax=values.boolean("prices_include_tax", default=False),
            locale=values.text("locale", pattern=LOCALE, allowed="a locale such as en-US", default="en-US"),
        )
        for store, values in table.tables(names.STORE, keys=fields)
    }


def _stages(table: Table, releases: Mapping[str, Release]) -> dict[str, Stage]:
    return {
        stage: Stage(
            name=stage,
            nucleus=values.choice("nucleus", NUCLEI, default="classic"),
            configuration=MappingProxyType(
                _configuration(values.table("configuration"), releases[stage].components)
            ),
        )
        for stage, values in table.tables(names.STAGE, keys=("nucleus", "configuration"))
    }


def _configuration(table: Table, released: Mapping[str, Pinned]) -> dict[str, Configuration]:
    """A stage that runs nothing yet may be configured ahead; one that does must name what it runs."""
    found = {}
    for component, values in table.tables(names.COMPONENT, keys=None):
        if released and component not in released:
            raise SettingsError(
                table.name(component),
                component,
                f"a component of the stage's release: {', '.join(released)}",
                hint=near_miss(component, released),
            )
        found[component] = values.configuration()
    return found


def _tills(table: Table, stores: Mapping[str, Store], stages: list[str]) -> dict[str, Till]:
    if len(table) > MOST_TILLS:
        raise SettingsError(
            "fleet.toml: tills",
            f"{len(table)} tills",
            f"at most {MOST_TILLS}; make kits for the others with: greentill till kit",
        )
    return {
        serial: Till(
            serial=serial,
            store=values.choice("store", stores),
            stage=values.choice("stage", stages),
            terminals=values.texts(
                "terminals",
                pattern=names.TERMINAL,
                allowed="a list of terminal names, each once, such as T1",
                default=["T1"],
            ),
        )
        for serial, values in table.tables(names.SERIAL, keys=("store", "stage", "terminals"))
    }


def _releases(folder: Path, stages: list[str]) -> dict[str, Release]:
    for path in sorted(folder.glob("*.json")):
        if path.stem not in stages:
            raise SettingsError(
                f"releases/{path.name}",
                path.stem,
                f"one file per stage of fleet.toml: {', '.join(stages)}",
                hint=near_miss(path.stem, stages),
            )
    return {stage: _release(stage, folder / f"{stage}.json") for stage in stages}


def _release(stage: str, path: Path) -> Release:
    table = Table(f"releases/{path.name}: ", _parsed(path), keys=("components",)).table(
        "components", required=True
    )
    return Release(
        stage=stage,
        components=MappingProxyType(
            {
                component: Pinned(
                    version=pinned.text("version", pattern=VERSION, allowed="a version such as 1.0.0"),
                    digest=pinned.text("digest", pattern=DIGEST, allowed="sha256: and 64 hex digits"),
                )
                for component, pinned in table.tables(names.COMPONENT, keys=("version", "digest"))
            }
        ),
    )
