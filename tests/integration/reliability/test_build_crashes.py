"""SIGKILL of the daemon at every named point of a build, a pull and a push; the next start leaves nothing of it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.conformance.registry.servers import debian_registry
from tests.integration.inventory import datasets, storage_roots
from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon, daemon_with_busybox

SOURCES = Path(__file__).parents[3] / "src" / "zonehost"
DOCKERFILE = "FROM busybox\nRUN echo made > /made\nRUN --mount=type=cache,target=/c echo two > /two\n"
POINTS = sorted(
    {
        name
        for path in SOURCES.rglob("*.py")
        for name in re.findall(r"\bfailpoint\(\"((?:build|pull|push)\.[a-z]+)\"\)", path.read_text())
    }
)

pytestmark = [
    pytest.mark.row(1),
    pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed"),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All points in `make reliability`; in `make test`, one of each kind of work."""
    named = POINTS
    if not metafunc.config.getoption("--long"):
        named = list({name.partition(".")[0]: name for name in named}.values())
    metafunc.parametrize("point", named)


@pytest.fixture(scope="module")
def own() -> Iterator[Daemon]:
    """One daemon for all points, with the image `busybox`; at the end nothing of it may be left."""
    with daemon_with_busybox() as daemon:
        yield daemon


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[str]:
    async with debian_registry(tmp_path / "registry") as address:
        yield address


def layers(daemon: Daemon) -> set[str]:
    return {path.name for root in storage_roots(daemon.instance) for path in root.glob("layers/*")}


async def test_a_crash_leaves_nothing_half_made(
    own: Daemon, registry: str, point: str, monkeypatch: pytest.MonkeyPatch, figure: Figure
) -> None:
    name = f"{registry}/app:1"
    kind = point.partition(".")[0]
    before = layers(own)
    assert before
    if kind in ("push", "pull"):
        own.docker("build", "-q", "-t", name, "-", stdin=DOCKERFILE)
    if kind == "pull":
        own.docker("push", name)
        own.docker("rmi", name)
        own.docker("builder", "prune", "--all", "--force")
    work = {"build": ("build", "-t", name, "-"), "push": ("push", name), "pull": ("pull", name)}[kind]
    own.stop()
    monkeypatch.setenv("ZONEHOST_FAILPOINT", point)
    own.start()
    assert own.run(*work, stdin=DOCKERFILE).status != 0
    assert own.process is not None
    own.process.wait(20)
    own.process = None
    monkeypatch.delenv("ZONEHOST_FAILPOINT")
    began = time.monotonic()
    own.start()
    figure("most seconds to converge", round(time.monotonic() - began, 2))
    assert own.docker("ps", "-aq") == ""
    assert datasets(own.instance) == []
    assert [path for root in storage_roots(own.instance) for path in root.glob("builds/" + "[0-9a-f]" * 64)] == []
    own.docker(*work, stdin=DOCKERFILE)
    assert own.docker("run", "--rm", name, "cat", "/made", "/two") == "made\ntwo"
    own.docker("rmi", "--force", name)
    own.docker("builder", "prune", "--all", "--force")
    assert layers(own) == before, "no layer is left of which nothing is known"
    assert own.doctor() == []
    figure("points tried", 1, fold="sum")
