"""Named points between the steps of an operation, where a test can make the process die or stand still.

Free unless the environment names one at start: `ZONEHOST_FAILPOINT=create.recorded` kills the process with SIGKILL the
first time that point is reached, `create.recorded:3` the third time. `create.recorded=STOP` stops it with SIGSTOP
instead, so that a test can kill another process at that point and let this one go on. A list is separated by commas.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Final

VARIABLE: Final = "ZONEHOST_FAILPOINT"


@dataclass(slots=True)
class _Armed:
    """A point: how often it has still to be reached, and the signal that comes then."""

    left: int
    signal: signal.Signals


def _armed(setting: str) -> dict[str, _Armed]:
    points: dict[str, _Armed] = {}
    for item in filter(None, setting.split(",")):
        place, _, what = item.partition("=")
        name, _, count = place.partition(":")
        points[name] = _Armed(int(count or 1), signal.Signals[f"SIG{what or 'KILL'}"])
    return points


_POINTS: Final = _armed(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Die or stand still here, if the environment armed this point."""
    if _POINTS and name in _POINTS:
        point = _POINTS[name]
        point.left -= 1
        if point.left == 0:
            os.kill(os.getpid(), point.signal)
