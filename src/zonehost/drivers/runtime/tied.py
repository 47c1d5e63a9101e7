"""Processes in zones that end with the daemon: each leads a process group, which a file of the zone's folder names.

The daemon ends them itself as long as it lives. What one left that was killed is ended by the next.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

from zonehost.drivers.runtime.living import Zone
from zonehost.linux.forkserver import Child


def tie(zone: Zone, child: Child) -> None:
    """Note a process of the zone until it has ended; one at a time."""
    zone.folder.write_tied(child.pid)
    child.exited.add_done_callback(lambda _: zone.folder.forget_tied())


def end_left(zone: Zone) -> None:
    """End the one that an earlier daemon left, with what it has started. Idempotent."""
    leader = zone.folder.tied()
    if leader and any(_led_by(leader, pid) for pid in zone.group.pids()):
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
    zone.folder.forget_tied()


def _led_by(leader: int, pid: int) -> bool:
    with suppress(ProcessLookupError):
        return os.getpgid(pid) == leader
    return False
