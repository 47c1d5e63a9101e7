"""Further processes in zones: the daemon's side of `exec_job`."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from typing import Final

from zonehost.domain.blueprint import ExecPlan, Process
from zonehost.domain.security import ALL_CAPABILITIES
from zonehost.drivers.runtime import seccomp_program
from zonehost.drivers.runtime.exec_ends import Ends, PipeEnds, TerminalEnds
from zonehost.drivers.runtime.exec_job import Task
from zonehost.drivers.runtime.exec_streams import PipeStreams, TerminalStreams
from zonehost.drivers.runtime.jobs import failure, hear
from zonehost.drivers.runtime.listeners import given, new_key
from zonehost.drivers.runtime.living import Zone
from zonehost.drivers.runtime.spec_process import within_bounds
from zonehost.drivers.runtime.tied import tie
from zonehost.drivers.runtime.user_job import Question
from zonehost.errors import Conflict, SystemFailure
from zonehost.linux import accounts, idmap, pidfd
from zonehost.linux.forkserver import Child, ForkServer
from zonehost.ports.streams import Streams
from zonehost.ports.supervisor import Supervisor

_JOB: Final = "zonehost.drivers.runtime.exec_job:run"
_USER_JOB: Final = "zonehost.drivers.runtime.user_job:run"
_ALIVE: Final = 0
"""The signal that only asks whether there is a process (kill(2))."""


class Execution:
    """A process that runs; see `ports.runtime.RunningExec`."""

    def __init__(self, child: Child, streams: PipeStreams) -> None:
        self.pid = child.pid
        self.streams: Streams = streams
        self._child = child

    async def resize(self, rows: int, columns: int) -> None:
        """As `RunningExec.resize`."""
        if not isinstance(self.streams, TerminalStreams):
            raise Conflict("the exec process has no terminal")
        self.streams.resize(rows, columns)

    async def kill(self, signal: int) -> None:
        """As `RunningExec.kill`."""
        self._child.kill_group(signal)

    async def wait(self) -> int:
        """As `RunningExec.wait`."""
        return await asyncio.shield(self._child.exited)


class Executions:
    """Starts processes in the zones of one instance."""

    def __init__(self, forks: ForkServer, supervisor: Supervisor | None) -> None:
        self._forks = forks
        self._supervisor = supervisor

    async def start(self, zone: Zone, plan: ExecPlan) -> Execution:
        """As `Runtime.exec`, in a zone that is not paused."""
        ends = TerminalEnds() if plan.process.tty else PipeEnds(stdin=plan.stdin)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with ours:
                ours.setblocking(False)
                with theirs:
                    child = await self._fork(zone, plan, [theirs.fileno(), zone.process, *ends.given])
                ends.hand_over()
                if plan.tied:
                    tie(zone, child)
                await self._hear_out(ours, child, ends, plan.process.args)
            return Execution(child, ends.streams())
        except BaseException:
            ends.abandon()
            raise

    async def check_user(self, zone: Zone, user: str) -> None:
        """As `Runtime.check_user`."""
        if accounts.is_number(user):
            return
        question = Question(pid=zone.pid, ids=_ids(zone), user=user)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            ours.setblocking(False)
            with theirs:
                child = await self._forks.fork(_USER_JOB, question, [theirs.fileno()])
            try:
                said, _ = await hear(ours)
            finally:
                child.kill()
        if said is not None:
            raise failure(said, ())

    async def _hear_out(self, report: socket.socket, child: Child, ends: Ends, args: Sequence[str]) -> None:
        """What the job says until it runs its program."""
        while True:
            said, fds = await hear(report)
            if said is None:
                return
            if said.kind == "listener":
                await self._watch(child, fds[0])
            elif said.kind == "terminal":
                ends.kept += fds
            else:
                raise failure(said, args)

    async def _watch(self, child: Child, listener: int) -> None:
        """Have the calls of a process answered; its listener is held until it has ended."""
        assert self._supervisor is not None  # the zone has a listener
        key, forget = new_key(), self._supervisor.forget
        child.exited.add_done_callback(lambda _: forget(key))
        await given(self._supervisor, key, listener, child)

    async def _fork(self, zone: Zone, plan: ExecPlan, fds: list[int]) -> Child:
        try:
            home = os.open(zone.group.home(zone.pid), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (ProcessLookupError, FileNotFoundError) as error:
            raise _gone(zone) from error
        process = os.dup(zone.process)  # the zone may end, and let go of its own, meanwhile
        try:
            task = self._task(zone, plan.process)
            return await self._forks.fork(_JOB, task, fds, cgroup=home, beside=process)
        except SystemFailure as error:
            if pidfd.send(process, _ALIVE):
                raise
            raise _gone(zone) from error
        finally:
            os.close(process)
            os.close(home)

    def _task(self, zone: Zone, process: Process) -> Task:
        first_id = zone.record.first_id
        if zone.filter is None:
            zone.filter = seccomp_program.given(zone.folder.annotations())
        capabilities = process.capabilities if first_id else within_bounds(process.capabilities)
        return Task(
            pid=zone.pid,
            first_id=first_id,
            ids=_ids(zone),
            legacy=zone.group.legacy,
            filter=zone.filter,
            listener=self._supervisor is not None and zone.record.listener >= 0,
            args=process.args,
            env=process.env,
            cwd=process.cwd,
            user=process.user,
            groups=process.groups,
            tty=process.tty,
            console_size=process.console_size,
            capabilities=tuple(map(ALL_CAPABILITIES.index, capabilities)),
            no_new_privileges=process.no_new_privileges,
            limits=tuple((limit.name, limit.soft, limit.hard) for limit in process.ulimits),
            oom_score=process.oom_score_adj,
        )


def _ids(zone: Zone) -> int:
    """How many ids a zone has of its own; 0 if it has the host's."""
    return idmap.COUNT if zone.record.first_id else 0


def _gone(zone: Zone) -> Conflict:
    return Conflict(f"container {zone.id} is not running")
