"""No process can be made any more, in one zone or in all: what needs one fails and says so, and all else works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.inventory import datasets
from tests.integration.rig import Daemon
from zonehost.linux.cgroup import discover

BOMB = "f() { f & f; }; f 2>/dev/null & exec sleep 3600"
SLEEP = ("busybox", "sleep", "3600")


@pytest.fixture
def pids(own: Daemon) -> Iterator[Path]:
    """The group of all zones of the instance in the hierarchy of the controller `pids`; without a limit afterwards."""
    hierarchies = discover()
    group = Path(hierarchies.legacy.get("pids", hierarchies.unified), "zonehost", own.instance.name)
    yield group
    (group / "pids.max").write_text("max")


def test_a_fork_bomb_is_alone(own: Daemon) -> None:
    own.docker("run", "-d", "--name", "calm", *SLEEP)
    own.docker("run", "-d", "--name", "bomb", "--pids-limit", "100", "--cpus", "0.5", "busybox", "sh", "-c", BOMB)
    limit = Path(_group_of(own, "bomb"), "pids.events")
    while "max 0" in limit.read_text():
        assert own.docker("inspect", "-f", "{{.State.Running}}", "bomb") == "true"
    assert own.docker("exec", "calm", "echo", "lives") == "lives"
    assert own.docker("run", "--rm", "busybox", "echo", "born") == "born"
    own.docker("rm", "-f", "bomb", "calm")
    assert own.doctor() == []


def test_an_instance_without_room_for_a_process(own: Daemon, pids: Path) -> None:
    own.docker("run", "-di", "--name", "up", "busybox", "cat")
    own.docker("create", "--name", "next", *SLEEP)
    (pids / "pids.max").write_text((pids / "pids.current").read_text())
    for words in (("start", "next"), ("run", "--name", "new", "busybox", "true")):
        result = own.run(*words)
        assert result.status != 0
        assert "Error response from daemon" in result.err
    assert own.docker("ps", "--format", "{{.Names}}") == "up"
    assert own.docker("inspect", "-f", "{{.State.Status}}", "next") in ("created", "exited")
    assert own.docker("top", "up").count("\n") == 1
    assert own.doctor() == []
    own.docker("stop", "-t", "0", "up")
    (pids / "pids.max").write_text("max")
    own.docker("start", "up", "next")
    assert own.docker("exec", "next", "echo", "lives") == "lives"
    own.docker("rm", "-f", "up", "next", "new")
    assert datasets(own.instance) == []


def _group_of(daemon: Daemon, zone: str) -> str:
    hierarchies = discover()
    root = hierarchies.legacy.get("pids")
    identity = daemon.docker("inspect", "-f", "{{.Id}}", zone)
    inside = f"zonehost/{daemon.instance.name}/{identity}"
    return f"{root}/{inside}" if root else f"{hierarchies.unified}/{inside}/zone"
