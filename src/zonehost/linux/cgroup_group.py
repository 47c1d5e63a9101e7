"""One zone's cgroups: made, entered, killed, frozen, listed and taken away, in every hierarchy at once.

In the v2 tree a zone is `zonehost/<instance>/<id>` with two children: `zone` for its processes and `keeper` for the
process that watches them. In each v1 hierarchy it is `zonehost/<instance>/<id>` for its processes; the keeper stays in
`zonehost/<instance>`. Limits and counters are other modules' work: this one says in which directories they are.

Calls here raise OSError as the kernel does. None blocks, except those that move a process (see `move`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zonehost.errors import InvalidParameter, Unavailable
from zonehost.linux import cgroup_tree as tree
from zonehost.linux import control_file
from zonehost.linux.cgroup_events import until
from zonehost.linux.cgroup_protection import protection, share_out, sum_up

if TYPE_CHECKING:
    from zonehost.linux.cgroup import Hierarchies


_TRIES: Final = 20
"""To make a directory whose parent may go meanwhile: with the last zone there, or the last other instance."""


class Part(StrEnum):
    """Which of a zone's processes a group holds."""

    ZONE = "zone"
    KEEPER = "keeper"


@dataclass(frozen=True, slots=True)
class Places:
    """Where a zone's processes are: the v2 group, and controller to directory in the v2 tree and in v1 hierarchies."""

    zone: str
    unified: dict[str, str]
    legacy: dict[str, str]


class Instance:
    """The directory `zonehost/<name>` in every hierarchy, below `parent`: `--cgroup-parent`, or the root."""

    def __init__(self, hierarchies: Hierarchies, name: str, parent: str = "") -> None:
        """Raises: InvalidParameter: the parent's path climbs with `..`."""
        if ".." in parent.split("/"):
            raise InvalidParameter(f"invalid cgroup parent {parent}: '..' is not allowed")
        self.hierarchies = hierarchies
        steps = [step for step in parent.split("/") if step not in ("", ".")]
        self._steps = (*steps, "zonehost", name)
        self._foreign = bool(steps)
        self.path = "/".join(self._steps)

    def group(self, zone: str) -> Group:
        """The groups of the zone with this id, whether they exist or not."""
        return Group(self, zone)

    def zones(self) -> set[str]:
        """The ids that have a group in any hierarchy."""
        found: set[str] = set()
        for root in self.hierarchies.roots:
            with suppress(FileNotFoundError), os.scandir(f"{root}/{self.path}") as entries:
                found.update(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
        return found

    def prepare(self) -> None:
        """Make the instance's own directories, and hand the controllers down to them. Idempotent.

        Raises:
            Unavailable: processes in a group on the way keep its controllers from being handed down (the "no internal
                processes" rule of cgroups(7)).
        """
        for root in self.hierarchies.roots:
            _while_others_leave(partial(self._prepare_in, root))
        own = f"{self.hierarchies.unified}/{self.path}"
        tree.hand_down(own, self.hierarchies.controllers)
        if "memory" in self.hierarchies.controllers:
            sum_up(own)

    def _prepare_in(self, root: str) -> None:
        at = root
        for step in self._steps:
            if root == self.hierarchies.unified:
                tree.hand_down(at, self.hierarchies.controllers)
            above, at = at, f"{at}/{step}"
            tree.make_on_the_way(at)
            if root == self.hierarchies.legacy.get("cpuset"):
                tree.inherit_cpuset(above, at)

    def make(self, directory: str) -> None:
        """Make a directory below the instance's own, which are made too if they are missing. Idempotent."""

        def make() -> None:
            try:
                tree.make(directory)
            except FileNotFoundError:
                self.prepare()
                tree.make(directory)

        _while_others_leave(make)

    def remove(self) -> None:
        """Take away `zonehost/<name>`, and `zonehost` if no other instance uses it. For an instance without zones.

        Raises:
            OSError: EBUSY, a zone's group is still there.
        """
        for root in self.hierarchies.roots:
            own = f"{root}/{self.path}"
            tree.remove(own)
            with _suppress_busy():
                tree.remove(os.path.dirname(own))

    def leave_parent(self) -> None:
        """Leave nothing below a parent that is not zonehost's own, once the last zone there has gone, nor the parent
        itself if nobody else made it."""
        if self._foreign:
            with _suppress_busy():
                self.remove()
                for root in self.hierarchies.roots:
                    tree.remove_way(root, os.path.dirname(os.path.dirname(f"{root}/{self.path}")))


class Group:
    """The groups of one zone."""

    def __init__(self, instance: Instance, zone: str) -> None:
        self._instance = instance
        hierarchies = instance.hierarchies
        self.path = f"{instance.path}/{zone}"
        """Below each mount point."""
        self.unified = f"{hierarchies.unified}/{self.path}"
        """The v2 group's directory: the zone's identity."""
        inside = self.part(Part.ZONE)
        self.places = Places(
            inside,
            dict.fromkeys(hierarchies.controllers, inside),
            {controller: f"{root}/{self.path}" for controller, root in hierarchies.legacy.items()},
        )
        self.legacy = tuple(f"{root}/{self.path}" for root in hierarchies.roots[1:])
        """The directories in the v1 hierarchies; none on pure v2. See `cgroup_tree.join`."""

    def part(self, part: Part) -> str:
        """The directory in the v2 tree that holds these processes."""
        return f"{self.unified}/{part.value}"

    def create(self) -> None:
        """Make the groups, without limits. Idempotent. Raises: Unavailable: as `Instance.prepare`."""
        self._instance.make(self.unified)
        tree.hand_down(self.unified, self._instance.hierarchies.controllers)
        tree.make(self.part(Part.ZONE))
        tree.make(self.part(Part.KEEPER))
        for directory in self.legacy:
            self._instance.make(directory)

    def move(self, pid: int, part: Part) -> None:
        """Move a process (0: the caller) with all its threads. The v2 group comes last: who is in it, is in all.

        The first migration after a quiet moment waits for an RCU grace period, 5 to 25 ms: call this in a thread, or
        avoid it: `cgroup_fork.fork_into(part(...))`, then `cgroup_tree.join(legacy)` in the child.
        """
        for directory in (*self._legacy_of(part), self.part(part)):
            control_file.write(f"{directory}/cgroup.procs", str(pid))

    def expel(self, pid: int) -> None:
        """Move a process of the zone to the root of each hierarchy. Nothing to do if it has ended or is not in it."""
        if pid in self.pids():
            for root in self._instance.hierarchies.roots:
                with suppress(ProcessLookupError):
                    control_file.write(f"{root}/cgroup.procs", str(pid))

    def home(self, pid: int) -> str:
        """The v2 directory where a further process belongs that shall stand beside this one of the zone.

        Not always `zone` itself: an init system inside may have moved all processes to groups further down, and then
        the kernel lets none into `zone`, or to groups beside it, where v1 hierarchies showed it that place. Raises
        ProcessLookupError if the process is not, or no longer, in the zone.
        """
        home = self._instance.hierarchies.unified + tree.path_of(pid)
        if f"{home}/".startswith(f"{self.unified}/") and not f"{home}/".startswith(f"{self.part(Part.KEEPER)}/"):
            return home
        raise ProcessLookupError(errno.ESRCH, f"process {pid} is not in the zone")

    def pids(self, part: Part = Part.ZONE) -> list[int]:
        """The processes of this part, those in groups made further down included; empty if the group is gone."""
        found: list[int] = []
        for directory, _, _ in chain.from_iterable(map(os.walk, self._held(part))):
            try:
                found += map(int, Path(directory, "cgroup.procs").read_text().split())
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):  # EOPNOTSUPP: a threaded group
                    raise
        return found

    def kill(self, part: Part | None = None) -> None:
        """Send SIGKILL to every process of the part, or of both, frozen ones too. Nothing to do if it is gone."""
        for directory in self._held(part) if part else [self.unified]:
            with suppress(FileNotFoundError):
                control_file.write(f"{directory}/cgroup.kill", "1")

    async def emptied(self) -> None:
        """Return once no process is left in either part. Bound it with `asyncio.timeout`."""
        await until(self.unified, "populated", 0)

    async def freeze(self) -> None:
        """Stop every process of the zone; return once all stand still. Raises FileNotFoundError if it is gone."""
        held = self._held(Part.ZONE)
        for directory in held:
            control_file.write(f"{directory}/cgroup.freeze", "1")
        for directory in held:
            await until(directory, "frozen", 1)

    def thaw(self) -> None:
        """Let the zone's processes go on. Raises FileNotFoundError if the group is gone."""
        for directory in self._held(Part.ZONE):
            control_file.write(f"{directory}/cgroup.freeze", "0")

    def thaw_keeper(self) -> None:
        """Let the keeper go on where somebody else froze it, or the whole group. Nothing to do if that is gone."""
        for directory in (self.unified, self.part(Part.KEEPER)):
            with suppress(FileNotFoundError):
                control_file.write(f"{directory}/cgroup.freeze", "0")

    def remove(self) -> None:
        """Take away the groups, with all that was made inside them. Idempotent.

        Raises:
            OSError: EBUSY, a process is still in one of them.
        """
        protected = protection(self.unified)
        for directory in (self.part(Part.ZONE), self.part(Part.KEEPER), self.unified, *self.legacy):
            tree.remove_tree(directory)
        share_out(self.unified, -protected)
        self._instance.leave_parent()

    def _held(self, part: Part) -> list[str]:
        """The v2 directories whose processes are of this part: `keeper`, or `zone` and what the zone made beside it."""
        if part is Part.KEEPER:
            return [self.part(part)]
        ours = {self.part(part) for part in Part}
        return [self.part(part), *(child for child in tree.children(self.unified) if child not in ours)]

    def _legacy_of(self, part: Part) -> tuple[str, ...]:
        return self.legacy if part is Part.ZONE else tuple(os.path.dirname(directory) for directory in self.legacy)


def _while_others_leave(make: Callable[[], None]) -> None:
    """Call it again where somebody else took away what it stands on, or has only just made that anew."""
    for _ in range(_TRIES):
        try:
            return make()
        except (OSError, Unavailable) as error:
            if isinstance(error, OSError) and error.errno not in (errno.ENOENT, errno.ENODEV):
                raise
    return make()


@contextmanager
def _suppress_busy() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
