"""Births: the daemon's side of `birth`, from a blueprint to a zone that waits at the gate."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress

from zonehost.domain.blueprint import Blueprint
from zonehost.drivers.runtime.birth import Plan
from zonehost.drivers.runtime.folder import RunRoot
from zonehost.drivers.runtime.jobs import admit, failure, hear
from zonehost.drivers.runtime.living import Zone
from zonehost.linux.cgroup_group import Group, Part
from zonehost.linux.forkserver import Child, ForkServer
from zonehost.ports.runtime import Plumb

_JOB = "zonehost.drivers.runtime.birth:run"


class Nursery:
    """Bears zones of one instance.

    `machine` is the folder that all instances of this machine share; `hidden` is the v2 tree of a hybrid machine.
    """

    def __init__(self, forks: ForkServer, root: RunRoot, machine: str, hidden: str) -> None:
        self._forks = forks
        self._root = root
        self._ids = f"{machine}/ids"
        self._stage = f"{machine}/stage"
        self._hidden = hidden

    async def bear(
        self, blueprint: Blueprint, group: Group, plumb: Plumb | None, neighbours: Mapping[str, Zone]
    ) -> Zone:
        """The zone, at the gate. After an error its folder and groups may be left.

        Raises:
            InvalidParameter: as `Runtime.create`.
        """
        folder = self._root.zone(blueprint.id)
        folder.make(blueprint.cgroup_parent)
        plan = Plan(
            blueprint=blueprint,
            folder=folder.path,
            crun_root=self._root.crun,
            stage=self._stage,
            ids=self._ids,
            neighbours={zone: living.neighbour for zone, living in neighbours.items()},
            hidden=self._hidden,
        )
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with ours:
            with theirs:
                child = await self._fork(plan, theirs, group)
            guard = os.dup(child.pidfd)
            try:
                pid = await self._hear_out(ours, child, group, plumb, blueprint)
                record = folder.record()
                assert record is not None  # the job writes it before it becomes the keeper
                zone = Zone(blueprint.id, pid, record, folder, group, os.pidfd_open(pid), guard)
            except BaseException:
                os.close(guard)
                raise
        zone.settling = asyncio.ensure_future(_settle(group, child.pid))
        return zone

    async def _fork(self, plan: Plan, report: socket.socket, group: Group) -> Child:
        born_in = os.open(group.part(Part.ZONE), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return await self._forks.fork(_JOB, plan, [report.fileno()], cgroup=born_in)
        finally:
            os.close(born_in)

    async def _hear_out(
        self, report: socket.socket, child: Child, group: Group, plumb: Plumb | None, blueprint: Blueprint
    ) -> int:
        """What the job says, up to the pid of the first process; the network is plumbed meanwhile."""
        beside: list[asyncio.Future[None]] = [asyncio.ensure_future(admit(report, child, group))]
        try:
            while True:
                said, fds = await hear(report)
                if said is not None and said.kind == "net":
                    beside.append(_plumbing(plumb, fds[0]))
                elif said is not None and said.pid > 0:
                    await asyncio.gather(*beside)
                    return said.pid
                else:
                    raise failure(said, blueprint.process.args)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


async def _settle(group: Group, keeper: int) -> None:
    with suppress(ProcessLookupError, FileNotFoundError):  # the zone may have ended and be gone
        await asyncio.to_thread(group.move, keeper, Part.KEEPER)


def _plumbing(plumb: Plumb | None, netns: int) -> asyncio.Future[None]:
    """The plumbing of the network namespace, whose descriptor is closed with it, even if it never ran."""
    work = asyncio.ensure_future(plumb(netns)) if plumb else asyncio.ensure_future(asyncio.sleep(0))
    work.add_done_callback(lambda _: os.close(netns))
    return work
