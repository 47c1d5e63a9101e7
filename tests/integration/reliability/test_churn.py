"""Many short lives: what the daemon and the kernel hold does not grow with them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.integration.inventory import datasets
from tests.integration.reliability.client import Local
from tests.integration.reliability.figures import Figure
from tests.integration.reliability.growth import (
    KIB_OF_HUNDREDS,
    MEMORY,
    ask,
    be_remembered,
    cycle,
    exec_in,
    growth,
    level,
)
from tests.integration.rig import Daemon

pytestmark = pytest.mark.row(8)
KIB = 16
"""By what the daemon may grow for sure with a thousand runs: less than an object and a reference to it, a run."""
FILLED = 4000
"""Cycles after which all is filled that has a bound: the ring of events, and what the interpreter keeps for itself, its
table of names and its spare tuples, which it makes anew, and gives back, every two thousand cycles or so."""


@pytest.fixture
def uncached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have daemons that start now do without the C library's caches of freed memory, one a thread (tcache).

    Each holds up to seven blocks of 64 sizes, and fills for thousands of runs.
    """
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0")


@pytest.mark.usefixtures("uncached")
def test_nothing_grows_with_the_number_of_runs(own: Daemon, rounds: Callable[[int, int], int], figure: Figure) -> None:
    filling, cycles, kib = rounds(150, FILLED), rounds(100, 2500), rounds(KIB_OF_HUNDREDS, KIB)
    began = time.monotonic()
    cycle(own, _run, filling)
    last = level(own, _run, cycles, kib)
    done = filling + last.done
    figure("cycles", done)
    figure("cycles a second", round(done / (time.monotonic() - began), 1))
    for name, values in last.counts.items():
        line = growth(values, cycles)
        figure(f"{name}, growth in 1,000 cycles", round(line.slope, 2))
        if name == MEMORY:
            figure("give or take", round(line.give_or_take, 2))
    assert last.grown == {}
    assert datasets(own.instance) == []
    assert own.doctor() == []


def test_nothing_grows_with_all_that_is_made_and_removed(own: Daemon, rounds: Callable[[int, int], int]) -> None:
    own.docker("network", "create", "net")
    own.docker("create", "--name", "base", "busybox")
    own.docker("run", "-di", "--name", "up", "busybox", "cat")
    cycles = rounds(40, 300)
    cycle(own, be_remembered, rounds(40, 1100))
    cycle(own, _everything, rounds(40, 250))  # some hundreds make the interpreter's tables larger, by a megabyte
    assert level(own, _everything, cycles, KIB_OF_HUNDREDS).grown == {}
    assert own.doctor() == []


def _run(client: Local, number: int) -> None:
    """Run a container and remove it."""
    place = f"/containers/{ask(client, 'POST', '/containers/create', {'Image': 'busybox', 'Cmd': ['true']})['Id']}"
    ask(client, "POST", f"{place}/start")
    assert ask(client, "POST", f"{place}/wait")["StatusCode"] == 0
    ask(client, "DELETE", place)


def _everything(client: Local, number: int) -> None:
    """Make, use and remove one thing of each kind."""
    asked = {
        "Image": "busybox",
        "Cmd": ["sleep", "3600"],
        "Volumes": {"/anonymous": {}},
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {"NetworkMode": "net", "PortBindings": {"80/tcp": [{"HostPort": ""}]}},
    }
    place = f"/containers/{ask(client, 'POST', '/containers/create', asked)['Id']}"
    ask(client, "POST", f"{place}/start")
    exec_in(client, place)
    for look in ("json", "top", "stats?stream=0", "logs?stdout=1", "archive?path=/bin/busybox"):
        ask(client, "GET", f"{place}/{look}")
    ask(client, "DELETE", f"{place}?force=1&v=1")
    ask(client, "DELETE", f"/networks/{ask(client, 'POST', '/networks/create', {'Name': f'other{number}'})['Id']}")
    ask(client, "DELETE", f"/volumes/{ask(client, 'POST', '/volumes/create', {'Name': f'volume{number}'})['Name']}")
    ask(client, "POST", f"/commit?container=base&repo=made{number}")
    ask(client, "DELETE", f"/images/made{number}")
