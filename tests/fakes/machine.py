"""A machine and a clock that stand still unless they are moved."""

from __future__ import annotations

import asyncio
import heapq

from zonehost.ports.machine import MachineFacts, MachineState, PathKind

_SECOND = 1_000_000_000


class HandClock:
    """Time goes on by a nanosecond a look, and by what `advance` says; who sleeps is woken by it."""

    def __init__(self, now: int = 1_700_000_000 * _SECOND) -> None:
        self._now = now
        self._uptime = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now(self) -> int:
        self._now += 1
        return self._now

    def uptime(self) -> int:
        return self._uptime

    async def sleep(self, seconds: float) -> None:
        if seconds > 0:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._sleepers, (self._uptime + int(seconds * _SECOND), self.now(), future))
            await future

    def advance(self, seconds: float) -> None:
        """Let so much time pass."""
        self._now += int(seconds * _SECOND)
        self._uptime += int(seconds * _SECOND)
        while self._sleepers and self._sleepers[0][0] <= self._uptime:
            _, _, future = heapq.heappop(self._sleepers)
            if not future.done():
                future.set_result(None)

    def set_forward(self, seconds: float) -> None:
        """Have somebody set the wall clock: no time passes."""
        self._now += int(seconds * _SECOND)


class PaperMachine:
    """A machine of two processors. All its paths are folders, but those named in `missing`."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.forwards = True
        self.states = 0
        """How many times its state was asked for."""

    @property
    def facts(self) -> MachineFacts:
        return MachineFacts(
            hostname="paper",
            kernel="6.12.0",
            os_name="Debian GNU/Linux 13 (trixie)",
            os_version="13",
            architecture="x86_64",
            cpus=2,
            cpu_numbers=frozenset({0, 1}),
            memory_nodes=frozenset({0}),
            memory=8 << 30,
            cgroup_version=2,
            security_modules=frozenset(),
            runtime_version="1.21",
            keeper_version="2.1.12",
        )

    def state(self) -> MachineState:
        self.states += 1
        return MachineState(open_files=10, threads=2, ipv4_forwarding=self.forwards)

    def forwards_ipv4(self) -> bool:
        return self.forwards

    def resolver(self) -> str:
        return "nameserver 192.0.2.1\n"

    def hosts(self) -> str:
        return "127.0.0.1 localhost\n"

    async def kind(self, path: str) -> PathKind:
        return PathKind.MISSING if path in self.missing else PathKind.FOLDER

    async def make_folder(self, path: str) -> None:
        self.missing.discard(path)
