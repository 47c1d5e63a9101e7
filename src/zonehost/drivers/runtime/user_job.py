"""The launcher's job that looks whether a running zone has a user: its files may be slow, or never end.

It shares the small fork server of `exec_job`, and imports as little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from zonehost.drivers.runtime.report import say_error
from zonehost.errors import ZonehostError
from zonehost.linux import accounts, credentials


class Question(TypedDict):
    """What the job is told."""

    pid: int
    """The zone's first process."""
    ids: int
    """How many ids the zone has of its own; 0 if it has the host's."""
    user: str


def run(question: Question, fds: Sequence[int]) -> int:
    """Find the user; the descriptor is where to report why there is none."""
    credentials.hide()
    try:
        accounts.find_in(question["pid"], question["ids"], question["user"])
    except (ZonehostError, OSError) as error:
        say_error(fds[0], error)
        return 1
    return 0
