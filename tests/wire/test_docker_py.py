"""Docker's own Python client against the API: what other people's tools are made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import docker
import pytest
from docker.errors import APIError, NotFound

from tests.wire.peer import Peer

T = TypeVar("T")


@pytest.fixture(params=["auto", "1.41", "1.24"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def with_client(peer: Peer, version: str, work: Callable[[docker.DockerClient], T]) -> T:
    """Do blocking work with a client, beside the loop that serves it."""

    def run() -> T:
        client = docker.DockerClient(base_url=f"unix://{peer.path}", version=version)
        try:
            return work(client)
        finally:
            client.close()

    return await asyncio.to_thread(run)


async def test_run_logs_and_remove(peer: Peer, version: str) -> None:
    def work(client: docker.DockerClient) -> None:
        assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
        container = client.containers.run("busybox", ["sleep"], name="one", detach=True, ports={"80/tcp": None})
        assert [found.name for found in client.containers.list(filters={"status": "running"})] == ["one"]
        container.reload()
        assert container.ports["80/tcp"][0]["HostIp"] == "0.0.0.0"
        assert container.logs(stdout=True) == b""
        container.stop(timeout=1)
        assert container.wait()["StatusCode"] == 143
        container.remove()
        with pytest.raises(NotFound, match="No such container: one"):
            client.containers.get("one")

    await with_client(peer, version, work)


async def test_exec_and_attach(peer: Peer, version: str) -> None:
    def work(client: docker.DockerClient) -> None:
        container = client.containers.run("busybox", ["cat"], detach=True, stdin_open=True, tty=True)
        code, output = container.exec_run(["both"], demux=True)
        assert (code, output) == (0, (b"out\n", b"err\n"))
        with pytest.raises(APIError, match="Conflict"):
            client.containers.create("busybox", name=container.name)
        socket = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        socket._sock.sendall(b"typed")
        assert socket._sock.recv(5) == b"typed"
        socket.close()
        container.kill()

    await with_client(peer, version, work)


async def test_images_volumes_networks_and_the_host(peer: Peer, version: str) -> None:
    def work(client: docker.DockerClient) -> None:
        assert client.ping()
        assert client.info()["Images"] == 1
        image = client.images.get("busybox")
        assert image.tag("other", "1")
        assert {tag for found in client.images.list() for tag in found.tags} == {"busybox:latest", "other:1"}
        assert image.history()[0]["CreatedBy"] == "made by hand"
        assert b"".join(image.save()).startswith(b"[")
        client.images.remove("other:1")
        volume = client.volumes.create("data", labels={"a": "b"})
        assert [found.name for found in client.volumes.list(filters={"label": "a"})] == ["data"]
        volume.remove()
        network = client.networks.create("net", check_duplicate=True)
        container = client.containers.create("busybox", "sleep")
        network.connect(container, aliases=["alias"])
        network.disconnect(container)
        network.remove()
        if version != "1.24":
            assert client.df()["LayersSize"] == 5
            assert client.containers.prune()["ContainersDeleted"] == [container.id]

    await with_client(peer, version, work)


async def test_events_and_stats_are_streams(peer: Peer, version: str) -> None:
    def work(client: docker.DockerClient) -> None:
        events = client.events(decode=True, filters={"type": "container"})
        container = client.containers.run("busybox", ["sleep"], detach=True)
        assert [next(events)["Action"] for _ in range(2)] == ["create", "start"]
        events.close()
        stats = container.stats(stream=True, decode=True)
        assert next(stats)["cpu_stats"]["online_cpus"] == 2
        top = container.top()
        assert top["Titles"] == ["PID", "CMD"]
        assert container.diff()[0] == {"Path": "/etc", "Kind": 0}
        chunks, stat = container.get_archive("/etc/hostname")
        assert (b"".join(chunks), stat["name"]) == (b"zone\n", "hostname")
        assert container.put_archive("/etc", b"tar")

    await with_client(peer, version, work)
