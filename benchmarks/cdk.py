"""Running `cdk synth` the way `make synth` does, into a folder of the benchmark's own."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.figure import ROOT, BenchmarkError

SECONDS = 300.0


def synth(app: Path, output: Path, environment: Mapping[str, str] | None = None) -> float:
    """Synthesize; returns the seconds that it took. Raises BenchmarkError with the reason."""
    argv = [str(ROOT / "node_modules/.bin/cdk"), "synth", "--quiet", "--app", f"{sys.executable} {app}"]
    began = time.monotonic()
    done = subprocess.run(
        [*argv, "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, "CDK_DISABLE_CLI_TELEMETRY": "true", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    taken = time.monotonic() - began
    if done.returncode != 0:
        raise BenchmarkError(f"cdk synth of {app.name} failed: {_reason(done.stderr or done.stdout)}")
    return taken


def _reason(output: str) -> str:
    """The app's own error where it names one: the CDK's last line only says that the app has ended."""
    words = output.strip().splitlines() or ["it said nothing"]
    return next((line for line in words if line.startswith("error: ")), words[-1])
