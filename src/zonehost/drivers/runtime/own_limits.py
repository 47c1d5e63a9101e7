"""Resource limits (getrlimit(2)) and the OOM score of this process, which becomes one of a zone's or starts it.

Only a process with CAP_SYS_RESOURCE in the host's own user namespace can raise a hard limit, or lower its OOM score
(proc_pid_oom_score_adj(5)). A zone's processes do not have it, so a job of the launcher does both for itself, and the
zone inherits it.
"""

from __future__ import annotations

import resource
from typing import Final

from zonehost.errors import Unsupported
from zonehost.linux.control_file import read, write

_LOCKS: Final = 10
_OOM_SCORE: Final = "/proc/self/oom_score_adj"


def raise_to(name: str, hard: int) -> None:
    """Raise a hard limit where it is lower; -1 is unlimited.

    Raises:
        Unsupported: the kernel does not let this process do so; the message names the option and what there is.
    """
    number = _number(name)
    soft, own = resource.getrlimit(number)
    wanted = _value(hard)
    if own == resource.RLIM_INFINITY or (wanted != resource.RLIM_INFINITY and wanted <= own):
        return
    try:
        resource.setrlimit(number, (soft, wanted))
    except (ValueError, OSError) as error:
        raise Unsupported(f"Ulimits: {name} cannot go above {own}, zonehost's own hard limit") from error


def impose(name: str, soft: int, hard: int) -> None:
    """Have exactly these limits; -1 is unlimited. Raises Unsupported as `raise_to`."""
    raise_to(name, hard)
    resource.setrlimit(_number(name), (_value(soft), _value(hard)))


def oom_score() -> int:
    """The score's adjustment."""
    return int(read(_OOM_SCORE))


def set_oom_score(score: int) -> None:
    """Adjust the score.

    Raises:
        Unsupported: the kernel does not let this process go so low.
    """
    try:
        write(_OOM_SCORE, str(score))
    except PermissionError as error:
        raise Unsupported(f"OomScoreAdj: zonehost may not go below its own score of {oom_score()}") from error


def _number(name: str) -> int:
    return getattr(resource, f"RLIMIT_{name.upper()}", _LOCKS)


def _value(limit: int) -> int:
    return resource.RLIM_INFINITY if limit < 0 else limit
