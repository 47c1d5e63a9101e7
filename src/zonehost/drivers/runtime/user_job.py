"""The launcher's job that looks whether a running zone has a user: its files may be slow, or never end.

Owns how a user is found below the root of a living zone, for execs too.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

import msgspec

from zonehost.drivers.runtime.report import say_error
from zonehost.errors import InvalidParameter, ZonehostError
from zonehost.linux import accounts, credentials, idmap
from zonehost.linux.accounts import Account


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the job is told."""

    pid: int
    """The zone's first process."""
    first_id: int
    """The host's id of the zone's root; 0 if the zone has the host's ids."""
    user: str


def run(arguments: Any, fds: Sequence[int]) -> int:
    """Find the user; the descriptor is where to report why there is none."""
    credentials.hide()
    question = msgspec.convert(arguments, Question)
    try:
        account_in(question.pid, question.first_id, question.user)
    except (ZonehostError, OSError) as error:
        say_error(socket.socket(fileno=fds[0]), error)
        return 1
    return 0


def account_in(pid: int, first_id: int, user: str, groups: Sequence[str] = ()) -> Account:
    """The account of `user[:group]` in the zone of a process, whose root is `first_id` on the host.

    Raises:
        InvalidParameter: there is no such user or group, or it is none of the zone's ids.
    """
    root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        account = accounts.find(root, user, groups)
    finally:
        os.close(root)
    if first_id and max(account.uid, *account.groups) >= idmap.COUNT:
        raise InvalidParameter(f"uids and gids must be below {idmap.COUNT} in a user namespace of its own")
    return account
