"""The launcher's job that starts a further process in a zone: it becomes `crun exec`, which waits for the process."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Sequence
from typing import Any

import msgspec

from zonehost.domain.blueprint import ExecPlan
from zonehost.drivers.runtime.conmon import CRUN
from zonehost.drivers.runtime.report import say_error
from zonehost.drivers.runtime.spec_process import process
from zonehost.drivers.runtime.spec_rlimits import make_room
from zonehost.drivers.runtime.staging import protect
from zonehost.errors import InvalidParameter, ZonehostError
from zonehost.linux import accounts, idmap, mounts, namespaces
from zonehost.linux.accounts import Account


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the job is told."""

    plan: ExecPlan
    pid: int
    """The zone's first process."""
    first_id: int
    """The host's id of the zone's root; 0 if the zone has the host's ids."""
    crun_root: str
    console: str
    hidden: str
    """The v2 tree of a hybrid machine, which crun must not see."""


msgspec.json.Decoder(Task)  # made here, in the fork server, so that no job has to find out what a Task is


def run(arguments: Any, fds: Sequence[int]) -> int:
    """Start the process and exec its waiter; return only when that failed.

    The descriptors: where to report; a pipe for the pid; the three standard streams; with a terminal, the folder in
    which a socket of the task's name waits for its master side.
    """
    report, pid_pipe, *streams = fds
    daemon = socket.socket(fileno=report)
    try:
        task = msgspec.convert(arguments, Task)
        account = _account(task)
        for number, fd in enumerate(streams[:3]):
            if stat.S_ISFIFO(os.fstat(fd).st_mode):  # so that the process can open /dev/stdout and the like
                os.fchown(fd, task.first_id + account.uid, -1)
            os.dup2(fd, number)
        os.setsid()
        argv = [CRUN, "--cgroup-manager=disabled", f"--root={task.crun_root}", "exec"]
        argv += [f"--process={_process_file(task, account)}", f"--pid-file={_path(pid_pipe)}"]
        if task.plan.process.tty:
            argv.append(f"--console-socket={_path(streams[3])}/{task.console}")
        namespaces.unshare(namespaces.NEWNS)
        mounts.propagate("/", mounts.SLAVE | mounts.REC)
        protect(CRUN)
        if task.hidden:
            mounts.detach(task.hidden)
        daemon.recv(1)  # the daemon's word that this process is in all of the zone's cgroups
        os.execve(CRUN, [*argv, task.plan.zone], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    except (ZonehostError, OSError) as error:
        say_error(daemon, error)
    return 1


def _account(task: Task) -> Account:
    process = task.plan.process
    root = os.open(f"/proc/{task.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        account = accounts.find(root, process.user, process.groups)
    finally:
        os.close(root)
    if task.first_id and max(account.uid, *account.groups) >= idmap.COUNT:
        raise InvalidParameter(f"uids and gids must be below {idmap.COUNT} in a user namespace of its own")
    return account


def _process_file(task: Task, account: Account) -> str:
    """A path, for crun alone, of the process in the OCI's form."""
    make_room(task.plan.process)
    memfd = os.memfd_create("process")
    os.write(memfd, msgspec.json.encode(process(task.plan.process, account, userns=task.first_id != 0)))
    return _path(memfd)


def _path(fd: int) -> str:
    os.set_inheritable(fd, True)
    return f"/proc/self/fd/{fd}"
