"""The life of a container: which state may follow which, and how states are told to people."""

from __future__ import annotations

from typing import Final

from zonehost.domain.container import State, Status

ALLOWED: Final = {
    Status.CREATED: {Status.RUNNING, Status.REMOVING},
    Status.RUNNING: {Status.PAUSED, Status.EXITED, Status.RESTARTING, Status.REMOVING},
    Status.PAUSED: {Status.RUNNING, Status.EXITED, Status.RESTARTING, Status.REMOVING},
    Status.RESTARTING: {Status.RUNNING, Status.EXITED, Status.RESTARTING, Status.REMOVING},
    Status.EXITED: {Status.RUNNING, Status.EXITED, Status.REMOVING},
    Status.REMOVING: {Status.DEAD},
    Status.DEAD: {Status.REMOVING},
}
"""What may follow what. EXITED follows EXITED when a start fails."""

_SECOND: Final = 1_000_000_000


def allows(state: State, following: Status) -> bool:
    """Whether a container in this state may come into the following one."""
    return following in ALLOWED[state.status]


def duration_words(seconds: float) -> str:
    """A length of time as Docker's commands say it: `3 minutes`, `About an hour`."""
    whole, minutes = int(seconds), int(seconds // 60)
    # Docker rounds hours to the nearest and cuts all else.
    hours = int(seconds / 3600 + 0.5)
    if whole < 1:
        return "Less than a second"
    if minutes < 1:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if minutes < 60:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours == 1 else f"{hours} hours"
    for limit, unit, name in ((14 * 24, 24, "days"), (60 * 24, 7 * 24, "weeks"), (730 * 24, 30 * 24, "months")):
        if hours < limit:
            return f"{hours // unit} {name}"
    return f"{int(seconds // 3600) // 24 // 365} years"


def describe(state: State, now: int) -> str:
    """The state as `docker ps` shows it: `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`."""
    match state.status:
        case Status.RUNNING:
            return f"Up {duration_words((now - state.started_at) / _SECOND)}{_health_words(state)}"
        case Status.PAUSED:
            return f"Up {duration_words((now - state.started_at) / _SECOND)} (Paused)"
        case Status.RESTARTING:
            ago = duration_words((now - state.finished_at) / _SECOND)
            return f"Restarting ({state.exit_code}) {ago} ago"
        case Status.EXITED:
            return f"Exited ({state.exit_code}) {duration_words((now - state.finished_at) / _SECOND)} ago"
        case Status.CREATED:
            return "Created"
        case Status.REMOVING:
            return "Removal In Progress"
        case Status.DEAD:
            return "Dead"


def _health_words(state: State) -> str:
    if state.health is None:
        return ""
    if state.health.status == "starting":
        return " (health: starting)"
    return f" ({state.health.status})"
