"""Start the cloud's process, wait until it answers, and end it by its process id."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from twin import state as twin_state
from twin.cloud import authority
from twin.state import CloudState, State

PYTHON = twin_state.ROOT / "build" / "env" / "twin-cloud" / "bin" / "python"
NODE_MODULES = twin_state.ROOT / "node_modules"
# -I keeps PYTHON* variables and the working directory out of the cloud and of the functions that it runs.
LAUNCH = "import sys; sys.path.insert(0, sys.argv.pop(1)); from twin.cloud.launcher import main; main()"
ACCESS_KEY = "test"  # ministack's name for the account's root
SECRET_KEY = "test"  # noqa: S105 - a throw-away account's only key
START_ATTEMPTS = 3  # a port that was free may be taken before the cloud binds it
STOP_GRACE_SECONDS = 5.0
POLL_SECONDS = 0.1


class CloudError(Exception):
    """The cloud did not start or stop; the text says why and where its log is."""


def start(
    work_dir: Path | None = None,
    *,
    region: str = "eu-west-1",
    account: str = "000000000000",
    timeout: float = 60.0,
) -> State:
    """Start a cloud whose files lie in `work_dir` (build/twin by default) and return its state, saved.

    `timeout` is in seconds, for each attempt. Raises CloudError when it does not answer in time.
    """
    directory = (work_dir or twin_state.DEFAULT_DIRECTORY).resolve()
    if is_running(directory):
        raise CloudError(f"A cloud is already running in {directory}: stop it with greentill twin down.")
    if not PYTHON.exists():
        raise CloudError("The twin's cloud is not installed: run scripts/setup.sh.")
    material = authority.create(directory / "tls")
    for attempt in range(START_ATTEMPTS):
        cloud, process = _launch(directory, material, region, account)
        state = State(pid=os.getpid(), cloud=cloud)
        twin_state.save(state, directory)
        try:
            _wait_until_ready(cloud, process, timeout)
        except _ExitedError as error:
            if attempt + 1 < START_ATTEMPTS:
                continue
            stop(directory)
            raise CloudError(f"The cloud ended while it started ({error}): see {cloud.log}.") from error
        except BaseException:
            stop(directory)
            raise
        return state
    raise AssertionError("unreachable")


def stop(work_dir: Path | None = None) -> None:
    """End the cloud of this directory, if one runs: SIGTERM, and SIGKILL after a grace period."""
    directory = (work_dir or twin_state.DEFAULT_DIRECTORY).resolve()
    try:
        cloud = twin_state.load(directory).cloud
    except twin_state.StateError:
        twin_state.remove(directory)
        return
    if _is_ours(cloud.pid):
        os.kill(cloud.pid, signal.SIGTERM)
        if not _ended_within(cloud.pid, STOP_GRACE_SECONDS):
            os.kill(cloud.pid, signal.SIGKILL)
            _ended_within(cloud.pid, STOP_GRACE_SECONDS)
    _end_group(cloud.pid)
    twin_state.remove(directory)


def is_running(work_dir: Path | None = None) -> bool:
    """Whether this directory's cloud process is alive."""
    try:
        return _is_ours(twin_state.load(work_dir).cloud.pid)
    except twin_state.StateError:
        return False


def environment(state: State) -> dict[str, str]:
    """What the AWS CLI, the CDK and boto3 need in their environment to reach this cloud as its root."""
    cloud = state.cloud
    return {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ENDPOINT_URL_S3": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": cloud.region,
        "AWS_DEFAULT_REGION": cloud.region,
        "AWS_CA_BUNDLE": cloud.ca,
        "REQUESTS_CA_BUNDLE": cloud.ca,
        "SSL_CERT_FILE": cloud.ca,
        "NODE_EXTRA_CA_CERTS": cloud.ca,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_HOME": str(Path(cloud.log).parent / "cdk-home"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_DEFAULT_ACCOUNT": cloud.account,
        "CDK_DEFAULT_REGION": cloud.region,
    }


class _ExitedError(Exception):
    pass


def _launch(
    directory: Path, material: authority.Authority, region: str, account: str
) -> tuple[CloudState, subprocess.Popen[bytes]]:
    gateway_port, mqtt_port, iot_port = _free_ports(3)
    scratch = directory / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    log = directory / "cloud.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(PYTHON), "-I", "-c", LAUNCH, str(twin_state.ROOT)],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            cwd=scratch,
            env=_server_environment(material, scratch, region, account, (gateway_port, mqtt_port, iot_port)),
            start_new_session=True,
        )
    cloud = CloudState(
        pid=process.pid,
        endpoint=f"https://localhost:{gateway_port}",
        region=region,
        account=account,
        ca=str(material.ca),
        mqtt_port=mqtt_port,
        iot_port=iot_port,
        log=str(log),
    )
    return cloud, process


def _server_environment(
    material: authority.Authority, scratch: Path, region: str, account: str, ports: tuple[int, int, int]
) -> dict[str, str]:
    """A clean environment: the functions that the cloud runs inherit it."""
    gateway_port, mqtt_port, iot_port = ports
    settings = {"ca_key": str(material.ca_key), "iot_port": iot_port}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(gateway_port),
        "IOT_MTLS_PORT": str(mqtt_port),
        "MINISTACK_ACCOUNT_ID": account,
        "MINISTACK_REGION": region,
        "LAMBDA_EXECUTOR": "local",
        "AUTH": "true",
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(material.certificate),
        "MINISTACK_SSL_KEY": str(material.key),
        "AWS_CA_BUNDLE": str(material.ca),
        "REQUESTS_CA_BUNDLE": str(material.ca),
        "SSL_CERT_FILE": str(material.ca),
        "NODE_EXTRA_CA_CERTS": str(material.ca),
        "NODE_PATH": str(NODE_MODULES),
        "AWS_EC2_METADATA_DISABLED": "true",
        "SFTP_ENABLED": "0",
        "TWIN_CLOUD_SETTINGS": json.dumps(settings),
    }


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _wait_until_ready(cloud: CloudState, process: subprocess.Popen[bytes], timeout: float) -> None:
    context = ssl.create_default_context(cafile=cloud.ca)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if (code := process.poll()) is not None:
            raise _ExitedError(f"exit code {code}")
        try:
            with opener.open(f"{cloud.endpoint}/_twin/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass  # not listening yet: the deadline decides
        time.sleep(POLL_SECONDS)
    raise CloudError(f"The cloud did not answer within {timeout:.0f} seconds: see {cloud.log}.")


def _is_ours(pid: int) -> bool:
    """Whether the process is a cloud and alive; process ids are used again."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return b"twin.cloud.launcher" in command and status != "Z"


def _ended_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _is_ours(pid):
            _reap(pid)
            return True
        time.sleep(POLL_SECONDS / 2)
    return False


def _reap(pid: int) -> None:
    deadline = time.monotonic() + STOP_GRACE_SECONDS
    try:
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS / 10)  # it has let go of its memory, and isn't quite gone
    except ChildProcessError:
        return  # started by an earlier process, so not ours to wait for


def _end_group(leader: int) -> None:
    """End what is left of the session that the cloud led: the processes of its functions."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and int(entry.name) != os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)
        except (OSError, IndexError, ValueError):
            continue  # it ended while we looked
