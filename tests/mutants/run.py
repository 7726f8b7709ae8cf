"""Tries mutants on copies of the tree: the tests that one names must pass without it and fail with it."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import Mutant, MutantError

INSTALLED = (".venv", "node_modules", "build")
LEFT_OUT = (*INSTALLED, "dist", "cdk.out", ".git", "__pycache__", ".*_cache", ".hypothesis")
SECONDS = 900.0  # for one mutant's tests, on a busy machine
PASSED, FAILED = 0, 1  # pytest's exit codes; others say that tests could not be run


@dataclass(frozen=True)
class Result:
    """`verdict` is caught, survived or broken: the tests fail anyway, can't be run or no longer fit."""

    mutant: Mutant
    verdict: str
    detail: str
    seconds: float


@contextmanager
def copies(root: Path, count: int) -> Iterator[list[Path]]:
    """The tree at `root`, so many times over; what is installed and built is shared."""
    with tempfile.TemporaryDirectory(prefix="greentill-mutants-") as folder:
        made = [Path(folder) / str(number) for number in range(count)]
        for copy in made:
            shutil.copytree(root, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
            for name in INSTALLED:
                if (root / name).exists():
                    (copy / name).symlink_to((root / name).resolve())
        yield made


def try_all(
    root: Path, mutants: Sequence[Mutant], jobs: int, tell: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """Results in the mutants' order; `tell` hears each as it comes."""
    with copies(root, jobs) as made:
        sound = _all_pass(made[0], mutants)
        free: queue.SimpleQueue[Path] = queue.SimpleQueue()
        for copy in made:
            free.put(copy)

        def one(mutant: Mutant) -> Result:
            copy = free.get()
            try:
                result = _try(mutant, copy, sound=sound)
            finally:
                free.put(copy)
            tell(result)
            return result

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(one, mutants))


def _all_pass(copy: Path, mutants: Sequence[Mutant]) -> bool:
    """Whether all their tests pass as the code is, asked in one go; if not, each mutant asks for its own."""
    tests = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
    try:
        code, _ = _pytest(copy, list(tests), seconds=SECONDS * len(mutants))
    except subprocess.TimeoutExpired:
        return False
    return code == PASSED


def _try(mutant: Mutant, copy: Path, *, sound: bool) -> Result:
    """`sound`: its tests are known to pass without it."""
    began = time.monotonic()
    verdict, detail = "broken", ""
    try:
        code, said = (PASSED, "") if sound else _pytest(copy, mutant.tests)
        if code != PASSED:
            return Result(mutant, verdict, f"fails without it: {said}", time.monotonic() - began)
        whole = mutant.apply(copy)
        try:
            code, said = _pytest(copy, mutant.tests)
        finally:
            mutant.undo(copy, whole)
        verdict, detail = {PASSED: ("survived", ""), FAILED: ("caught", said)}.get(code, ("broken", said))
    except MutantError as error:
        detail = str(error)
    except subprocess.TimeoutExpired:
        detail = f"its tests take longer than {SECONDS:.0f} s"
    return Result(mutant, verdict, detail, time.monotonic() - began)


def _pytest(copy: Path, tests: Sequence[str], seconds: float = SECONDS) -> tuple[int, str]:
    """pytest's exit code and the first test that failed, else its last word."""
    argv = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [*argv, "--tb=line", "-rfE", *tests],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    failed = next((line for line in lines if line.startswith(("FAILED", "ERROR"))), "")
    return done.returncode, failed or (lines or [done.stderr.strip() or "nothing said"])[-1]
