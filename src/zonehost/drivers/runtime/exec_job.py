"""The launcher's job that becomes a further process of a zone.

It is born in the zone's cgroup and pid namespace, a child of the launcher, which reports how it ended: no waiter stands
between. It joins the zone's other namespaces, gives up what the zone may not have, and runs the program.

It lives for one millisecond or two, and each page that it touches has to be copied, now or beforehand (`linux.spare`).
So it is told plain values, worked out as far as can be without the zone's own files, and imports neither msgspec nor
anything of `domain`: it has a small fork server of its own.

From the moment it is in the zone's mount namespace, every path is the zone's: nothing may be imported any more. A zone
that makes it run this process's own program again (`#!/proc/self/exe`, CVE-2019-5736) gets it from a read-only mount
(`linux.forkserver`).
"""

from __future__ import annotations

import errno
import os
import signal
import stat
import sys
from collections.abc import Collection, Sequence
from typing import Final, NoReturn, TypedDict

from zonehost.drivers.runtime import own_limits
from zonehost.drivers.runtime.listening import listen_to_calls
from zonehost.drivers.runtime.programs import environment, run_program
from zonehost.drivers.runtime.report import say, say_error
from zonehost.errors import InvalidParameter, ZonehostError
from zonehost.linux import accounts, cgroup_tree, credentials, libc, namespaces, terminal

_SHARED: Final = namespaces.NEWNS | namespaces.NEWNET | namespaces.NEWIPC | namespaces.NEWUTS | namespaces.NEWCGROUP


class Task(TypedDict):
    """What the job is told."""

    pid: int
    """The zone's first process."""
    first_id: int
    """The host's id of the zone's root; 0 if the zone has the host's ids."""
    ids: int
    """How many ids it has of its own; 0 if it has the host's."""
    legacy: Sequence[str]
    """Its groups in v1 hierarchies."""
    filter: bytes
    """Its filter of system calls, an array of struct sock_filter; empty if it has none."""
    listener: bool
    """Whether its calls that have an answer shall be told to a listener."""
    args: Sequence[str]
    env: Sequence[str]
    cwd: str
    user: str
    groups: Sequence[str]
    tty: bool
    console_size: tuple[int, int] | None
    capabilities: Collection[int]
    no_new_privileges: bool
    limits: Sequence[tuple[str, int, int]]
    """Of resources: name, soft, hard; -1 is unlimited."""
    oom_score: int


def run(task: Task, fds: Sequence[int]) -> int:
    """Become the process; return only when that failed.

    The descriptors: where to report, closed when the program runs; a pidfd of the zone's first process; the three
    standard streams, or none where there shall be a terminal, whose master side is reported.
    """
    credentials.hide()
    daemon, zone, *streams = fds
    try:
        _become(task, daemon, zone, streams)
    except (ZonehostError, OSError) as error:
        say_error(daemon, error)
    return 1


def _become(task: Task, daemon: int, zone: int, streams: Sequence[int]) -> NoReturn:
    first_id, capabilities, program = task["first_id"], task["capabilities"], task["filter"]
    account = accounts.find_in(task["pid"], task["ids"], task["user"], task["groups"])
    for limit in task["limits"]:
        own_limits.impose(*limit)
    own_limits.set_oom_score(task["oom_score"])
    for number, fd in enumerate(streams):
        if stat.S_ISFIFO(os.fstat(fd).st_mode):  # so that the process can open /dev/stdout and the like
            os.fchown(fd, first_id + account.uid, -1)
        os.dup2(fd, number)
    os.setsid()
    cgroup_tree.join(task["legacy"])
    if task["listener"]:
        listen_to_calls(daemon)

    sys.meta_path.clear()
    namespaces.enter(zone, _SHARED)
    if first_id:
        namespaces.enter(zone, namespaces.NEWUSER)
        credentials.become(0, 0, ())
    if task["tty"]:
        _take_terminal(daemon, task["console_size"], account.uid)
    _go_to(task["cwd"])
    os.umask(0o022)
    credentials.leave_keyring()
    credentials.bound(capabilities)
    if program and not task["no_new_privileges"]:
        credentials.load_filter(program)
    credentials.become(account.uid, account.gid, account.groups)
    credentials.hold(capabilities if account.uid == 0 else ())
    if task["no_new_privileges"]:
        credentials.forgo_new_privileges()
        if program:
            credentials.load_filter(program)
    libc.default_action(signal.SIGPIPE)
    run_program(task["args"], environment(task["env"], account.home))


def _take_terminal(daemon: int, size: tuple[int, int] | None, owner: int) -> None:
    """Have a new terminal of the zone's as standard streams, and report its master side."""
    master, slave = terminal.open_pair()
    if size:
        terminal.set_size(master, *size)
    os.fchown(slave, owner, -1)
    terminal.control(slave)
    for number in range(3):
        os.dup2(slave, number)
    os.close(slave)
    say(daemon, "terminal", "", master)
    os.close(master)


def _go_to(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        why = os.strerror(error.errno or errno.EIO).lower()
        raise InvalidParameter(f'chdir to cwd ("{folder}") set in config.json failed: {why}') from error
