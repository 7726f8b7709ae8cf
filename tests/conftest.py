"""What tests of every part share: the twin's cloud, one for the run, shared by all of xdist's workers."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from twin import cloud as twin_cloud
from twin import state as twin_state
from twin.state import State

# How long an example takes says how busy the machine is, nothing of the code.
hypothesis_settings.register_profile("greentill", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("greentill")


@dataclass(frozen=True)
class Cloud:
    """The running cloud: its state, the environment for child processes, and boto3 clients as its root."""

    state: State
    environment: dict[str, str]

    def client(self, service: str, **credentials: Any) -> Any:
        """A boto3 client; without credentials (aws_access_key_id and so on) it acts as the account's root."""
        values = {
            "aws_access_key_id": self.environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.environment["AWS_SECRET_ACCESS_KEY"],
            **credentials,
        }
        with mock.patch.dict(os.environ, {"AWS_EC2_METADATA_DISABLED": "true"}):
            return boto3.session.Session(region_name=self.state.cloud.region, **values).client(
                service, endpoint_url=self.state.cloud.endpoint, verify=self.state.cloud.ca
            )


def _shared_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "twin-cloud"


@contextmanager
def _locked(directory: Path) -> Iterator[Path]:
    with (directory / "users").open("a+") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        yield directory / "users"


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The twin's cloud: the first worker that asks starts it, the last one that leaves ends it."""
    directory = _shared_directory(tmp_path_factory)
    directory.mkdir(exist_ok=True)
    with _locked(directory) as users:
        state = (
            twin_state.load(directory) if twin_cloud.is_running(directory) else twin_cloud.start(directory)
        )
        users.write_text(str(int(users.read_text() or "0") + 1))
    try:
        yield Cloud(state, {**os.environ, **twin_cloud.environment(state)})
    finally:
        with _locked(directory) as users:
            left = int(users.read_text()) - 1
            users.write_text(str(left))
            if left == 0:
                twin_cloud.stop(directory)
