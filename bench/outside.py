"""Where network rows measure from: the network namespaces of an engine, of its containers, and of a machine outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.engines.engine import Engine

HOST = "198.18.0.1"
OUTSIDE = "198.18.0.2"
ROOT = Path(__file__).parents[1]
SECONDS = 120
SERVING, ASKING = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
"""The cores of the two ends. Left to itself, the scheduler puts them on one core in this run and on two in the next."""


def argv(netns: Path, *words: str, core: int | None = None) -> list[str]:
    """The command that runs a command in a network namespace, on one core if one is named."""
    pinned = () if core is None else ("taskset", "--cpu-list", str(core))
    return ["nsenter", f"--net={netns}", "--", *pinned, *words]


def run(netns: Path, *words: str, core: int | None = None) -> str:
    """Run a command in a network namespace; its output.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(argv(netns, *words, core=core), capture_output=True, text=True, timeout=SECONDS, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def measure(netns: Path, module: str, *words: str) -> list[float]:
    """The figures that a program of `bench.traffic` prints."""
    told = run(netns, sys.executable, "-m", f"bench.traffic.{module}", *words, core=ASKING)
    return [float(word) for word in told.split()]


@contextmanager
def serving(netns: Path, *words: str, ready: str) -> Iterator[None]:
    """A server in a network namespace, from when it says that it is ready."""
    with subprocess.Popen(argv(netns, *words, core=SERVING), stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        assert server.stdout is not None
        try:
            while ready not in server.stdout.readline():
                if server.poll() is not None:
                    raise RuntimeError(f"{' '.join(words)} ended")
            yield
        finally:
            server.kill()


def inside(engine: Engine, container: str) -> Path:
    """The network namespace of a running container."""
    return Path(f"/proc/{engine.run('inspect', '--format', '{{.State.Pid}}', container)}/ns/net")


def address(engine: Engine, container: str) -> str:
    """Its IPv4 address in the default network."""
    return engine.run("inspect", "--format", "{{.NetworkSettings.IPAddress}}", container)


@contextmanager
def outside(engine: Engine) -> Iterator[Path]:
    """The network namespace of a machine that is linked to the engine's host, which has the address `HOST` there."""
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as holder:
        try:
            netns = Path(f"/proc/{holder.pid}/ns/net")
            while netns.readlink() == Path("/proc/self/ns/net").readlink():
                holder.poll()
            for words in _setup(holder.pid):
                run(engine.netns, *words)
            run(netns, "ip", "address", "add", f"{OUTSIDE}/30", "dev", "outside0")
            run(netns, "ip", "link", "set", "outside0", "up")
            yield netns
        finally:
            holder.kill()


def _setup(pid: int) -> Sequence[Sequence[str]]:
    return (
        ("ip", "link", "add", "outside0", "type", "veth", "peer", "name", "outside0", "netns", str(pid)),
        ("ip", "address", "add", f"{HOST}/30", "dev", "outside0"),
        ("ip", "link", "set", "outside0", "up"),
    )
