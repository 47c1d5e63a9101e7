"""Resource limits of processes (getrlimit(2)), as the OCI runtime sets them.

Only a process with CAP_SYS_RESOURCE in the host's own user namespace can raise a hard limit. A zone's processes never
have it, so `make_room` raises the limits of the launcher, and the zone's are at most those.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable
from typing import Any, Final

from zonehost.domain.host_config import Ulimit
from zonehost.errors import Unsupported

_INFINITY: Final = (1 << 64) - 1
_RLIMIT_LOCKS: Final = 10


def rlimit(limit: Ulimit) -> dict[str, Any]:
    """One entry of the OCI's `process.rlimits`; -1 is unlimited."""
    soft, hard = (_INFINITY if value < 0 else value for value in (limit.soft, limit.hard))
    return {"type": f"RLIMIT_{limit.name.upper()}", "soft": soft, "hard": hard}


def make_room(limits: Iterable[Ulimit]) -> None:
    """Raise this process's hard limits where a limit is above them.

    Raises:
        Unsupported: the kernel does not let this process raise one; the message names it and what there is.
    """
    for limit in limits:
        number = getattr(resource, f"RLIMIT_{limit.name.upper()}", _RLIMIT_LOCKS)
        soft, hard = resource.getrlimit(number)
        wanted = resource.RLIM_INFINITY if limit.hard < 0 else limit.hard
        if hard == resource.RLIM_INFINITY or (wanted != resource.RLIM_INFINITY and wanted <= hard):
            continue
        try:
            resource.setrlimit(number, (soft, wanted))
        except (ValueError, OSError) as error:
            raise Unsupported(
                f"Ulimits: {limit.name} cannot be raised above {hard}, zonehost's own hard limit"
            ) from error
