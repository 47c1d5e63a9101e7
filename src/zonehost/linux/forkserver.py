"""Child processes from a warm fork server: a job in a fresh process costs a fork, not an interpreter's start.

`zonehost.linux.forkloop` is the other side. A job is a function `def job(arguments, fds) -> int | None` named
`module:function`; it may block, change namespaces and exec. Its result is its exit status; anything more it writes to
a descriptor that the caller passes.

A job lives in the server's process group and dies with the daemon, unless it leaves by setsid(2). When the server
alone is killed, running jobs go on as children of the daemon, which is their subreaper, and a new server is started.
"""

from __future__ import annotations

import asyncio
import errno
import marshal
import os
import signal
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from zonehost.errors import SystemFailure, Unavailable
from zonehost.linux import ancillary, libc, mounts, pidfd
from zonehost.linux.forkloop import EXITED, FORKED, NOTICE, REQUEST, command
from zonehost.linux.spare import MAX_FDS


@dataclass(slots=True, eq=False)
class Child:
    """A job's process. `exited` becomes its exit code, or 128 + the signal that ended it.

    `pidfd` stays open as long as this object is referred to: the job may have ended before its caller hears of it.
    """

    pid: int
    pidfd: int
    exited: asyncio.Future[int] = field(repr=False)

    def __del__(self) -> None:
        os.close(self.pidfd)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send it a signal; nothing happens if it has ended."""
        if not self.exited.done():
            pidfd.send(self.pidfd, number)

    def kill_group(self, number: int) -> None:
        """Send a signal to it and to all of the process group that it leads; nothing happens if it has ended."""
        if not self.exited.done():
            pidfd.send(self.pidfd, number, group=True)


@dataclass(slots=True, eq=False)
class _Job:
    forked: asyncio.Future[Child]
    child: Child | None = None


class ForkServer:
    """A client of one fork server, which it starts, and starts again when it dies.

    `preload` names modules that the server imports before it forks, so that jobs find them warm; by `nicer` steps of
    nice(2) the server and its jobs come after this process. Use from one loop.
    """

    def __init__(self, preload: Sequence[str] = (), *, nicer: int = 0) -> None:
        self._preload = tuple(preload)
        self._nicer = nicer
        self._connection: socket.socket | None = None
        self._pid = 0
        self._number = 0
        self._jobs: dict[int, _Job] = {}
        self._unsent: deque[tuple[bytes, list[int]]] = deque()

    @property
    def pid(self) -> int:
        """The server's pid, 0 while there is none."""
        return self._pid if self._connection else 0

    def start(self) -> None:
        """Start the server; it warms up by itself, and requests may be made at once."""
        libc.prctl(libc.PR_SET_CHILD_SUBREAPER, 1)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.setblocking(False)
            theirs.set_inheritable(True)
            argv = command(theirs.fileno(), self._nicer, self._preload)
            program = _read_only(argv[0])
            try:
                self._pid = os.posix_spawn(f"/proc/self/fd/{program}", argv, os.environ, setsid=True)
            finally:
                os.close(program)
        self._connection = ours
        asyncio.get_running_loop().add_reader(ours, self._receive)

    async def fork(
        self,
        target: str,
        arguments: Any,
        fds: Sequence[int] = (),
        *,
        cgroup: int | None = None,
        beside: int | None = None,
    ) -> Child:
        """Run `target` in a new process, with the arguments (sent as plain values) and duplicates of the descriptors.

        With the descriptor of a v2 cgroup's directory, the process is born a member of it; with the pidfd of a process,
        it is born in the pid namespace of that.

        Raises:
            Unavailable: the server died over this request; whether the job began is not known, and it will get no more.
            SystemFailure: the kernel refused the fork.
        """
        return await asyncio.shield(self.ask(target, arguments, fds, cgroup=cgroup, beside=beside))

    def ask(
        self,
        target: str,
        arguments: Any,
        fds: Sequence[int] = (),
        *,
        cgroup: int | None = None,
        beside: int | None = None,
        lent: bool = False,
    ) -> asyncio.Future[Child]:
        """As `fork`, for one who wants to hear the job while it begins; who waits must not cancel what this returns.

        A job that ends as a `Program`, is born in a cgroup, and waits for nobody, can be `lent` the server's memory.
        The server then does nothing else meanwhile, and the child is the program's process. Whoever kills such a job
        before this is told kills the server.
        """
        if len(fds) > MAX_FDS:
            raise SystemFailure(f"{len(fds)} descriptors are more than one message carries")
        if self._connection is None:
            self.start()
        text = marshal.dumps((target, msgspec.to_builtins(arguments, builtin_types=(bytes,))))
        self._number += 1
        job = self._jobs[self._number] = _Job(asyncio.get_running_loop().create_future())
        memfd = os.memfd_create("job")
        os.write(memfd, text)
        os.lseek(memfd, 0, os.SEEK_SET)
        birth = [fd for fd in (cgroup, beside) if fd is not None]
        request = REQUEST.pack(self._number, cgroup is not None, beside is not None, lent)
        self._unsent.append((request, [memfd, *map(os.dup, (*birth, *fds))]))
        self._send()
        return job.forked

    async def close(self) -> None:
        """End the server and every job that has not left its process group, whatever it is doing."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        asyncio.get_running_loop().remove_reader(connection)
        asyncio.get_running_loop().remove_writer(connection)
        connection.close()
        os.killpg(self._pid, signal.SIGKILL)  # one that is stopped would not see the end of the connection
        await asyncio.to_thread(os.waitpid, self._pid, 0)
        self._orphan_jobs()

    def _send(self) -> None:
        connection = self._connection
        loop = asyncio.get_running_loop()
        while connection is not None and self._unsent:
            data, fds = self._unsent[0]
            try:
                socket.send_fds(connection, [data], fds)
            except BlockingIOError:
                loop.add_writer(connection, self._send)
                return
            except (BrokenPipeError, ConnectionResetError):
                return  # the reader sees the end too, and cleans up
            self._unsent.popleft()
            for fd in fds:
                os.close(fd)
        if connection is not None:
            loop.remove_writer(connection)

    def _receive(self) -> None:
        assert self._connection is not None
        while True:
            try:
                data, fds = ancillary.receive(self._connection, NOTICE.size, 1)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data, fds = b"", []
            if not data:
                self._restart()
                return
            kind, number, pid, status = NOTICE.unpack(data)
            job = self._jobs[number]
            if kind == FORKED:
                job.child = Child(pid, fds[0], asyncio.get_running_loop().create_future())
                job.forked.set_result(job.child)
            elif kind == EXITED:
                self._ended(number, os.waitstatus_to_exitcode(status))
            else:
                del self._jobs[number]
                job.forked.set_exception(SystemFailure(f"cannot fork: {os.strerror(status)}"))

    def _ended(self, number: int, code: int) -> None:
        child = self._jobs.pop(number).child
        assert child is not None
        child.exited.set_result(code if code >= 0 else 128 - code)

    def _restart(self) -> None:
        assert self._connection is not None
        asyncio.get_running_loop().remove_reader(self._connection)
        asyncio.get_running_loop().remove_writer(self._connection)
        self._connection.close()
        self._connection = None
        os.waitpid(self._pid, 0)
        self._orphan_jobs()
        self.start()

    def _orphan_jobs(self) -> None:
        """Requests without an answer fail; children that run are ours now, and their pidfd tells when they end."""
        loop = asyncio.get_running_loop()
        for _, fds in self._unsent:
            for fd in fds:
                os.close(fd)
        self._unsent.clear()
        for number, job in list(self._jobs.items()):
            if job.child is None:
                del self._jobs[number]
                job.forked.set_exception(Unavailable("the launcher died"))
            else:
                loop.add_reader(job.child.pidfd, self._bury, number, job.child.pidfd)

    def _bury(self, number: int, pidfd: int) -> None:
        asyncio.get_running_loop().remove_reader(pidfd)
        try:
            result = os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        except OSError as error:
            if error.errno != errno.ECHILD:
                raise
            result = None  # the server had reaped it, and died before it could say so
        if result is None:
            child = self._jobs.pop(number).child
            assert child is not None
            child.exited.set_exception(Unavailable("the launcher died with the exit status of a job"))
            child.exited.exception()  # retrieved: nobody need wait for it
        else:
            self._ended(number, result.si_status if result.si_code == os.CLD_EXITED else -result.si_status)


def _read_only(program: str) -> int:
    """The program on a read-only mount of its own, in no mount namespace, that lives as long as a process runs it.

    A job that enters a zone may be made to run this program again there, and the zone then has a way to its file
    (`/proc/PID/exe`, CVE-2019-5736): it cannot be written by that way.
    """
    fd = mounts.clone(program)
    mounts.change(fd, add=mounts.RDONLY)
    return fd
