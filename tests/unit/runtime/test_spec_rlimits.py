from __future__ import annotations

import subprocess
import sys

import pytest

from zonehost.domain.host_config import Ulimit
from zonehost.drivers.runtime.spec_rlimits import rlimit

INFINITY = (1 << 64) - 1


@pytest.mark.parametrize(
    ("limit", "entry"),
    [
        (Ulimit(name="nofile", soft=10, hard=20), {"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20}),
        (Ulimit(name="core", soft=0, hard=-1), {"type": "RLIMIT_CORE", "soft": 0, "hard": INFINITY}),
    ],
)
def test_entry(limit: Ulimit, entry: dict[str, object]) -> None:
    assert rlimit(limit) == entry


def make_room(before: str, process: str, after: str) -> subprocess.CompletedProcess[str]:
    """Run make_room in a process of its own, without the capability to raise anything."""
    program = (
        "import ctypes, resource\n"
        "from zonehost.domain.blueprint import Process\n"
        "from zonehost.domain.host_config import Ulimit\n"
        "from zonehost.drivers.runtime.spec_rlimits import make_room\n"
        f"{before}\n"
        "class Header(ctypes.Structure): _fields_ = [('version', ctypes.c_uint32), ('pid', ctypes.c_int)]\n"
        "ctypes.CDLL(None).capset(ctypes.byref(Header(0x20080522, 0)), bytes(24))\n"
        f"make_room(Process(args=(), {process}))\n"
        f"{after}\n"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_a_limit_within_bounds_needs_no_room() -> None:
    done = make_room(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))",
        "ulimits=(Ulimit(name='nofile', soft=50, hard=200),)",
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))",
    )
    assert (done.stdout, done.returncode) == ("(100, 200)\n", 0)


@pytest.mark.parametrize("hard", [201, -1])
def test_a_limit_that_cannot_be_raised_is_refused_by_name(hard: int) -> None:
    done = make_room(
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))",
        f"ulimits=(Ulimit(name='nofile', soft=50, hard={hard}),)",
        "",
    )
    assert "Unsupported: Ulimits: nofile cannot go above 200" in done.stderr


def test_an_oom_score_that_cannot_be_lowered_is_refused_by_name() -> None:
    done = make_room("", "oom_score_adj=-900", "")
    assert "Unsupported: OomScoreAdj" in done.stderr


def test_a_higher_oom_score_is_left_to_the_zone() -> None:
    done = make_room("", "oom_score_adj=900", "print(open('/proc/self/oom_score_adj').read() != '900\\n')")
    assert done.stdout == "True\n"
