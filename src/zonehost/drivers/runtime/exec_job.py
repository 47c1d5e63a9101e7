"""The launcher's job that becomes a further process of a zone.

It is born in the zone's cgroup and pid namespace, a child of the launcher, which reports how it ended: no waiter stands
between. It joins the zone's other namespaces, gives up what the zone may not have, and runs the program.

From the moment it is in the zone's mount namespace, every path is the zone's: nothing may be imported any more. A zone
that makes it run this process's own program again (`#!/proc/self/exe`, CVE-2019-5736) gets it from a read-only mount
(`linux.forkserver`).
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from zonehost.domain.blueprint import ExecPlan
from zonehost.domain.security import ALL_CAPABILITIES
from zonehost.drivers.runtime import seccomp_program
from zonehost.drivers.runtime.listening import listen_to_statfs
from zonehost.drivers.runtime.programs import run_program
from zonehost.drivers.runtime.report import Said, say_error
from zonehost.drivers.runtime.spec_process import environment, within_bounds
from zonehost.drivers.runtime.spec_rlimits import impose
from zonehost.drivers.runtime.user_job import account_in
from zonehost.errors import InvalidParameter, SystemFailure, ZonehostError
from zonehost.linux import cgroup_tree, credentials, namespaces, terminal

_SHARED: Final = namespaces.NEWNS | namespaces.NEWNET | namespaces.NEWIPC | namespaces.NEWUTS | namespaces.NEWCGROUP


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the job is told."""

    plan: ExecPlan
    pid: int
    """The zone's first process."""
    first_id: int
    """The host's id of the zone's root; 0 if the zone has the host's ids."""
    configs: tuple[str, ...]
    """The paths of the zone's OCI configuration and of crun's copy: they have its filter of system calls."""
    legacy: tuple[str, ...]
    """The zone's groups in v1 hierarchies."""
    listener: bool
    """Whether its calls of statfs(2) shall be told to a listener."""


class _Config(msgspec.Struct, frozen=True):
    annotations: dict[str, str] = {}


msgspec.json.Decoder(Task)  # made here, in the fork server, so that no job has to find out what these are
_CONFIG: Final = msgspec.json.Decoder(_Config)


def run(arguments: Any, fds: Sequence[int]) -> int:
    """Become the process; return only when that failed.

    The descriptors: where to report, closed when the program runs; a pidfd of the zone's first process; the three
    standard streams, or none where there shall be a terminal, whose master side is reported.
    """
    credentials.hide()
    daemon = socket.socket(fileno=fds[0])
    try:
        _become(msgspec.convert(arguments, Task), daemon, fds[1], fds[2:])
    except (ZonehostError, OSError) as error:
        say_error(daemon, error)
    return 1


def _become(task: Task, daemon: socket.socket, zone: int, streams: Sequence[int]) -> NoReturn:
    process = task.plan.process
    account = account_in(task.pid, task.first_id, process.user, process.groups)
    wanted = process.capabilities if task.first_id else within_bounds(process.capabilities)
    capabilities = {ALL_CAPABILITIES.index(name) for name in wanted}
    program = _program(task.configs)
    impose(process)
    for number, fd in enumerate(streams):
        if stat.S_ISFIFO(os.fstat(fd).st_mode):  # so that the process can open /dev/stdout and the like
            os.fchown(fd, task.first_id + account.uid, -1)
        os.dup2(fd, number)
    os.setsid()
    cgroup_tree.join(task.legacy)
    if task.listener:
        listen_to_statfs(daemon)

    sys.meta_path.clear()
    namespaces.enter(zone, _SHARED)
    if task.first_id:
        namespaces.enter(zone, namespaces.NEWUSER)
        credentials.become(0, 0, ())
    if process.tty:
        _take_terminal(daemon, process.console_size, account.uid)
    _go_to(process.cwd)
    os.umask(0o022)
    credentials.leave_keyring()
    credentials.bound(capabilities)
    if program and not process.no_new_privileges:
        credentials.load_filter(program)
    credentials.become(account.uid, account.gid, account.groups)
    credentials.hold(capabilities if account.uid == 0 else ())
    if process.no_new_privileges:
        credentials.forgo_new_privileges()
        if program:
            credentials.load_filter(program)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    run_program(process.args, environment(process.env, account))


def _program(configs: Sequence[str]) -> bytes:
    """The filter of the first configuration that can be read.

    Raises:
        SystemFailure: none can be: a process without the filter could do what the zone may not.
    """
    for path in configs:
        with suppress(FileNotFoundError, IsADirectoryError, msgspec.DecodeError):
            return seccomp_program.given(_CONFIG.decode(Path(path).read_bytes()).annotations)
    raise SystemFailure(f"the filter of system calls is lost: {' and '.join(configs)} are damaged or gone")


def _take_terminal(daemon: socket.socket, size: tuple[int, int] | None, owner: int) -> None:
    """Have a new terminal of the zone's as standard streams, and report its master side."""
    master, slave = terminal.open_pair()
    if size:
        terminal.set_size(master, *size)
    os.fchown(slave, owner, -1)
    terminal.control(slave)
    for number in range(3):
        os.dup2(slave, number)
    os.close(slave)
    socket.send_fds(daemon, [msgspec.json.encode(Said(kind="terminal"))], [master])
    os.close(master)


def _go_to(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        why = os.strerror(error.errno or errno.EIO).lower()
        raise InvalidParameter(f'chdir to cwd ("{folder}") set in config.json failed: {why}') from error
