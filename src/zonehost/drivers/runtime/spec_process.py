"""The `process` of an OCI runtime configuration, for a zone's first process and for further ones."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from zonehost.domain.blueprint import Process
from zonehost.domain.security import ALL_CAPABILITIES
from zonehost.drivers.runtime.programs import environment
from zonehost.drivers.runtime.spec_rlimits import rlimit
from zonehost.errors import Unsupported
from zonehost.linux import libc
from zonehost.linux.accounts import Account

_PR_CAPBSET_READ: Final = 23


def process(plan: Process, account: Account, *, userns: bool) -> dict[str, Any]:
    """The process.

    Raises:
        Unsupported: a capability is asked for by name, and no process of this host may have it.
    """
    capabilities = list(plan.capabilities if userns else within_bounds(plan.capabilities))
    made: dict[str, Any] = {
        "terminal": plan.tty,
        "user": {"uid": account.uid, "gid": account.gid, "additionalGids": account.groups},
        "args": plan.args,
        "env": environment(plan.env, account.home),
        "cwd": plan.cwd,
        # Neither inheritable nor ambient: a user other than root has no capability once it has run a program.
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        "noNewPrivileges": plan.no_new_privileges,
        "oomScoreAdj": plan.oom_score_adj,
    }
    if plan.console_size:
        made["consoleSize"] = {"height": plan.console_size[0], "width": plan.console_size[1]}
    if plan.ulimits:
        made["rlimits"] = [rlimit(limit) for limit in plan.ulimits]
    return made


def within_bounds(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """All capabilities are all that this host can give; some are those or an error.

    Raises:
        Unsupported: one that is asked for by name no process of this host may have.
    """
    within = tuple(name for name in wanted if name in _bounds())
    if len(within) < len(wanted) < len(ALL_CAPABILITIES):
        missing = ", ".join(sorted({*wanted} - {*within}))
        raise Unsupported(f"CapAdd: the host itself does not have {missing}")
    return within


@cache
def _bounds() -> frozenset[str]:
    """The bounding set of this process, which only shrinks on the way to the zone (capabilities(7))."""
    return frozenset(
        name for number, name in enumerate(ALL_CAPABILITIES) if libc.call("prctl", _PR_CAPBSET_READ, number, 0, 0, 0)
    )
