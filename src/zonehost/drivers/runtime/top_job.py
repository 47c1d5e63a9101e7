"""The launcher's job behind `docker top`: ps(1), seen from the zone's user namespace, so that its root is root."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

from zonehost.linux import libc, namespaces

_PS: Final = "/usr/bin/ps"


def run(arguments: Any, fds: Sequence[int]) -> int:
    """Exec ps; the descriptor is its output, complaints included."""
    if arguments["userns"]:
        user = namespaces.open_of(arguments["pid"], "user")
        namespaces.enter(user, namespaces.NEWUSER)
        os.close(user)
        libc.call("setgroups", 0, None)
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    for number in (1, 2):
        os.dup2(fds[0], number)
    os.execve(_PS, ["ps", *arguments["args"]], {"PATH": "/usr/bin:/bin", "COLUMNS": "32767", "LC_ALL": "C.UTF-8"})
