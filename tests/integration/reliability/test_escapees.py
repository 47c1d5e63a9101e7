"""Processes that try to outlive their zone: after `docker rm -f` none of them is left, whatever they did before."""

from __future__ import annotations

import pytest

from tests.integration.inventory import datasets, holdings
from tests.integration.rig import Daemon

ESCAPES = {
    "double fork": "(sleep 3600 &) & sleep 3600",
    "new session": "setsid sleep 3600 & setsid setsid sleep 3600 & sleep 3600",
    "ignores signals": "trap '' TERM HUP INT QUIT; sleep 3600 & wait; sleep 3600",
    "many children": "for i in $(seq 200); do sleep 3600 & done; wait",
    "forks for ever": "f() { f & sleep 0.01; f & sleep 3600; }; f; sleep 3600",
    "stopped": "sleep 3600 & kill -STOP $!; kill -STOP $$; sleep 3600",
    "namespaces of its own": "unshare -p -m -f sleep 3600 & unshare -n sleep 3600 & sleep 3600",
}


@pytest.mark.parametrize("script", ESCAPES.values(), ids=ESCAPES.keys())
def test_nothing_outlives_its_zone(own: Daemon, script: str) -> None:
    before = holdings(own.instance)
    own.docker(
        *("run", "-d", "--name", "runs", "--pids-limit", "400", "--cap-add", "SYS_ADMIN"),
        *("--security-opt", "seccomp=unconfined", "busybox", "sh", "-c", script + "; sleep 3600"),
    )
    # Refused where the zone has no processes left to give.
    own.run("exec", "-d", "runs", "sh", "-c", "setsid sleep 3601 & sleep 3602")
    own.docker("rm", "-f", "runs")
    assert holdings(own.instance) == before
    assert datasets(own.instance) == []


def test_nothing_outlives_a_zone_in_the_hosts_pid_namespace(own: Daemon) -> None:
    before = holdings(own.instance)
    script = "(setsid sleep 3600 &) & sleep 3600"
    own.docker("run", "-d", "--name", "runs", "--pid", "host", "busybox", "sh", "-c", script)
    own.docker("rm", "-f", "runs")
    assert holdings(own.instance) == before
