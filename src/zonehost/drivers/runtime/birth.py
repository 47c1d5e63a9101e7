"""The launcher's job that builds a zone and ends as its keeper.

It runs in a fresh, single-threaded process, born in the zone's cgroup, whose memory may be the fork server's own: it
leaves nothing there. It tells the daemon on one socket, a packet each: the network namespace as soon as there is one,
or what went wrong. Then conmon tells the pid of the zone's first process, at the gate, on the same socket.
"""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from zonehost.domain.blueprint import BindMount, Blueprint
from zonehost.drivers.runtime import belonging, conmon, seccomp_program, spec
from zonehost.drivers.runtime.belonging import Neighbour
from zonehost.drivers.runtime.folder import KeeperRecord, ZoneFolder
from zonehost.drivers.runtime.listening import listen_to_calls
from zonehost.drivers.runtime.report import say, say_error
from zonehost.drivers.runtime.site import Site
from zonehost.drivers.runtime.spec_devices import passed
from zonehost.drivers.runtime.spec_rlimits import make_room
from zonehost.drivers.runtime.staging import Stage, clone_binds, protect
from zonehost.errors import InvalidParameter, ZonehostError
from zonehost.linux import accounts, cgroup_tree, idmap, libc, mounts, namespaces, overlay
from zonehost.linux.accounts import Account
from zonehost.linux.forkloop import Program
from zonehost.linux.openat import IN_ROOT, open_below


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the job is told."""

    blueprint: Blueprint
    folder: str
    crun_root: str
    stage: str
    """The host's folder that the private tmpfs covers."""
    ids: str
    """The machine's file of id leases."""
    stdin: str
    """The path of the zone's standard input, a pipe of the daemon's; empty for a terminal or none."""
    neighbours: dict[str, Neighbour]
    """By zone id, all that the blueprint's namespaces name."""
    unified: str
    """Where the v2 tree is mounted."""
    group: str
    """The zone's group in it."""
    legacy: tuple[str, ...]
    """The zone's groups in v1 hierarchies; none on pure v2."""
    hybrid: bool
    """Whether v1 hierarchies hold the controllers."""
    images: int = 0
    """How many mounts of image files come with it."""
    listener_key: int = 0
    """The name of the listener to which its calls shall be told that have an answer; 0 if none."""


msgspec.json.Decoder(Plan)  # made here, in the fork server, so that no job has to find out what a Plan is


def run(arguments: Any, fds: Sequence[int]) -> Program | int:
    """Build the zone: its keeper, or a status where that failed.

    The descriptors: where to report; the mounts of image files; the writing end of the zone's input, if the keeper
    shall hold it.
    """
    report = fds[0]
    try:
        plan = msgspec.convert(arguments, Plan)
        return _Birth(plan, report, fds[1 : 1 + plan.images], fds[1 + plan.images :]).go()
    except (ZonehostError, OSError) as error:
        say_error(report, error)
    return 1


class _Birth:
    def __init__(self, plan: Plan, report: int, images: Sequence[int], held: Sequence[int]) -> None:
        self._plan = plan
        self._blueprint = plan.blueprint
        self._report = report
        self._images = images
        self._inherited = [report, *held]
        self._input = held[0] if held else -1

    def go(self) -> Program:
        plan, blueprint = self._plan, self._blueprint
        make_room(blueprint.process)
        devices = passed(blueprint)
        apart = belonging.has_own_ids(blueprint.namespaces, plan.neighbours)
        binds = [
            (_found(bind, clone), clone) for bind, clone in clone_binds(blueprint.binds, self._images, apart=apart)
        ]
        blueprint = msgspec.structs.replace(blueprint, binds=tuple(bind for bind, _ in binds))
        shm = self._clone_shm()
        namespaces.unshare(namespaces.NEWNS)
        mounts.propagate("/", mounts.SLAVE | mounts.REC)
        place = belonging.find(blueprint.namespaces, plan.neighbours, plan.ids)
        self._inherited += place.inherited
        if place.net is not None:
            say(self._report, "net", "", place.net)
        identity = place.identity
        stage = Stage(plan.stage, identity)
        root = stage.root(blueprint.root)
        site = Site(
            root=root,
            account=self._settle(root, identity),
            namespaces=place.joined,
            binds=tuple(stage.bind(bind, clone) for bind, clone in binds),
            images=tuple(map(stage.image, blueprint.images)),
            seccomp=self._seccomp(),
            userns=identity is not None,
            devices=devices,
            nodes=tuple(map(stage.node, devices)) if identity is not None else (),
            shm="" if shm is None else stage.put(shm),
            mqueue=self._mqueue(stage) if identity is not None else "",
            hybrid=plan.hybrid,
        )
        folder = ZoneFolder(plan.folder, f"{plan.crun_root}/{blueprint.id}")
        with open(folder.config, "wb") as file:
            file.write(msgspec.json.encode(spec.config(blueprint, site)))
        record = KeeperRecord(
            first_id=place.first_id,
            lease=place.lease,
            owner=place.first_id + site.account.uid,
            typed=blueprint.process.tty and blueprint.stdin,
            input=self._input,
            listener=self._listen(),
            listener_key=plan.listener_key,
        )
        folder.write_record(record)
        protect(conmon.CRUN)
        self._hide_cgroups()
        if place.holder:
            os.waitpid(place.holder, 0)
        cgroup_tree.join(plan.legacy)
        return self._keeper(folder, record)

    def _hide_cgroups(self) -> None:
        """Leave what crun and conmon need of the v2 tree, and no more.

        crun refuses a hybrid tree. conmon would watch the zone's memory.events, at an inotify instance a zone, of which
        a user has 128 (inotify(7)); how a zone ended is asked of the group itself, so conmon is not to find the file.
        """
        if self._plan.hybrid:
            mounts.detach(self._plan.unified)
        elif self._blueprint.namespaces.cgroup == "private":
            group = mounts.clone(self._plan.group)
            mounts.place(group, self._plan.unified)
            os.close(group)

    def _seccomp(self) -> str:
        profile = self._blueprint.seccomp
        if profile is None:
            return ""
        folder = f"{os.path.dirname(self._plan.crun_root)}/seccomp"
        return seccomp_program.program(profile, self._blueprint.process.capabilities, folder)

    def _listen(self) -> int:
        """Put the keeper, and so the zone, under the filter whose listener the keeper holds."""
        listener = listen_to_calls(self._report) if self._plan.listener_key else None
        if listener is None:
            return -1
        self._inherited.append(listener)
        return listener

    def _keeper(self, folder: ZoneFolder, record: KeeperRecord) -> Program:
        libc.default_action(signal.SIGPIPE)
        for fd in self._inherited:
            os.set_inheritable(fd, True)
        argv = conmon.command(self._blueprint, folder, self._plan.crun_root, self._plan.stdin)
        os.chdir(folder.path)  # where conmon leaves a file `oom` when the kernel ran out of the zone's memory
        return Program(argv, conmon.environment(self._report, self._plan.stage, record))

    def _mqueue(self, stage: Stage) -> str:
        """The host's message queues, which a zone with ids of its own may join but not mount."""
        return stage.put(mounts.new("mqueue")) if self._blueprint.namespaces.ipc == "host" else ""

    def _clone_shm(self) -> int | None:
        """The /dev/shm that belongs to an IPC namespace which is not the zone's own."""
        whose = self._blueprint.namespaces.ipc
        if whose == "host":
            return mounts.clone("/dev/shm")
        if whose not in self._plan.neighbours:
            return None
        home = namespaces.open_of(os.getpid(), "mnt")
        there = namespaces.open_of(self._plan.neighbours[whose].pid, "mnt")
        try:
            namespaces.enter(there, namespaces.NEWNS)
            return mounts.clone("/dev/shm")
        finally:
            namespaces.enter(home, namespaces.NEWNS)
            os.close(there)
            os.close(home)

    def _settle(self, path: str, identity: overlay.Identity | None) -> Account:
        """Look up who runs in the root at the path, and make the working directory there if it is missing."""
        process = self._blueprint.process
        root = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            account = accounts.find(root, process.user, process.groups)
            if identity is not None and max(account.uid, *account.groups) >= idmap.COUNT:
                raise InvalidParameter(f"uids and gids must be below {idmap.COUNT} in a user namespace of its own")
            with overlay.acting_as(identity):
                make_folders(root, process.cwd)
        finally:
            os.close(root)
        return account


def make_folders(root: int, path: str) -> None:
    """Make the directory below `root`, and those on the way, as Docker does with a missing working directory.

    Raises:
        InvalidParameter: something else is there, in Docker's words.
    """
    steps = [step for step in path.split("/") if step]
    for depth in range(1, len(steps) + 1):
        with suppress(FileExistsError):
            above = open_below(root, "/".join(steps[: depth - 1]).encode(), os.O_PATH, IN_ROOT)
            try:
                os.mkdir(steps[depth - 1], 0o755, dir_fd=above)
            except NotADirectoryError as error:
                raise InvalidParameter(f"Cannot mkdir: {path} is not a directory") from error
            finally:
                os.close(above)


def _found(bind: BindMount, clone: int) -> BindMount:
    """The bind, not recursive if it is of a file: crun 1.8 would open that as a folder to make it recursively `ro`."""
    whole = bind.recursive and stat.S_ISDIR(os.fstat(clone).st_mode)
    return msgspec.structs.replace(bind, recursive=whole)
