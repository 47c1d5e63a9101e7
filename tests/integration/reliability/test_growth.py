"""Much of everything that is no life of a container: what the daemon and the kernel hold does not grow with it."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.conformance.registry.servers import debian_registry
from tests.integration.reliability.client import Local
from tests.integration.reliability.growth import KIB_OF_HUNDREDS, Once, ask, be_remembered, cycle, exec_in, level
from tests.integration.reliability.work import archive
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(8)
KINDS = ("exec", "looks", "events", "attach", "build", "load", "networks")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_grows_with_other_work(own: Daemon, kind: str, rounds: Callable[[int, int], int]) -> None:
    _check_other_work(own, *WORK[kind], rounds)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[str]:
    async with debian_registry(tmp_path / "registry") as address:
        yield address


@pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed")
async def test_nothing_grows_with_pulls(own: Daemon, registry: str, rounds: Callable[[int, int], int]) -> None:
    for number in range(4):
        name = f"{registry}/app:{number}"
        own.docker("build", "-q", "-t", name, "-", stdin=f"FROM busybox\nRUN echo {number} > /number\n")
        own.docker("push", name)
        own.docker("rmi", name)
    own.docker("builder", "prune", "--all", "--force")

    def pull(client: Local, number: int) -> None:
        ask(client, "POST", f"/images/create?fromImage={registry}/app&tag={number}")
        ask(client, "DELETE", f"/images/{registry}/app:{number}")

    _check_other_work(own, pull, 100, rounds)


def _check_other_work(daemon: Daemon, once: Once, before: int, rounds: Callable[[int, int], int]) -> None:
    daemon.docker("run", "-di", "--name", "up", "busybox", "cat")
    cycles = rounds(40, 100)
    cycle(daemon, be_remembered, rounds(40, 1100))
    cycle(daemon, once, rounds(40, before))
    assert level(daemon, once, cycles, KIB_OF_HUNDREDS).grown == {}


def _exec(client: Local, number: int) -> None:
    exec_in(client, "/containers/up")


def _look(client: Local, number: int) -> None:
    for look in ("json", "top", "stats?stream=0&one-shot=1", "logs?stdout=1", "archive?path=/bin/busybox", "changes"):
        ask(client, "GET", f"/containers/up/{look}")
    for path in ("/containers/json?all=1", "/images/json", "/networks", "/volumes", "/info", "/system/df"):
        ask(client, "GET", path)


def _listen(client: Local, number: int) -> None:
    """Hear of what happens, and tell something."""
    ask(client, "DELETE", f"/volumes/{ask(client, 'POST', '/volumes/create', {'Name': f'volume{number}'})['Name']}")
    ask(client, "GET", f"/events?since=1&until={time.time()}")


def _attach(client: Local, number: int) -> None:
    """Attach to the output, and leave before there is any."""
    client.request("POST", "/containers/up/attach?stream=1&stdout=1")
    client.getresponse()
    client.close()


def _build(client: Local, number: int) -> None:
    """Build anew, and take it away with its steps."""
    answer = client.upload(f"/build?nocache=1&t=made{number}", _CONTEXT)
    assert answer.status == 200, answer
    ask(client, "DELETE", f"/images/made{number}")
    ask(client, "POST", "/build/prune?all=1")


def _load(client: Local, number: int) -> None:
    """Take in an image, and take it away."""
    answer = client.upload(f"/images/create?fromSrc=-&repo=made{number}", archive(number))
    assert answer.status == 200, answer
    ask(client, "DELETE", f"/images/made{number}")


def _connect(client: Local, number: int) -> None:
    """Make a network, have the container in it for a moment, and remove it."""
    network = ask(client, "POST", "/networks/create", {"Name": f"other{number}"})["Id"]
    ask(client, "POST", f"/networks/{network}/connect", {"Container": "up"})
    ask(client, "POST", f"/networks/{network}/disconnect", {"Container": "up"})
    ask(client, "DELETE", f"/networks/{network}")


_CONTEXT = archive(0, Dockerfile=b"FROM busybox\nRUN echo made > /made\nCOPY file /file\n")
WORK: dict[str, tuple[Once, int]] = {
    "exec": (_exec, 200),
    "looks": (_look, 60),
    "events": (_listen, 200),
    "attach": (_attach, 200),
    "build": (_build, 80),
    "load": (_load, 150),
    "networks": (_connect, 250),
}
"""What is done again and again, and how often before the daemon has all that it needs for it."""
