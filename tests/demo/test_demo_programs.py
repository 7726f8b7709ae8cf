"""What the demo starts ends with it, and a program that fails shows its last words."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from twin.demo import news
from twin.demo.processes import DemoError, Programs

FORKS = (
    "import subprocess, sys, time; print(subprocess.Popen(['sleep', '99']).pid, flush=True); time.sleep(99)"
)


def run(programs, code, timeout=120.0, said=None):
    said = [] if said is None else said
    return programs.run(
        "lab", [sys.executable, "-c", code], environment=dict(os.environ), say=said.append, timeout=timeout
    )


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def gone(pid):
    deadline = time.monotonic() + 120
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_each_line_is_said_as_it_comes_and_returned_at_the_end(tmp_path):
    said: list[str] = []
    assert run(Programs(tmp_path), "print('a'); print('b')", said=said) == "a\nb\n"
    assert said == ["a", "b"]


def test_a_failure_shows_the_programs_last_words(tmp_path):
    with pytest.raises(DemoError, match="no such stack"):
        run(Programs(tmp_path), "import sys; print('no such stack', file=sys.stderr); sys.exit(3)")


def test_ending_all_ends_children_too_and_starts_nothing_more(tmp_path):
    programs, errors = Programs(tmp_path), []
    said: list[str] = []

    def work():
        try:
            run(programs, FORKS, said=said)
        except DemoError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not said:
        time.sleep(0.02)
    programs.end_all()
    thread.join(timeout=120)
    assert not thread.is_alive()
    assert errors
    assert gone(int(said[0]))
    with pytest.raises(DemoError):
        run(programs, "print('late')")


def test_a_program_that_takes_too_long_is_ended(tmp_path):
    said: list[str] = []
    for limit in (1.0, 5.0, 30.0, 120.0):  # a busy machine may need longer to start it at all
        with pytest.raises(DemoError):
            run(Programs(tmp_path), FORKS, timeout=limit, said=said)
        if said:
            break
    assert gone(int(said[0]))


def test_of_a_deploy_only_stacks_and_failures_are_news():
    said: list[str] = []
    heard = news.only(news.CDK, said.append)
    for line in (
        "Greentill-Storage: start: Building Buckets/Emptier/Function/Code",
        "Greentill-Storage: deploying... [1/5]",
        "Greentill-Storage | 1/9 | CREATE_COMPLETE      | AWS::DynamoDB::Table | Sales",
        "Greentill-Storage | 1/9 | CREATE_FAILED        | AWS::S3::Bucket      | Buckets/Sales",
        "✅  Greentill-Storage",
    ):
        heard(line)
    assert said == [
        "Greentill-Storage: deploying... [1/5]",
        "Greentill-Storage | 1/9 | CREATE_FAILED | AWS::S3::Bucket | Buckets/Sales",
        "✅ Greentill-Storage",
    ]


def test_of_a_debian_root_each_stage_is_news_once():
    said: list[str] = []
    heard = news.stages(said.append)
    for line in ("Retrieving adduser", "Validating adduser", "Retrieving apt", "Extracting apt..."):
        heard(line)
    assert said == ["Retrieving adduser", "Validating adduser", "Extracting apt..."]
