"""Processes that try to outlive their zone: after `docker rm -f` none of them is left, whatever they did before."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.inventory import datasets, holdings
from tests.integration.reliability.figures import Figure
from tests.integration.rig import Daemon
from zonehost.linux.cgroup import discover

pytestmark = pytest.mark.row(3)
TRACER = """
import ctypes, os, time
trace = ctypes.CDLL(None).ptrace
child = os.fork()
if child == 0:
    trace(0, 0, 0, 0)
    os.kill(os.getpid(), 19)
    time.sleep(3600)
os.waitpid(child, 0)
trace(0x4200, child, 0, 0x40)  # PTRACE_SETOPTIONS, PTRACE_O_TRACEEXIT: it stops on its way out, and is never let go
trace(7, child, 0, 0)
print("traced", flush=True)
while True:
    time.sleep(3600)
"""
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
def test_nothing_outlives_its_zone(own: Daemon, script: str, figure: Figure) -> None:
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
    figure("ways out tried", 1, fold="sum")
    figure("processes left", 0)


def test_nothing_outlives_a_zone_that_traces_its_own(own: Daemon, figure: Figure) -> None:
    before = holdings(own.instance)
    host = ("--userns", "host", "--cap-add", "SYS_PTRACE", "-v", "/:/host:ro")
    own.docker("run", "-d", "--name", "runs", *host, "busybox", "chroot", "/host", "/usr/bin/python3", "-c", TRACER)
    follow = subprocess.Popen(["docker", "logs", "-f", "runs"], env=own.environment, stdout=subprocess.PIPE, text=True)
    assert follow.stdout is not None
    assert follow.stdout.readline() == "traced\n"
    own.docker("rm", "-f", "runs")
    follow.communicate(timeout=20)
    assert holdings(own.instance) == before
    figure("ways out tried", 1, fold="sum")


@pytest.mark.parametrize("first", ["its own end", "a kill of the daemon"])
def test_nothing_outlives_a_zone_that_somebody_moved_out_of_its_groups(own: Daemon, first: str, figure: Figure) -> None:
    own.docker("run", "-d", "--name", "runs", "busybox", "sh", "-c", "sleep 3600 & sleep 3600 & wait")
    zone = json.loads(own.zonehost("zone", "show", "runs", "--json"))
    moved = [str(process["pid"]) for process in zone["processes"]]
    for root in discover().roots:
        for pid in moved:
            Path(root, "cgroup.procs").write_text(pid)
    if first == "a kill of the daemon":
        own.kill()
        own.start()
    own.docker("rm", "-f", "runs")
    assert moved
    assert not [pid for pid in moved if Path("/proc", pid, "exe").exists()]
    assert own.doctor() == []
    figure("ways out tried", 1, fold="sum")


def test_nothing_outlives_a_zone_in_the_hosts_pid_namespace(own: Daemon, figure: Figure) -> None:
    before = holdings(own.instance)
    script = "(setsid sleep 3600 &) & sleep 3600"
    own.docker("run", "-d", "--name", "runs", "--pid", "host", "busybox", "sh", "-c", script)
    own.docker("rm", "-f", "runs")
    assert holdings(own.instance) == before
    figure("ways out tried", 1, fold="sum")
