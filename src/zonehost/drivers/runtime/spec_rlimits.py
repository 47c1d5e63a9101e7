"""Resource limits of processes (getrlimit(2)), as the OCI runtime sets them, and what must be done before it can.

Only a process with CAP_SYS_RESOURCE in the host's own user namespace can raise a hard limit, or lower its OOM score
(proc_pid_oom_score_adj(5)). A zone's processes do not have it, so the launcher does both for itself, and the zone
inherits it.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any, Final

from zonehost.domain.blueprint import Process
from zonehost.domain.host_config import Ulimit
from zonehost.errors import Unsupported

_INFINITY: Final = (1 << 64) - 1
_RLIMIT_LOCKS: Final = 10
_OOM_SCORE: Final = Path("/proc/self/oom_score_adj")


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
        _raise(limit)
    score = int(_OOM_SCORE.read_text())
    if process.oom_score_adj < score:
        try:
            _OOM_SCORE.write_text(str(process.oom_score_adj))
        except PermissionError as error:
            raise Unsupported(f"OomScoreAdj: zonehost may not go below its own score of {score}") from error


def impose(process: Process) -> None:
    """Give this process the limits and the OOM score of the process that it is about to become.

    Raises:
        Unsupported: as `make_room`.
    """
    make_room(process)
    for limit in process.ulimits:
        soft, hard = (resource.RLIM_INFINITY if value < 0 else value for value in (limit.soft, limit.hard))
        resource.setrlimit(_number(limit), (soft, hard))
    _OOM_SCORE.write_text(str(process.oom_score_adj))


def _number(limit: Ulimit) -> int:
    return getattr(resource, f"RLIMIT_{limit.name.upper()}", _RLIMIT_LOCKS)


def _raise(limit: Ulimit) -> None:
    number = _number(limit)
    soft, hard = resource.getrlimit(number)
    wanted = resource.RLIM_INFINITY if limit.hard < 0 else limit.hard
    if hard == resource.RLIM_INFINITY or (wanted != resource.RLIM_INFINITY and wanted <= hard):
        return
    try:
        resource.setrlimit(number, (soft, wanted))
    except (ValueError, OSError) as error:
        raise Unsupported(f"Ulimits: {limit.name} cannot go above {hard}, zonehost's own hard limit") from error
