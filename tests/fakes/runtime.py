"""Zones that are tasks of this process, and a few programs for them to run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace

from zonehost.domain.blueprint import Blueprint, ExecPlan, Limits
from zonehost.domain.blueprint import Process as Asked
from zonehost.errors import Conflict, InvalidParameter
from zonehost.ports.clock import Clock
from zonehost.ports.logs import LogLine
from zonehost.ports.runtime import Born, Exit, Plumb, ProcessTable, Running, Sample, Survey
from zonehost.ports.streams import Stream, Streams

SIGKILL = 9
SIGTERM = 15


class Process:
    """A running program: its input, its output to all who look, and its exit code."""

    def __init__(self, asked: Asked, clock: Clock, log: list[LogLine] | None = None) -> None:
        self.asked = asked
        self.input: asyncio.Queue[bytes] = asyncio.Queue()
        self.log: list[LogLine] = [] if log is None else log
        self.size: tuple[int, int] | None = None
        self.gate = asyncio.Event()
        self.exit: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._clock = clock
        self._views: set[View] = set()
        self._task = asyncio.create_task(self._run())

    def view(self) -> View:
        """A view of its streams, from now on."""
        view = View(self)
        self._views.add(view)
        if self.exit.done():
            view.offer(None)
        return view

    def leave(self, view: View) -> None:
        self._views.discard(view)

    def say(self, data: bytes, stream: Stream = Stream.STDOUT) -> None:
        """Write output."""
        stream = Stream.STDOUT if self.asked.tty else stream
        self.log.append(LogLine(self._clock.now(), stream, data))
        for view in self._views:
            view.offer((stream, data))

    def kill(self, signal: int) -> None:
        """End it by a signal; only `stubborn` lives on after SIGTERM."""
        if signal == SIGKILL or (signal == SIGTERM and self.asked.args[0] != "stubborn"):
            self._finish(128 + signal)

    async def _run(self) -> None:
        await self.gate.wait()
        code = await PROGRAMS[self.asked.args[0]](self)
        self._finish(code)

    def _finish(self, code: int) -> None:
        if not self.exit.done():
            self.exit.set_result(code)
            for view in self._views:
                view.offer(None)
            self._task.cancel()


class View:
    """One client's streams."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._chunks: asyncio.Queue[tuple[Stream, bytes] | None] = asyncio.Queue()

    def offer(self, chunk: tuple[Stream, bytes] | None) -> None:
        self._chunks.put_nowait(chunk)

    async def read(self) -> list[tuple[Stream, bytes]]:
        chunk = await self._chunks.get()
        return [] if chunk is None else [chunk]

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await self._process.input.put(bytes(data))

    async def close_input(self) -> None:
        await self._process.input.put(b"")

    async def close(self) -> None:
        self._process.leave(self)


async def _echo(process: Process) -> int:
    process.say((" ".join(process.asked.args[1:]) + "\n").encode())
    return 0


async def _cat(process: Process) -> int:
    while data := await process.input.get():
        process.say(data)
    return 0


async def _both(process: Process) -> int:
    # Docker's Python client loses output that comes together with the head of the answer, which a real exec never does.
    await asyncio.sleep(0.05)
    process.say(b"out\n")
    process.say(b"err\n", Stream.STDERR)
    return 0


async def _exit(process: Process) -> int:
    return int(process.asked.args[1])


async def _sleep(process: Process) -> int:
    await asyncio.Event().wait()
    return 0


async def _talk(process: Process) -> int:
    process.say(b"waiting")
    return await _sleep(process)


USERS = frozenset({"root", "nobody"})

PROGRAMS: dict[str, Callable[[Process], Awaitable[int]]] = {
    "echo": _echo,
    "cat": _cat,
    "both": _both,
    "exit": _exit,
    "sleep": _sleep,
    "stubborn": _sleep,
    "talk": _talk,
}


SAMPLE = Sample(
    time=0,
    cpu_total=30_000_000,
    cpu_user=20_000_000,
    cpu_system=10_000_000,
    cpu_per_cpu=(),
    host_cpu_total=5_000_000_000_000,
    online_cpus=2,
    throttled_periods=0,
    throttling_periods=0,
    throttled_time=0,
    memory_usage=1 << 20,
    memory_limit=8 << 30,
    memory_max_usage=0,
    memory_failures=0,
    memory_stats={"anon": 4096, "file": 8192},
    pids=1,
    pids_limit=100,
    block_bytes=((254, 0, "read", 4096), (254, 0, "write", 0)),
    block_operations=(),
    interfaces={
        "eth0": {
            "rx_bytes": 1,
            "rx_packets": 1,
            "rx_errors": 0,
            "rx_dropped": 0,
            "tx_bytes": 1,
            "tx_packets": 1,
            "tx_errors": 0,
            "tx_dropped": 0,
        }
    },
    cgroup_version=2,
)
"""One look at any zone; its time is the clock's."""


@dataclass
class Zone:
    """A zone of the fake kernel."""

    blueprint: Blueprint
    process: Process
    pid: int
    paused: bool = False
    limits: Limits = field(default_factory=Limits)
    execs: list[Process] = field(default_factory=list)


class TaskRuntime:
    """Makes zones out of tasks."""

    def __init__(self, clock: Clock) -> None:
        self.zones: dict[str, Zone] = {}
        self.logs: dict[str, list[LogLine]] = {}
        """What each zone has said, also when it is gone."""
        self._clock = clock
        self._pids = itertools.count(1000)
        self._exits: asyncio.Queue[Exit] = asyncio.Queue()

    async def create(self, blueprint: Blueprint, plumb: Plumb | None = None) -> Born:
        if plumb is not None:
            await plumb(0)
        log = self.logs.setdefault(blueprint.id, [])
        process = Process(_runnable(blueprint.process), self._clock, log)
        zone = self.zones[blueprint.id] = Zone(blueprint, process, next(self._pids), limits=blueprint.limits)
        process.exit.add_done_callback(lambda exit: self._ended(blueprint.id, exit))
        return Born(pid=zone.pid, keeper=next(self._pids), first_id=100000)

    async def start(self, zone: str) -> None:
        self.zones[zone].process.gate.set()

    async def attach(self, zone: str) -> View:
        return self._running(zone).process.view()

    async def resize(self, zone: str, rows: int, columns: int) -> None:
        self._running(zone).process.size = (rows, columns)

    async def check_user(self, zone: str, user: str) -> None:
        self._running(zone)
        if not user.isdigit() and user not in USERS:
            raise InvalidParameter(f"unable to find user {user}: no matching entries in passwd file")

    async def exec(self, plan: ExecPlan) -> TaskExec:
        process = Process(_runnable(plan.process), self._clock)
        self._running(plan.zone).execs.append(process)
        process.gate.set()
        return TaskExec(process, next(self._pids), process.view())

    async def kill(self, zone: str, signal: int) -> None:
        self._running(zone).process.kill(signal)

    async def pause(self, zone: str) -> None:
        self._running(zone).paused = True

    async def resume(self, zone: str) -> None:
        self._running(zone).paused = False

    async def update(self, zone: str, limits: Limits) -> None:
        self._running(zone).limits = limits

    async def top(self, zone: str, ps_args: str) -> ProcessTable:
        found = self._running(zone)
        return ProcessTable(("PID", "CMD"), ((str(found.pid), " ".join(found.process.asked.args)),))

    async def holdup(self, zone: str) -> str:
        return "process 7 in state D, in request_wait_answer"

    async def sample(self, zone: str) -> Sample:
        self._running(zone)
        return replace(SAMPLE, time=self._clock.now())

    async def reopen_log(self, zone: str) -> None:
        self._running(zone)

    async def remove(self, zone: str, noted: asyncio.Future[None] | None = None) -> None:
        found = self.zones.pop(zone, None)
        if found is not None:
            for process in (found.process, *found.execs):
                process.kill(SIGKILL)

    async def supervise(self) -> None:
        pass

    async def exits(self) -> AsyncIterator[Exit]:
        while True:
            yield await self._exits.get()

    async def expel(self, zone: str, pid: int) -> None:
        """No process of a host can get into a task."""

    async def survey(self) -> Survey:
        running = tuple(Running(key, zone.pid, zone.pid + 1, 100000) for key, zone in self.zones.items())
        return Survey(running, (), frozenset())

    def _running(self, zone: str) -> Zone:
        found = self.zones.get(zone)
        if found is None or found.process.exit.done():
            raise Conflict(f"container {zone} is not running")
        return found

    def _ended(self, zone: str, exit: asyncio.Future[int]) -> None:
        self._exits.put_nowait(Exit(zone=zone, code=exit.result(), time=self._clock.now(), oom_killed=False))


@dataclass
class TaskExec:
    """A further process of a zone."""

    process: Process
    pid: int
    streams: Streams

    async def resize(self, rows: int, columns: int) -> None:
        self.process.size = (rows, columns)

    async def kill(self, signal: int) -> None:
        self.process.kill(signal)

    async def wait(self) -> int:
        return await asyncio.shield(self.process.exit)


def _runnable(asked: Asked) -> Asked:
    if asked.args[0] not in PROGRAMS:
        raise InvalidParameter(f'exec: "{asked.args[0]}": executable file not found in $PATH')
    return asked
