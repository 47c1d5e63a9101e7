"""Setting the limits of a zone, each where its controller is: in the v2 tree or in a v1 hierarchy."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from zonehost.linux import cgroup_limits_legacy as legacy
from zonehost.linux import cgroup_limits_unified as unified
from zonehost.linux.cgroup_limits import Limits, Refused, Setting, Unenforceable
from zonehost.linux.cgroup_protection import protection, share_out
from zonehost.linux.control_file import write

if TYPE_CHECKING:
    from zonehost.linux.cgroup_group import Places

_NONE: Final = Limits()
_OF_CONTROLLER: Final = {"memory": "memory", "oom": "memory", "cpu": "cpu", "cpuset": "cpuset", "pids": "pids"}


def apply(limits: Limits, places: Places, *, fresh: bool, block: str = "/sys/block") -> None:
    """Set the limits. A `fresh` group has none yet, so only those that are given are written.

    In a group that is not fresh a limit that is None is taken back, except the rates and weights of single devices,
    the swappiness and `oom_kill_disable`, which stay. After an error some of the limits are set: set the earlier ones
    again.

    Raises:
        Unenforceable: this kernel cannot enforce one of the limits.
        Refused: the kernel does not take a value, such as a memory limit below what is in use (EBUSY).
        FileNotFoundError: the group is gone.
    """
    if fresh and limits == _NONE:
        return
    for step in _settings(limits, places, block):
        if step.wanted or not fresh:
            _set(step)
    if "memory" in places.unified:
        _protect(os.path.dirname(places.zone), limits.memory_reservation or 0)


def _protect(group: str, wanted: int) -> None:
    before = protection(group)
    if wanted != before:
        write(f"{group}/memory.low", str(wanted))
        share_out(group, wanted - before)


def _settings(limits: Limits, places: Places, block: str) -> Iterator[Setting]:
    for name in limits.__slots__:
        controller = _OF_CONTROLLER.get(name.split("_")[0], "io")
        old = "blkio" if controller == "io" else controller
        asked = getattr(limits, name) != getattr(_NONE, name)
        if asked and controller not in places.unified and old not in places.legacy:
            raise Unenforceable(name, f"the kernel here has no cgroup controller {controller}")
    for controller, directory in places.unified.items():
        yield from unified.CONTROLLERS[controller](limits, directory, block)
    for controller, directory in places.legacy.items():
        if controller in legacy.CONTROLLERS:
            yield from legacy.CONTROLLERS[controller](limits, directory, block)


def _set(step: Setting) -> None:
    try:
        write(step.path, step.value)
    except FileNotFoundError as error:
        file = Path(step.path)
        if not file.parent.is_dir():
            raise
        if step.wanted:
            raise Unenforceable(step.limit, f"the kernel here has no {file.name}") from error
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            raise Unenforceable(step.limit, f"the kernel cannot set {Path(step.path).name} to {step.value}") from error
        raise Refused(
            step.limit, f"the kernel refuses {step.value!r} for {Path(step.path).name}: {error.strerror}"
        ) from error
