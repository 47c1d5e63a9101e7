"""Where a zone is being built: what the launcher has found and prepared, and the OCI configuration refers to.

The launcher fills it in inside the zone's private mount namespace; `spec` reads it and does no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonehost.linux.accounts import Account

if TYPE_CHECKING:
    from zonehost.drivers.runtime.spec_devices import Node


@dataclass(frozen=True, slots=True)
class Site:
    """Paths in the mount namespace that crun will start in.

    `namespaces` has a key for each namespace that the zone does not share with the host, by its OCI name (user,
    network, pid, ipc, uts, cgroup, mount): the path of the one to join, or "" for a new one that crun makes.
    `binds` and `images` are where the blueprint's mounts of these kinds stand ready, in its order: idmapped, and
    with their subpath resolved; only what is `readonly`, the propagation and the destination are left to crun.
    """

    root: str
    account: Account
    namespaces: dict[str, str]
    binds: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    userns: bool = True
    """Whether the zone has ids of its own."""
    devices: tuple[Node, ...] = ()
    """The device nodes beyond those that every zone has."""
    nodes: tuple[str, ...] = ()
    """With ids of its own, the zone cannot make nodes: where they stand ready, in the order of `devices`."""
    shm: str = ""
    """Where the /dev/shm of the zone or host whose IPC namespace is joined stands ready; empty for one of its own."""
    mqueue: str = ""
    """The same for its message queues; empty where crun may mount them: without ids of the zone's own, it may."""
    seccomp: str = ""
    """The seccomp program (`seccomp_program`), in base64; empty for none."""
    hybrid: bool = False
    """Whether v1 hierarchies hold the controllers: there is no v2 tree to show inside."""
