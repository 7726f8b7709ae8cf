"""Synthesis: no credentials, no network, one sentence when something is wrong, and clean templates."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aws_cdk import App

from tests.infra.paper_fleet import FLEET_TOML, write_component, write_release

REPOSITORY = Path(__file__).parents[2]

Synth = Callable[[Path], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that synthesis reads, without components so far."""
    shutil.copy(REPOSITORY / "app.py", tmp_path / "app.py")
    (tmp_path / "fleet.toml").write_text(FLEET_TOML)
    write_release(tmp_path, "dev")
    write_release(tmp_path, "prod")
    return tmp_path


def synth(clone: Path) -> "subprocess.CompletedProcess[str]":
    """Run app.py as the CDK command line does, in an environment that leads to no account and no network."""
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=clone,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPOSITORY),
            "CDK_OUTDIR": str(clone / "cdk.out"),
            "https_proxy": "http://127.0.0.1:9",
            "HOME": str(clone),
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def one_sentence(result: "subprocess.CompletedProcess[str]") -> str:
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return line


def test_a_fleet_that_runs_nothing_yet_synthesizes(clone: Path) -> None:
    result = synth(clone)
    assert result.returncode == 0, result.stderr
    assert (clone / "cdk.out" / "Greentill-Storage.template.json").exists()


def test_a_version_that_was_not_built_stops_synthesis(clone: Path) -> None:
    write_release(clone, "dev", Pos=("9.9.9", "sha256:" + "0" * 64))
    line = one_sentence(synth(clone))
    assert "releases/dev.json: components.Pos: '9.9.9'" in line
    assert "greentill release build" in line


def test_a_build_that_is_not_the_released_one_stops_synthesis(clone: Path) -> None:
    built = write_component(clone / "dist", "Pos", "1.0.0")
    write_release(clone, "dev", Pos=("1.0.0", "sha256:" + "0" * 64))
    line = one_sentence(synth(clone))
    assert built in line
    assert "greentill release promote" in line


def test_a_damaged_build_stops_synthesis(clone: Path) -> None:
    write_component(clone / "dist", "Pos", "1.0.0")
    (clone / "dist" / "Pos" / "1.0.0" / "pos.zip").write_bytes(b"other code")
    assert "differs from its manifest" in one_sentence(synth(clone))


def test_a_wrong_setting_stops_synthesis_with_its_name(clone: Path) -> None:
    text = (clone / "fleet.toml").read_text().replace("America/New_York", "America/NewYork")
    (clone / "fleet.toml").write_text(text)
    assert "stores.ST-367.time_zone" in one_sentence(synth(clone))


def test_cfn_lint_passes_on_every_template(app: App) -> None:
    templates = sorted(str(path) for path in Path(app.outdir).glob("*.template.json"))
    assert len(templates) == 5
    result = subprocess.run(
        [str(Path(sys.executable).parent / "cfn-lint"), *templates],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert result.returncode == 0, result.stdout


def test_cdk_nag_finds_nothing_that_has_no_reason(app: App) -> None:
    report = json.loads((Path(app.outdir) / "validation-report.json").read_text())
    violations = [one for plugin in report["pluginReports"] for one in plugin["violations"]]
    assert violations == []


def test_no_template_grows_with_the_tills_of_a_fleet(app: App) -> None:
    """A registry of 10,000 tills is rows in a table; the templates never hear of them."""
    for template in Path(app.outdir).glob("*.template.json"):
        resources = json.loads(template.read_text())["Resources"]
        tills = [one for one in resources.values() if one["Type"] == "AWS::IoT::Thing"]
        assert len(tills) == (1 if "Identity" in template.name else 0)
