"""Births: the daemon's side of `birth`, from a blueprint to a zone that waits at the gate."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from zonehost.domain.blueprint import Blueprint, Limits
from zonehost.drivers.runtime.birth import Plan
from zonehost.drivers.runtime.folder import RunRoot, ZoneFolder
from zonehost.drivers.runtime.image_mounts import mount_images
from zonehost.drivers.runtime.input import Input
from zonehost.drivers.runtime.jobs import failure, hear
from zonehost.drivers.runtime.listeners import given, new_key
from zonehost.drivers.runtime.living import Zone
from zonehost.drivers.runtime.pipes import pipe
from zonehost.linux.cgroup import Hierarchies
from zonehost.linux.cgroup_group import Group, Part
from zonehost.linux.forkserver import Child, ForkServer
from zonehost.ports.runtime import Plumb
from zonehost.ports.supervisor import Supervisor

_JOB = "zonehost.drivers.runtime.birth:run"


class Nursery:
    """Bears zones of one instance.

    `machine` is the folder that all instances of this machine share.
    """

    def __init__(
        self,
        forks: ForkServer,
        root: RunRoot,
        machine: str,
        hierarchies: Hierarchies,
        supervisor: Supervisor | None,
    ) -> None:
        self._forks = forks
        self._supervisor = supervisor
        self._root = root
        self._ids = f"{machine}/ids"
        self._stage = f"{machine}/stage"
        self._hierarchies = hierarchies

    async def bear(
        self, blueprint: Blueprint, group: Group, plumb: Plumb | None, neighbours: Mapping[str, Zone]
    ) -> Zone:
        """The zone, at the gate, whose folder and groups have been made. After an error something of it may run.

        Raises:
            InvalidParameter: as `Runtime.create`.
        """
        folder = self._root.zone(blueprint.id)
        neighbour_zones = {zone: living.neighbour for zone, living in neighbours.items()}
        plan = Plan(
            blueprint=blueprint,
            folder=folder.path,
            crun_root=self._root.crun,
            stage=self._stage,
            ids=self._ids,
            stdin="",
            neighbours=neighbour_zones,
            unified=self._hierarchies.unified,
            group=group.part(Part.ZONE),
            legacy=group.legacy,
            hybrid=bool(self._hierarchies.legacy),
            listener_key=new_key() if blueprint.has_quota and self._supervisor is not None else 0,
        )
        images = await mount_images(self._forks, blueprint.binds)
        try:
            plan = msgspec.structs.replace(plan, images=len(images))
            zone = await self._with_input(plan, images, folder, group, plumb)
        finally:
            for mounted in images:
                os.close(mounted)
        zone.size = blueprint.process.console_size
        zone.whole = blueprint.namespaces.pid == "private"
        if blueprint.limits == Limits():
            zone.settle_later()
        else:
            zone.settle()
        return zone

    async def _with_input(
        self, plan: Plan, images: list[int], folder: ZoneFolder, group: Group, plumb: Plumb | None
    ) -> Zone:
        """The zone, with a pipe as its standard input if it has one; the keeper has it too if it outlives clients."""
        blueprint = plan.blueprint
        if blueprint.process.tty or not blueprint.stdin:
            return await self._raise(plan, images, folder, group, plumb)
        reader, writer = pipe()
        try:
            piped = msgspec.structs.replace(plan, stdin=f"/proc/{os.getpid()}/fd/{reader}")
            held = images if blueprint.stdin_once else [*images, writer]
            zone = await self._raise(piped, held, folder, group, plumb)
        except BaseException:
            os.close(writer)
            raise
        finally:
            os.close(reader)
        zone.input = Input(writer, once=blueprint.stdin_once)
        return zone

    async def _raise(self, plan: Plan, held: list[int], folder: ZoneFolder, group: Group, plumb: Plumb | None) -> Zone:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with ours:
            with theirs:
                forked = self._fork(plan, [theirs.fileno(), *held], group)
            try:
                pid = await self._hear_out(ours, forked, plumb, plan)
                record = folder.record()
                assert record is not None  # the job writes it before it becomes the keeper
                _give_streams(pid, record.owner)
                keeper = forked.result()
                guard, process = os.dup(keeper.pidfd), os.pidfd_open(pid)
                return Zone(plan.blueprint.id, pid, keeper.pid, record, folder, group, process, guard)
            except BaseException:
                if self._supervisor is not None:
                    self._supervisor.forget(plan.listener_key)
                raise

    def _fork(self, plan: Plan, fds: list[int], group: Group) -> asyncio.Future[Child]:
        born_in = os.open(group.part(Part.ZONE), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return self._forks.ask(_JOB, plan, fds, cgroup=born_in, lent=_waits_for_nobody(plan))
        finally:
            os.close(born_in)

    async def _hear_out(
        self, report: socket.socket, forked: asyncio.Future[Child], plumb: Plumb | None, plan: Plan
    ) -> int:
        """What the job says, up to the pid of the first process; the network is plumbed meanwhile."""
        beside: list[asyncio.Future[None]] = []
        try:
            while True:
                said, fds = await hear(report)
                if said is not None and said.kind == "net":
                    beside.append(_plumbing(plumb, fds[0]))
                elif said is not None and said.kind == "listener":
                    assert self._supervisor is not None  # else none is asked for
                    job = await asyncio.shield(forked)
                    beside.append(given(self._supervisor, plan.listener_key, fds[0], job))
                elif said is not None and said.pid > 0:
                    await asyncio.gather(*beside)
                    return said.pid
                else:
                    await asyncio.shield(forked)
                    for task in beside:
                        if task.done():  # what failed beside may be why the job is no more
                            task.result()
                    raise failure(said, plan.blueprint.process.args)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await asyncio.wait([forked])  # so that nobody kills a job that was lent the launcher's memory


def _waits_for_nobody(plan: Plan) -> bool:
    """Whether all that the job looks at is zonehost's own: no file system of others, which may never answer, and no
    namespace of another zone, in which such a one may be mounted; nor does a supervisor answer its calls, or a group of
    others, which may be frozen, stand above its own."""
    blueprint = plan.blueprint
    others = plan.neighbours or blueprint.devices or plan.listener_key or blueprint.cgroup_parent
    return not others and all(bind.own for bind in blueprint.binds)


def _give_streams(pid: int, owner: int) -> None:
    """Make the pipes of the zone's process its user's own, so that it can open /dev/stdout and the like.

    They were made by root, and to a zone with ids of its own that is nobody (runc, fixStdioPermissions).
    """
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
        for number in range(3):
            path = Path(f"/proc/{pid}/fd/{number}")
            if path.is_fifo():
                os.chown(path, owner, -1)


def _plumbing(plumb: Plumb | None, netns: int) -> asyncio.Future[None]:
    """The plumbing of the network namespace, whose descriptor is closed with it, even if it never ran."""
    work = asyncio.ensure_future(plumb(netns)) if plumb else asyncio.ensure_future(asyncio.sleep(0))
    work.add_done_callback(lambda _: os.close(netns))
    return work
