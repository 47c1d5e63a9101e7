"""A mount namespace that someone else made while zones ran holds copies of the host's mounts: removal must not care."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.integration.inventory import holdings
from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(4)


@pytest.fixture
def foreign_namespace() -> Iterator[list[subprocess.Popen[str]]]:
    made: list[subprocess.Popen[str]] = []
    yield made
    for process in made:
        process.communicate()


def test_a_copied_mount_namespace_pins_nothing(
    own: Daemon, foreign_namespace: list[subprocess.Popen[str]], figure: Figure
) -> None:
    before = holdings(own.instance)
    own.docker("run", "-d", "--name", "runs", "-v", "data:/data", "--tmpfs", "/ram", "busybox", "sleep", "3600")
    for propagation in ("private", "slave", "unchanged"):
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", propagation, "sh", "-c", "echo ready; cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        foreign_namespace.append(process)
    own.docker("rm", "-f", "runs")
    own.docker("volume", "rm", "data")
    assert holdings(own.instance) == before
    figure("foreign namespaces", len(foreign_namespace))
    figure("EBUSY", 0)
    figure("mounts left", 0)
