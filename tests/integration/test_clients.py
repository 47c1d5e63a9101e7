"""Clients other than the docker command on its socket: the same by ssh, the Python SDK, testcontainers, and skopeo."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker import DockerClient
from docker.errors import ContainerError, NotFound

from tests.integration.rig import Daemon


@pytest.fixture
def client(daemon: Daemon) -> Iterator[DockerClient]:
    connected = docker.DockerClient(base_url=daemon.environment["DOCKER_HOST"])
    yield connected
    connected.close()


def test_sdk_runs_a_container_and_reads_both_streams(client: DockerClient) -> None:
    output = client.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2"], remove=True, stderr=True)
    assert sorted(output.splitlines()) == [b"err", b"out"]


def test_sdk_raises_what_the_process_said(client: DockerClient) -> None:
    with pytest.raises(ContainerError) as error:
        client.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
    assert (error.value.exit_status, error.value.stderr) == (3, b"bad\n")


def test_sdk_follows_a_life(client: DockerClient) -> None:
    container = client.containers.create(
        "busybox", ["sh", "-c", "echo begun; sleep 600; true"], name="lived", tty=False
    )
    assert container.status == "created"
    container.start()
    assert next(container.logs(stream=True, follow=True)) == b"begun\n"
    assert container.exec_run(["echo", "inside"]).output == b"inside\n"
    assert container.stats(stream=False)["pids_stats"]["current"] == 2
    assert [row for row in container.top()["Processes"] if row[-1] == "sleep 600"]
    container.pause()
    container.reload()
    assert container.status == "paused"
    container.unpause()
    container.kill()
    assert container.wait()["StatusCode"] == 137
    container.remove()
    with pytest.raises(NotFound):
        client.containers.get("lived")


def test_sdk_puts_and_gets_archives(client: DockerClient) -> None:
    container = client.containers.create("busybox", "true")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("note")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    assert container.put_archive("/tmp", packed.getvalue())
    chunks, status = container.get_archive("/tmp/note")
    assert (status["name"], status["size"]) == ("note", 5)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        note = archive.extractfile("note")
        assert note is not None
        assert note.read() == b"hello"


def test_sdk_speaks_the_oldest_version(daemon: Daemon) -> None:
    old = docker.APIClient(base_url=daemon.environment["DOCKER_HOST"], version="1.24")
    assert old.containers(all=True) == []


def test_sdk_lists_with_its_own_form_of_filters(client: DockerClient) -> None:
    client.containers.create("busybox", "true", labels={"a": "b"})
    assert len(client.containers.list(all=True, filters={"label": ["a=b"]})) == 1
    assert client.containers.list(all=True, filters={"label": ["a=c"]}) == []


_TESTCONTAINERS = """
import urllib.request
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

script = "echo hello > /page; echo ready; exec httpd -f -h / -p 80"
with Network() as network, (
    DockerContainer("busybox")
    .with_command(["sh", "-c", script])
    .with_exposed_ports(80)
    .with_network(network)
    .with_network_aliases("web")
    .waiting_for(LogMessageWaitStrategy("ready"))
) as web:
    address = f"http://{web.get_container_host_ip()}:{web.get_exposed_port(80)}/page"
    print(urllib.request.urlopen(address, timeout=20).read())
    print(web.exec("hostname").output.decode().strip() == web.get_wrapped_container().short_id)
    with DockerContainer("busybox").with_command("wget -qO- http://web/page").with_network(network) as reader:
        reader.get_wrapped_container().wait()
        print(reader.get_logs())
"""


def test_testcontainers_start_reach_and_remove_theirs(daemon: Daemon) -> None:
    # Its reaper is an image of a public registry, and it takes the host to be a container if there is a /.dockerenv.
    settings = {"TESTCONTAINERS_RYUK_DISABLED": "true", "TESTCONTAINERS_HOST_OVERRIDE": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", _TESTCONTAINERS],
        capture_output=True,
        text=True,
        env=daemon.environment | settings,
        timeout=120,
    )
    assert done.stdout.splitlines() == ["b'hello\\n'", "True", "(b'hello\\n', b'')"], done.stderr
    assert daemon.docker("ps", "--all", "--quiet") == ""


def test_skopeo_reads_what_was_saved(daemon: Daemon, tmp_path: Path) -> None:
    archive = tmp_path / "busybox.tar"
    daemon.docker("save", "-o", str(archive), "busybox")
    inspected = _skopeo("inspect", "--config", f"docker-archive:{archive}")
    assert '"os":"linux"' in inspected.replace(" ", "")


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_an_image_survives_skopeo_and_back(daemon: Daemon, tmp_path: Path, form: str) -> None:
    daemon.docker("tag", "busybox", "trip:1")
    saved, copied = tmp_path / "saved.tar", tmp_path / "copied.tar"
    daemon.docker("save", "-o", str(saved), "trip:1")
    identity = daemon.docker("image", "inspect", "-f", "{{json .RootFS}}", "trip:1")
    daemon.docker("rmi", "trip:1")
    _skopeo("copy", f"docker-archive:{saved}", f"{form}:{copied}:docker.io/library/trip:1")
    daemon.docker("load", "-i", str(copied))
    assert daemon.docker("image", "inspect", "-f", "{{json .RootFS}}", "trip:1") == identity
    assert daemon.docker("run", "--rm", "trip:1", "echo", "alive") == "alive"
    daemon.docker("rmi", "trip:1")


def _skopeo(*words: str) -> str:
    return subprocess.run(["skopeo", *words], check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.fixture
def by_ssh(daemon: Daemon, tmp_path: Path) -> Iterator[Daemon]:
    """The daemon as the docker command reaches it by `ssh://`; the command on the other side is run on this one."""
    ssh = tmp_path / "ssh"
    ssh.write_text(
        f'#!/bin/sh\nuntil [ $1 = docker ]; do shift; done\nDOCKER_HOST=unix://{daemon.endpoint} exec "$@"\n'
    )
    ssh.chmod(0o755)
    before = daemon.environment
    path = f"{tmp_path}:{before['PATH']}"
    daemon.environment = {**before, "PATH": path, "DOCKER_HOST": "ssh://root@far"}
    yield daemon
    daemon.environment = before


def test_by_ssh_streams_come_through_both_ways(by_ssh: Daemon) -> None:
    data = bytes(range(256)) * 4000
    by_ssh.docker("run", "-d", "--name", "box", "busybox", "sleep", "600")
    script = "head -c 1024000 >/file; stat -c %s /file; echo wrong >&2; exit 3"
    result = by_ssh.run("exec", "-i", "box", "sh", "-c", script, stdin=data)
    assert (result.status, result.out, result.err) == (3, "1024000\n", "wrong\n")
    assert by_ssh.docker("run", "-i", "--rm", "busybox", "wc", "-c", stdin=data) == "1024000"
    assert by_ssh.docker("ps", "--format", "{{.Names}}") == "box"


def test_a_request_by_dial_stdio_whose_client_ends_its_side(daemon: Daemon) -> None:
    answer = daemon.docker("system", "dial-stdio", stdin="GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
    assert answer.startswith("HTTP/1.1 200 OK\r\n") and answer.endswith("\r\nOK")
