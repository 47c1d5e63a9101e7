"""When a container that ended is started again, and after which wait."""

from __future__ import annotations

from typing import Final

from zonehost.domain.host_config import HostConfig, RestartPolicy
from zonehost.errors import InvalidParameter

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 60.0
STEADY: Final = 10.0
"""Seconds; a container that ran for longer begins again with the first wait."""
_NAMES: Final = ("", "no", "always", "on-failure", "unless-stopped")


def check_restart_policy(host: HostConfig) -> None:
    """Look through a restart policy.

    Raises:
        InvalidParameter: it is unknown, has a count that it cannot have, or contradicts `--rm`.
    """
    policy = host.restart_policy
    if policy.name not in _NAMES:
        raise InvalidParameter(
            f"invalid restart policy: unknown policy '{policy.name}'; "
            "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )
    if policy.maximum_retry_count and policy.name != "on-failure":
        raise InvalidParameter(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
            + (" and cannot be negative" if policy.maximum_retry_count < 0 else "")
        )
    if policy.maximum_retry_count < 0:
        raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
    if host.auto_remove and policy.name not in ("", "no"):
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")


def restarts(policy: RestartPolicy, *, exit_code: int, restart_count: int, by_hand: bool) -> bool:
    """Whether the policy wants a container started again that ended by itself or, `by_hand`, was signalled."""
    match policy.name:
        case "always":
            return True
        case "unless-stopped":
            return not by_hand
        case "on-failure":
            within = not policy.maximum_retry_count or restart_count < policy.maximum_retry_count
            return within and exit_code != 0
        case _:
            return False


def next_wait(last: float, ran: float) -> float:
    """Seconds to wait, after a wait of `last` (0: none yet) and a run of `ran` seconds."""
    if not last or ran >= STEADY:
        return FIRST_WAIT
    return min(last * 2, LONGEST_WAIT)
