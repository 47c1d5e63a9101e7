"""Further processes in zones: the daemon's side of `exec_job`."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Final

import msgspec

from zonehost.domain.blueprint import ExecPlan
from zonehost.drivers.runtime.exec_ends import Ends, PipeEnds, TerminalEnds
from zonehost.drivers.runtime.exec_job import Task
from zonehost.drivers.runtime.exec_streams import PipeStreams, TerminalStreams
from zonehost.drivers.runtime.intake import next_packet, readable
from zonehost.drivers.runtime.jobs import admit, failure
from zonehost.drivers.runtime.living import Zone
from zonehost.drivers.runtime.report import Said
from zonehost.errors import Conflict, ZonehostError
from zonehost.linux import pidfd
from zonehost.linux.forkserver import Child, ForkServer
from zonehost.ports.streams import Streams

_JOB: Final = "zonehost.drivers.runtime.exec_job:run"


class Execution:
    """A process that runs; see `ports.runtime.RunningExec`."""

    def __init__(self, pid: int, child: Child, streams: PipeStreams) -> None:
        self.pid = pid
        self.streams: Streams = streams
        self._child = child
        self._process = pidfd.find(pid)
        child.exited.add_done_callback(self._let_go)

    async def resize(self, rows: int, columns: int) -> None:
        """As `RunningExec.resize`."""
        if not isinstance(self.streams, TerminalStreams):
            raise Conflict("the exec process has no terminal")
        self.streams.resize(rows, columns)

    async def kill(self, signal: int) -> None:
        """As `RunningExec.kill`."""
        if self._process is not None:
            pidfd.send(self._process, signal)

    async def wait(self) -> int:
        """As `RunningExec.wait`."""
        return await asyncio.shield(self._child.exited)

    def _let_go(self, _: asyncio.Future[int]) -> None:
        if self._process is not None:
            os.close(self._process)
            self._process = None


class Executions:
    """Starts processes in the zones of one instance; `hidden` is the v2 tree of a hybrid machine."""

    def __init__(self, forks: ForkServer, crun_root: str, hidden: str) -> None:
        self._forks = forks
        self._crun_root = crun_root
        self._hidden = hidden

    async def start(self, zone: Zone, plan: ExecPlan) -> Execution:
        """As `Runtime.exec`, in a zone that is not paused."""
        ends = TerminalEnds(zone.folder.path, _console(plan)) if plan.process.tty else PipeEnds(stdin=plan.stdin)
        started, pid_pipe = os.pipe2(os.O_CLOEXEC)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with ours:
                ours.setblocking(False)
                with theirs:
                    child = await self._fork(zone, plan, [theirs.fileno(), pid_pipe, *ends.given])
                os.close(pid_pipe)
                pid_pipe = -1
                ends.hand_over()
                admission = asyncio.ensure_future(admit(ours, child, zone.group))
                await readable(started)
                pid = os.read(started, 32)
                await admission
                if not pid:
                    raise _reason(ours, ends, plan)
            return Execution(int(pid), child, await ends.streams())
        except BaseException:
            ends.abandon()
            raise
        finally:
            os.close(started)
            if pid_pipe >= 0:
                os.close(pid_pipe)

    async def _fork(self, zone: Zone, plan: ExecPlan, fds: list[int]) -> Child:
        task = Task(
            plan=plan,
            pid=zone.pid,
            first_id=zone.record.first_id,
            crun_root=self._crun_root,
            console=_console(plan),
            hidden=self._hidden,
        )
        try:
            home = os.open(zone.group.home(zone.pid), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except (ProcessLookupError, FileNotFoundError) as error:
            raise Conflict(f"container {zone.id} is not running") from error
        try:
            return await self._forks.fork(_JOB, task, fds, cgroup=home)
        finally:
            os.close(home)


def _reason(report: socket.socket, ends: Ends, plan: ExecPlan) -> ZonehostError:
    """Why the process did not start: what the job said, or else what crun said."""
    try:
        data, _ = next_packet(report, 65536)
    except BlockingIOError:
        data = b""
    said = msgspec.json.decode(data, type=Said) if data else Said(message=ends.complaint())
    return failure(said, plan.process.args)


def _console(plan: ExecPlan) -> str:
    return f"exec-{plan.id[:12]}"
