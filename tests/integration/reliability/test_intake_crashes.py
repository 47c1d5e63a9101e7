"""SIGKILL of the daemon while a large image comes in: the next start leaves nothing of it, and it comes in again."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.conformance.registry.servers import debian_registry
from tests.integration.inventory import datasets, storage_roots
from tests.integration.reliability.figures import Figure
from tests.integration.reliability.work import archive
from tests.integration.rig import Daemon

pytestmark = [
    pytest.mark.row(1),
    pytest.mark.skipif(shutil.which("docker-registry") is None, reason="docker-registry is not installed"),
]
SIZE = 48 << 20


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[str]:
    async with debian_registry(tmp_path / "registry") as address:
        yield address


def files(daemon: Daemon) -> dict[str, int]:
    """The size of every file where images are kept, half of one too, by its path there."""
    return {
        str(path.relative_to(root)): path.lstat().st_size
        for root in storage_roots(daemon.instance)
        for kind in ("layers", "builds", "staging")
        for path in (root / kind).rglob("*")
    }


def kill_within(daemon: Daemon, words: tuple[str, ...], size: int) -> None:
    """Run docker, and kill the daemon once so many bytes of the image have come in."""
    with subprocess.Popen(
        ["docker", *words], env=daemon.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as client:
        while _coming(daemon) < size:
            assert client.poll() is None, "the image came in before the daemon could be killed"
        daemon.kill()
        assert client.wait(60) != 0


def _coming(daemon: Daemon) -> int:
    """Bytes of a layer that is on its way; its folder may go while we look."""
    try:
        return sum(size for path, size in files(daemon).items() if "/aside-" in path)
    except FileNotFoundError:
        return SIZE


@pytest.mark.parametrize("way", ["load", "import", "pull"])
async def test_a_kill_within_leaves_nothing(
    own: Daemon, registry: str, tmp_path: Path, way: str, rounds: Callable[[int, int], int], figure: Figure
) -> None:
    tree, saved, name = tmp_path / "tree.tar", tmp_path / "image.tar", f"{registry}/large:1"
    tree.write_bytes(archive(0, large=random.Random(1).randbytes(SIZE)))
    own.docker("run", "-d", "--name", "up", "busybox", "sleep", "3600")
    own.docker("import", str(tree), name)
    own.docker("save", "-o", str(saved), name)
    if way == "pull":
        own.docker("push", "-q", name)
    own.docker("rmi", name)
    words = {"load": ("load", "-i", str(saved)), "import": ("import", str(tree), name), "pull": ("pull", name)}[way]
    before = files(own)
    kills = rounds(2, 6)
    for kill in range(kills):
        kill_within(own, words, SIZE * kill // kills + 1)
        own.start()
        assert own.run("inspect", name).status != 0
        assert files(own) == before
        assert datasets(own.instance) == datasets_of(own, "up")
        assert own.doctor() == []
    own.docker(*words)
    made = own.docker("create", name, "nothing")
    own.docker("cp", f"{made}:/large", str(tmp_path / "large"))
    assert (tmp_path / "large").read_bytes() == random.Random(1).randbytes(SIZE)
    own.docker("rm", made)
    own.docker("rmi", name)
    assert files(own) == before
    figure("kills while an image came in", kills, fold="sum")


def datasets_of(daemon: Daemon, *zones: str) -> list[str]:
    """What there is of these zones alone."""
    return sorted(f"pool/zones/{daemon.docker('inspect', '-f', '{{.Id}}', zone)}" for zone in zones)
