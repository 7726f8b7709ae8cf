"""The cloud starts, answers over its own TLS, refuses strangers, and leaves nothing behind."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from twin import cloud as twin_cloud
from twin import state as twin_state
from twin.cloud.supervisor import PYTHON

pytestmark = pytest.mark.twin


def test_root_calls_the_account_over_tls(cloud):
    identity = cloud.client("sts").get_caller_identity()
    assert identity["Account"] == cloud.state.cloud.account


def test_an_unknown_access_key_is_refused(cloud):
    stranger = cloud.client("s3", aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key="x")
    with pytest.raises(ClientError) as refused:
        stranger.list_buckets()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_mqtt_refuses_a_client_without_a_certificate(cloud):
    context = ssl.create_default_context(cafile=cloud.state.cloud.ca)
    address = ("127.0.0.1", cloud.state.cloud.mqtt_port)
    with (
        socket.create_connection(address, timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="data.iot.twin.internal") as connection,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        connection.sendall(b"\x10")
        if connection.recv(1) == b"":
            raise ConnectionError


def test_nothing_listens_beyond_loopback(cloud):
    listening = Path(f"/proc/{cloud.state.cloud.pid}/net/tcp").read_text().splitlines()[1:]
    ports = {
        cloud.state.cloud.mqtt_port,
        cloud.state.cloud.iot_port,
        int(cloud.state.cloud.endpoint.rsplit(":")[-1]),
    }
    bound = {
        line.split()[1].split(":")[0]
        for line in listening
        if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) in ports
    }
    assert bound == {"0100007F"}


def test_stop_ends_the_process_and_forgets_it(tmp_path):
    state = twin_cloud.start(tmp_path)
    twin_cloud.stop(tmp_path)
    assert not Path(f"/proc/{state.cloud.pid}/cmdline").exists()
    assert not twin_cloud.is_running(tmp_path)
    with pytest.raises(twin_state.StateError, match="greentill twin up"):
        twin_state.load(tmp_path)


def test_an_emulator_whose_internals_moved_is_refused(tmp_path):
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from twin.cloud import pins; "
        "pins.check(); pins.INTERNALS['ministack.app'] += ('moved_away',); pins.check()"
    )
    ended = subprocess.run(
        [str(PYTHON), "-I", "-c", program, str(twin_state.ROOT)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=tmp_path,
    )
    assert ended.returncode != 0
    assert "has no ministack.app.moved_away" in ended.stderr
