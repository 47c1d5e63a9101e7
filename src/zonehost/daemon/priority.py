"""The daemon's place among the machine's processes: it answers, also while its zones keep every core busy."""

from __future__ import annotations

import logging
import os
from typing import Final

_HASTE: Final = 10

log = logging.getLogger(__name__)


def take_priority() -> int:
    """Go before other processes of the machine; by how many steps of nice(2). Call before any thread is started."""
    try:
        os.nice(-_HASTE)
    except PermissionError:
        log.warning("without CAP_SYS_NICE the daemon answers no sooner than busy zones let it")
        return 0
    return _HASTE
