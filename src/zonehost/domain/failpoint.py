"""Named points between the steps of an operation, where a test can make the process die.

Free unless the environment names one at start: `ZONEHOST_FAILPOINT=create.recorded` kills the process with SIGKILL the
first time that point is reached, `create.recorded:3` the third time. A list is separated by commas.
"""

from __future__ import annotations

import os
import signal
from typing import Final

VARIABLE: Final = "ZONEHOST_FAILPOINT"


def _armed(setting: str) -> dict[str, int]:
    points: dict[str, int] = {}
    for item in filter(None, setting.split(",")):
        name, _, count = item.partition(":")
        points[name] = int(count or 1)
    return points


_POINTS: Final = _armed(os.environ.get(VARIABLE, ""))


def failpoint(name: str) -> None:
    """Die here if the environment armed this point."""
    if _POINTS and name in _POINTS:
        _POINTS[name] -= 1
        if _POINTS[name] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
