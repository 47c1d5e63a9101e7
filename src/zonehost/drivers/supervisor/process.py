"""How the supervisor is begun: its argument vector, and what it does with it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import Final

from zonehost.drivers.supervisor.caller import Mounts
from zonehost.drivers.supervisor.calls import Calls, Waiting
from zonehost.drivers.supervisor.children import Children
from zonehost.drivers.supervisor.quotas import Quotas
from zonehost.drivers.supervisor.server import Server
from zonehost.drivers.supervisor.sizes import Sizes
from zonehost.linux.btrfs_ioctls import CALLS

_START: Final = (
    "import sys; sys.path[:] = sys.argv[4].split(':'); "
    "from zonehost.drivers.supervisor.process import main; main(sys.argv)"
)


def command(path: str, control: int, pool: int) -> list[str]:
    """Of a supervisor that hears daemons at the socket `control`, bound to the path; without `site`, for its memory."""
    modules = ":".join(filter(None, sys.path))
    return [sys.executable, "-I", "-S", "-c", _START, path, str(control), str(pool), modules]


def main(argv: Sequence[str]) -> None:
    """Be the supervisor: it works for zones, and comes no sooner than they do, whatever the daemon may."""
    os.setpriority(os.PRIO_PROCESS, 0, max(0, os.getpriority(os.PRIO_PROCESS, 0)))
    _, path, control, pool, *_ = argv
    quotas = Quotas(int(pool))
    mounts = Mounts()
    sizes, children = Sizes(quotas, mounts), Children(int(pool), quotas, mounts)

    def answer(waiting: Waiting) -> None:
        call = waiting.notification
        (children if call.number in CALLS[call.architecture] else sizes).answer(waiting)

    Server(socket.socket(fileno=int(control)), Calls(f"{path}.calls"), answer).run()
