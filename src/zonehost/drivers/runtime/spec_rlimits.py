"""Resource limits of processes (getrlimit(2)), as the OCI runtime sets them, and what must be done before it can."""

from __future__ import annotations

from typing import Any, Final

from zonehost.domain.blueprint import Process
from zonehost.domain.host_config import Ulimit
from zonehost.drivers.runtime import own_limits

_INFINITY: Final = (1 << 64) - 1


def rlimit(limit: Ulimit) -> dict[str, Any]:
    """One entry of the OCI's `process.rlimits`; -1 is unlimited."""
    soft, hard = (_INFINITY if value < 0 else value for value in (limit.soft, limit.hard))
    return {"type": f"RLIMIT_{limit.name.upper()}", "soft": soft, "hard": hard}


def make_room(process: Process) -> None:
    """Raise this process's hard limits, and lower its OOM score, to where the process may have its own.

    Raises:
        Unsupported: the kernel does not let this process do so; the message names the option and what there is.
    """
    for limit in process.ulimits:
        own_limits.raise_to(limit.name, limit.hard)
    if process.oom_score_adj < own_limits.oom_score():
        own_limits.set_oom_score(process.oom_score_adj)
