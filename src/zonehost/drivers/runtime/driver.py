"""The runtime of one instance; see `ports.runtime.Runtime`, whose words stand for the docstrings here.

Owns which zones are alive. What each verb does with one is in the modules beside it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from zonehost.domain.blueprint import Blueprint, ExecPlan, Limits, Namespaces
from zonehost.drivers.runtime import conmon, keepers
from zonehost.drivers.runtime.attachment import Attachment
from zonehost.drivers.runtime.census import find_living
from zonehost.drivers.runtime.device_filter import DeviceFilter
from zonehost.drivers.runtime.endings import Endings, ending
from zonehost.drivers.runtime.executions import Execution, Executions
from zonehost.drivers.runtime.folder import RunRoot, ZoneFolder
from zonehost.drivers.runtime.limits import bound
from zonehost.drivers.runtime.living import Zone
from zonehost.drivers.runtime.nursery import Nursery
from zonehost.drivers.runtime.processes import check_arguments, cut_down, of_these
from zonehost.drivers.runtime.removal import remove, stuck
from zonehost.drivers.runtime.sampling import sample
from zonehost.drivers.runtime.tied import end_left
from zonehost.errors import Blocked, Conflict, InvalidParameter, SystemFailure
from zonehost.linux import cgroup_tree, control_file, pidfd
from zonehost.linux.cgroup import Hierarchies
from zonehost.linux.cgroup_group import Group, Instance, Part
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.runtime import Born, Exit, Plumb, ProcessTable, Running, Sample, Survey
from zonehost.ports.supervisor import Supervisor

log = logging.getLogger(__name__)

PRELOAD: Final = (
    "zonehost.drivers.runtime.birth",
    "zonehost.drivers.runtime.top_job",
)
"""What the fork server should have warm."""
EXEC_PRELOAD: Final = ("zonehost.drivers.runtime.exec_job", "zonehost.drivers.runtime.user_job")
"""What that for execs should, and nothing else: the less memory it has, the cheaper are its forks and their ends."""
MACHINE: Final = "/run/zonehost"
"""Shared by all instances of the machine: the leases of ids, and a folder to mount over in private."""
_NO_ZONE: Final = {"private", "host", "none", "shareable"}
_FREEZING: Final = 10.0
"""Seconds that it may take until all processes of a zone stand still."""


class ZoneRuntime:
    """Zones of the instance `name`, below `run_root`."""

    def __init__(
        self,
        forks: ForkServer,
        execs: ForkServer,
        hierarchies: Hierarchies,
        name: str,
        run_root: str,
        *,
        machine: str = MACHINE,
        supervisor: Supervisor | None = None,
    ) -> None:
        """`execs` forks further processes of zones. `supervisor` is needed where a blueprint has a quota."""
        self._forks = forks
        self._supervisor = supervisor
        self._hierarchies = hierarchies
        self._name = name
        self._root = RunRoot(run_root)
        self._root.make()
        for folder in (machine, f"{machine}/stage"):
            Path(folder).mkdir(mode=0o711, parents=True, exist_ok=True)
        self._nursery = Nursery(forks, self._root, machine, hierarchies, supervisor)
        self._executions = Executions(execs, supervisor)
        self._devices = DeviceFilter()
        self._endings = Endings()
        self._zones: dict[str, Zone] = {}

    async def create(self, blueprint: Blueprint, plumb: Plumb | None = None) -> Born:
        """As in the port."""
        if blueprint.id in self._zones:
            raise Conflict(f"container {blueprint.id} is already running")
        neighbours = self._neighbours(blueprint.namespaces)
        try:
            with _kernel_errors("make the zone"):
                self._root.zone(blueprint.id).make(blueprint.cgroup_parent)
                group = self._group(blueprint.id)
                await asyncio.to_thread(self._make_group, group, blueprint)
                zone = await self._nursery.bear(blueprint, group, plumb, neighbours)
                self._adopt(zone)
                if blueprint.limits != Limits():
                    await asyncio.to_thread(bound, blueprint.limits, group, fresh=True)
        except BaseException:
            await self.remove(blueprint.id)
            raise
        return Born(zone.pid, zone.keeper, zone.record.first_id)

    async def start(self, zone: str) -> None:
        """As in the port."""
        gate = self._living(zone).folder.gate
        try:
            fifo = os.open(gate, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:  # ENOENT: it is open already; ENXIO: nobody waits at it
            raise Conflict(f"container {zone} does not wait to be started") from error
        try:
            Path(gate).unlink()
            os.write(fifo, b"0")
        finally:
            os.close(fifo)

    async def attach(self, zone: str) -> Attachment:
        """As in the port."""
        living = self._living(zone)
        return Attachment(living.output, living.input, typed=living.record.typed)

    async def resize(self, zone: str, rows: int, columns: int) -> None:
        """As in the port."""
        living = self._living(zone)
        if living.size != (rows, columns):  # conmon signals SIGWINCH even where nothing changes
            conmon.resize(living.folder, rows, columns)
            living.size = (rows, columns)

    async def check_user(self, zone: str, user: str) -> None:
        """As in the port."""
        with _kernel_errors("look for a user of the zone"):
            await self._executions.check_user(self._living(zone), user)

    async def exec(self, plan: ExecPlan) -> Execution:
        """As in the port."""
        zone = self._living(plan.zone)
        if _frozen(zone):
            raise Conflict(f"Container {plan.zone} is paused, unpause the container before exec")
        with _kernel_errors("start a process in the zone"):
            return await self._executions.start(zone, plan)

    async def kill(self, zone: str, signal: int) -> None:
        """As in the port."""
        living = self._living(zone)
        try:
            pidfd.send(living.process, signal)
            living.wake_keeper()
        except OSError as error:
            raise InvalidParameter(f"invalid signal: {signal}") from error

    async def pause(self, zone: str) -> None:
        """As in the port."""
        living = self._living(zone)
        await living.settled()
        try:
            async with asyncio.timeout(_FREEZING):
                await living.group.freeze()
        except TimeoutError as error:
            living.group.thaw()
            raise Blocked(f"container {zone} cannot be paused: a process does not come to a stop") from error
        except FileNotFoundError as error:
            raise Conflict(f"container {zone} is not running") from error

    async def resume(self, zone: str) -> None:
        """As in the port."""
        try:
            self._living(zone).group.thaw()
        except FileNotFoundError as error:
            raise Conflict(f"container {zone} is not running") from error

    async def update(self, zone: str, limits: Limits) -> None:
        """As in the port."""
        living = self._living(zone)
        await living.settled()
        await asyncio.to_thread(bound, limits, living.group, fresh=False)

    async def top(self, zone: str, ps_args: str) -> ProcessTable:
        """As in the port."""
        living = self._living(zone)
        words = check_arguments(ps_args)
        await living.settled()
        pids = living.group.pids(Part.ZONE)
        code, output = await self._ps(living, of_these(words, pids))
        if code:  # some options do not go with -q
            code, output = await self._ps(living, words)
        if code:
            raise SystemFailure(f"ps: {output.strip().splitlines()[0] if output.strip() else code}")
        return cut_down(output, frozenset(pids))

    async def _ps(self, zone: Zone, words: list[str]) -> tuple[int, str]:
        read, write = os.pipe2(os.O_CLOEXEC)
        arguments = {"pid": zone.pid, "userns": zone.record.first_id != 0, "args": words}
        try:
            child = await self._forks.fork("zonehost.drivers.runtime.top_job:run", arguments, [write])
        finally:
            os.close(write)
        with open(read, encoding="utf-8", errors="replace") as output:
            text = await asyncio.to_thread(output.read)
        return await asyncio.shield(child.exited), text

    async def holdup(self, zone: str) -> str:
        """As in the port."""
        return stuck(self._group(zone))

    async def sample(self, zone: str) -> Sample:
        """As in the port."""
        living = self._living(zone)
        await living.settled()
        return sample(living)

    async def reopen_log(self, zone: str) -> None:
        """As in the port."""
        conmon.reopen_log(self._living(zone).folder)

    async def remove(self, zone: str, noted: asyncio.Future[None] | None = None) -> None:
        """As in the port."""
        folder = self._root.zone(zone)
        living = self._zones.get(zone)
        with _kernel_errors("remove the zone"):
            await remove(folder, self._group(zone), living, noted)
        if self._zones.pop(zone, None) is not None and living is not None:
            if self._supervisor is not None:
                self._supervisor.forget(living.record.listener_key)
            living.close()

    async def expel(self, zone: str, pid: int) -> None:
        """As in the port."""
        with _kernel_errors("take a process out of the zone"):
            await asyncio.to_thread(self._group(zone).expel, pid)

    async def supervise(self) -> None:
        """As in the port."""
        if self._supervisor is not None:
            await self._supervisor.begin()

    def exits(self) -> AsyncIterator[Exit]:
        """As in the port."""
        return self._endings.each()

    async def survey(self) -> Survey:
        """As in the port."""
        ended, remains = [], set()
        kept = keepers.found(self._root.zones, self._name)
        for zone in self._root.ids() | Instance(self._hierarchies, self._name).zones() | kept.keys():
            folder, keeper = self._root.zone(zone), kept.get(zone, 0)
            if keeper:
                self._mend_parent(folder, keeper)
            group = self._group(zone)
            living = await find_living(folder, group, keeper) if keeper else None
            if living is not None:
                self._adopt(living)
                end_left(living)
                await self._supervise(living)
                continue
            remains.add(zone)
            if (folder.pid() or folder.exit_code()) and not os.path.exists(folder.gate):
                ended.append(ending(folder, group))
        running = tuple(Running(z.id, z.pid, z.keeper, z.record.first_id) for z in self._zones.values())
        return Survey(running, tuple(ended), frozenset(remains))

    def _neighbours(self, asked: Namespaces) -> dict[str, Zone]:
        """The zones whose namespaces are to be joined."""
        named = {asked.net, asked.pid, asked.ipc, asked.uts} - _NO_ZONE
        missing = [zone for zone in named if zone not in self._zones or self._zones[zone].over.is_set()]
        if missing:
            raise Conflict(f"cannot join network of a non running container: {missing[0]}")
        return {zone: self._zones[zone] for zone in named}

    async def close(self) -> None:
        """Let go of all zones, which live on. Where there are none, the instance's empty groups go."""
        for zone in self._zones.values():
            await zone.settled()
            self._endings.forget(zone)
            zone.close()
        self._zones.clear()
        instance = Instance(self._hierarchies, self._name)
        if not instance.zones():
            instance.remove()

    def _make_group(self, group: Group, blueprint: Blueprint) -> None:
        group.create()
        self._devices.apply(blueprint, group)

    def _adopt(self, zone: Zone) -> None:
        self._zones[zone.id] = zone
        self._endings.watch(zone)

    async def _supervise(self, zone: Zone) -> None:
        """Have the calls of a zone that is found alive answered."""
        record = zone.record
        if self._supervisor is None or record.listener < 0:
            return
        try:
            listener = pidfd.borrow(zone.guard, record.listener)
        except OSError:
            return  # it has just ended
        try:
            await self._supervisor.watch(record.listener_key, listener)
        except SystemFailure as error:
            log.error("container %s: %s", zone.id, error)
        finally:
            os.close(listener)

    def _mend_parent(self, folder: ZoneFolder, keeper: int) -> None:
        """Have the folder of a living zone say where its groups are, which its keeper's own shows."""
        group = cgroup_tree.path_of(keeper)
        parent, ours, _ = group.partition(f"/zonehost/{self._name}/{folder.zone}/")
        if ours and not group.startswith(f"/{self._group(folder.zone).path}/"):
            folder.mend(folder.parent_file, parent.encode())

    def _group(self, zone: str) -> Group:
        """Where the zone is if it lives, else where its folder says."""
        living = self._zones.get(zone)
        if living is not None:
            return living.group
        return Instance(self._hierarchies, self._name, self._root.zone(zone).cgroup_parent()).group(zone)

    def _living(self, zone: str) -> Zone:
        living = self._zones.get(zone)
        if living is None or living.over.is_set():
            raise Conflict(f"container {zone} is not running")
        return living


@contextmanager
def _kernel_errors(what: str) -> Iterator[None]:
    """What the kernel refuses, where no request could have caused it."""
    try:
        yield
    except OSError as error:
        raise SystemFailure(f"cannot {what}: {error}") from error


def _frozen(zone: Zone) -> bool:
    with suppress(FileNotFoundError):
        return control_file.read(f"{zone.group.part(Part.ZONE)}/cgroup.freeze").strip() == "1"
    return False
