"""The process behind `linux.forkserver`: warm, single-threaded, forks one child for each request.

It must stay small: every fork copies its page tables, and what a child writes to, reference counts among that, page by
page. So it knows nothing of asyncio, and imports little. A job is named `module:function`; the function gets its
arguments and its file descriptors, and its result is the child's exit status.

Messages on the socket, one a packet, are in `REQUEST` and `NOTICE`. A request carries a memfd of the job's name and
arguments (`marshal`, which needs no module of its own), the directory of a cgroup if the child shall be born in one, a
process (pidfd_open(2)) if it shall be born in that one's pid namespace, and then the job's own descriptors; the notice
that a child was forked carries its pidfd.

One with both is given to a spare process, if there is one (`linux.spare`). One that waits for nobody may be done in the
server's memory: the notice is then of the program that it ends as (`linux.lent_memory`).
"""

from __future__ import annotations

import errno
import gc
import marshal
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, NoReturn

from zonehost.linux import ancillary, lent_memory, libc, namespaces
from zonehost.linux.cgroup_fork import fork_into
from zonehost.linux.spare import MAX_FDS, Asked, Spares

REQUEST: Final = struct.Struct("=I???")
"""The number of the job, whether a cgroup and a process are among the descriptors, whether it may be lent memory."""
NOTICE: Final = struct.Struct("=BIii")
"""Kind, number of the job, pid, and the status (wait(2)) or the error number."""
FORKED, EXITED, REFUSED = 1, 2, 3
_DESCRIPTORS: Final = 1 << 30
"""More than a process can have (/proc/sys/fs/nr_open)."""
CRASHED: Final = 70
"""The exit status of a job that ended in an exception; the traceback is on standard error."""
_QUIET: Final = 3
"""Milliseconds without anything to do after which the spare is tended: not while a client waits for a processor."""


class Program(NamedTuple):
    """What a job may end as, in place of a status: a program that is run."""

    arguments: list[str]
    environment: dict[str, str]


def _read(request: int) -> tuple[str, str, Any]:
    """The module and the function of a job, and its arguments."""
    target, arguments = marshal.loads(os.pread(request, os.fstat(request).st_size, 0))
    module, _, function = target.partition(":")
    return module, function, arguments


def _become_job(module: str, function: str, arguments: Any, fds: list[int], foreign: list[int]) -> NoReturn:
    """Run the job in this new process, and end it: nothing of the server's own may run on. Foreign descriptors go."""
    status = CRASHED
    try:
        signal.set_wakeup_fd(-1)  # the handler of SIGCHLD, which does nothing, ends with exec (signal(7))
        for fd in foreign:
            os.close(fd)
        gc.enable()
        if module not in sys.modules:
            __import__(module)
        outcome = getattr(sys.modules[module], function)(arguments, fds)
        if isinstance(outcome, Program):
            os.execve(outcome.arguments[0], *outcome)
        status = outcome or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else CRASHED
    except BaseException:  # noqa: BLE001 - this process ends here, and says why
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _become_spared(request: int, fds: list[int], foreign: list[int]) -> NoReturn:
    """As `_become_job`, in a spare's successor."""
    _become_job(*_read(request), fds, foreign)


class _End(NamedTuple):
    """Of a job that was lent the server's memory: the process of the program that it ended as, or its status, or the
    error number with which that program could not be run."""

    program: int = 0
    status: int = 0
    refusal: int = 0


def _spawn_end(module: str, function: str, arguments: Any, fds: list[int]) -> _End:
    """Do the job in this process, and run the program that it ends as in another."""
    try:
        outcome = getattr(sys.modules[module], function)(arguments, fds)
        if not isinstance(outcome, Program):
            return _End(status=outcome or 0)
        try:
            return _End(program=os.posix_spawn(outcome.arguments[0], *outcome))
        except OSError as error:
            return _End(refusal=error.errno or errno.EIO)
    except BaseException:  # noqa: BLE001 - the server goes on, and somebody must hear of it
        sys.excepthook(*sys.exc_info())
        return _End(status=CRASHED)
    finally:
        gc.collect()  # while descriptors are still this process's own


def _warm_up(module: str) -> None:
    """Import what this job needs, so that the next of its kind finds it: a host that never builds pays for nothing."""
    __import__(module)
    gc.collect()
    gc.freeze()


class _Server:
    """Forks on request, reports ends. Its descriptors other than the job's are closed in the child."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._jobs: dict[int, int] = {}
        self._away = False
        """Whether the next child would be born in a zone's pid namespace."""
        self._pids = namespaces.open_of(os.getpid(), "pid")
        self._wake, self._woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._spares = Spares(self._woken, _become_spared)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until the other side closes."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll(_QUIET if self._spares.unready else None)}
            if not ready:
                self._come_home()
                self._spares.tend((self._connection.fileno(), self._wake, self._pids))
            if self._wake in ready:
                os.read(self._wake, 4096)
                self._reap()
            if self._connection.fileno() in ready and not self._accept():
                return

    def _accept(self) -> bool:
        asked = Asked(*ancillary.receive(self._connection, REQUEST.size, MAX_FDS + 3))
        if not asked.data:
            return False
        _, grouped, beside, _ = REQUEST.unpack(asked.data)
        if not (grouped and beside and self._spares.give(asked)):
            self._answer(asked)
        return True

    def _answer(self, asked: Asked) -> None:
        job, grouped, beside, lent = REQUEST.unpack(asked.data)
        try:
            fds = list(asked.fds)
            cgroup = fds.pop(1) if grouped else None
            process = fds.pop(1) if beside else None
            if lent and cgroup is not None and lent_memory.can_lend():
                self._lend(job, fds, cgroup)
            else:
                self._fork(job, fds, cgroup, process)
        finally:
            for fd in asked.fds:
                os.close(fd)

    def _fork(self, job: int, fds: list[int], cgroup: int | None, process: int | None) -> None:
        request, *own = fds
        module, function, arguments = _read(request)
        foreign = [fd for fd in (request, cgroup, process) if fd is not None] + self._fds()
        try:
            pid = self._bear(cgroup, process)
        except OSError as error:
            self._refuse(job, error.errno or errno.EIO)
            return
        if pid == 0:
            _become_job(module, function, arguments, own, foreign)
        self._tell_birth(job, pid)
        if module not in sys.modules:
            _warm_up(module)

    def _lend(self, job: int, fds: list[int], cgroup: int) -> None:
        request, *own = fds
        module, function, arguments = _read(request)
        if module not in sys.modules:
            _warm_up(module)
        self._come_home()
        try:
            end, pid = lent_memory.call(lambda: _spawn_end(module, function, arguments, own), cgroup)
        except OSError as error:
            self._refuse(job, error.errno or errno.EIO)
            return
        if end.refusal:
            self._refuse(job, end.refusal)
        else:
            self._tell_birth(job, end.program or pid)
        os.waitpid(pid, 0)
        if job := self._jobs.pop(pid, 0):
            self._connection.send(NOTICE.pack(EXITED, job, pid, end.status << 8))

    def _refuse(self, job: int, number: int) -> None:
        self._connection.send(NOTICE.pack(REFUSED, job, 0, number))

    def _tell_birth(self, job: int, pid: int) -> None:
        self._jobs[pid] = job
        pidfd = os.pidfd_open(pid)
        socket.send_fds(self._connection, [NOTICE.pack(FORKED, job, pid, 0)], [pidfd])
        os.close(pidfd)

    def _fds(self) -> list[int]:
        """Descriptors that are no job's."""
        return [self._connection.fileno(), self._wake, self._woken, self._pids, *self._spares.fds]

    def _bear(self, cgroup: int | None, process: int | None) -> int:
        """As os.fork(), in the cgroup and in the pid namespace of the process (setns(2), CLONE_NEWPID)."""
        if process is not None:
            namespaces.enter(process, namespaces.NEWPID)
            self._away = True
        else:
            self._come_home()
        return os.fork() if cgroup is None else fork_into(cgroup)

    def _come_home(self) -> None:
        """Have children born in this process's own pid namespace again."""
        if self._away:
            namespaces.enter(self._pids, namespaces.NEWPID)
            self._away = False

    def _reap(self) -> None:
        """Report every child that has ended; orphans that came to this subreaper have no job, and are only buried."""
        while True:
            try:
                seen = os.waitid(os.P_ALL, 0, os.WEXITED | os.WSTOPPED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if (birth := self._spares.born()) is not None:  # before its end is told, and it is buried
                self._tell_birth(REQUEST.unpack(birth[0])[0], birth[1])
            if seen is None:
                return
            pid, status = os.waitpid(seen.si_pid, 0)
            if os.WIFSTOPPED(status):
                self._spares.stopped(pid)
            elif (job := self._jobs.pop(pid, None)) is not None:
                self._connection.send(NOTICE.pack(EXITED, job, pid, status))
            elif (asked := self._spares.ended(pid)) is not None:
                self._answer(asked)


def main(fd: int, nicer: int, preload: Sequence[str]) -> None:
    """Serve on the socket until the client closes it, then end every job that has not left the process group."""
    os.nice(nicer)
    libc.prctl(libc.PR_SET_NAME, b"zonehost-fork\0")
    libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
    _forget_signals()
    os.closerange(3, fd)  # what whoever started the daemon left open is nobody's here
    os.closerange(fd + 1, _DESCRIPTORS)
    for module in preload:
        __import__(module)
    gc.collect()
    gc.freeze()
    gc.disable()
    connection = socket.socket(fileno=fd)
    connection.set_inheritable(False)
    try:
        _Server(connection).serve()
    except BrokenPipeError:
        pass
    finally:
        os.killpg(0, signal.SIGKILL)


def _forget_signals() -> None:
    """Let no job begin with a signal ignored or blocked because whoever started the daemon did so (signal(7)).

    SIGPIPE is an error of the call here; a job that runs a program gives it back.
    """
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def command(fd: int, nicer: int, preload: Sequence[str]) -> list[str]:
    """The argument vector of a server: without `site`, which would cost more than all the rest."""
    start = (
        "import sys; sys.path[:] = sys.argv[2].split(':'); "
        "from zonehost.linux.forkloop import main; main(int(sys.argv[1]), int(sys.argv[3]), sys.argv[4:])"
    )
    path = ":".join(filter(None, sys.path))
    return [sys.executable, "-I", "-S", "-c", start, str(fd), path, str(nicer), *preload]
