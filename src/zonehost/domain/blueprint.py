"""A zone as it shall be built: everything resolved, nothing left to look up but names inside its own root.

The engine draws it from a container's record; the runtime builds it. It is data: it can be printed, compared and sent
to the launcher as JSON.
"""

from __future__ import annotations

from typing import Any

import msgspec

from zonehost.domain.host_config import ThrottleDevice, Ulimit, WeightDevice
from zonehost.domain.volume import ImageFile


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """The root file system: an overlay of layer trees, lowest first, under one writable dataset.

    `dataset` is the host path of the zone's dataset; the overlay's upper and work directories are
    `dataset/root/upper` and `dataset/root/work`, which exist.
    """

    layers: tuple[str, ...]
    dataset: str
    readonly: bool = False


class Namespaces(msgspec.Struct, frozen=True, kw_only=True):
    """Each is `private`, `host`, or the id of the zone to join (for ipc also `none` and `shareable`).

    A zone that joins another's namespaces is in that zone's user namespace too, and has its ids.
    """

    user: str = "private"
    net: str = "private"
    pid: str = "private"
    ipc: str = "private"
    uts: str = "private"
    cgroup: str = "private"


class BindMount(msgspec.Struct, frozen=True, kw_only=True):
    """A host path inside the zone. `idmapped` keeps its owners as Docker shows them."""

    source: str
    destination: str
    readonly: bool = False
    recursive: bool = True
    recursive_readonly: bool = True
    propagation: str = "rprivate"
    idmapped: bool = True
    image: ImageFile | None = None
    """The source is the file system in this file."""
    enclosed: bool = True
    """An idmapped mount also where the zone has the host's ids: through such a mount the kernel lets nobody destroy a
    subvolume of btrfs elsewhere by its number."""
    subpath: str = ""
    """A path below `source`, resolved inside it: symbolic links cannot lead out."""
    own: bool = False
    """The source is in zonehost's own storage: to look it up waits for nobody's file system but that."""


class ImageMount(msgspec.Struct, frozen=True, kw_only=True):
    """Layer trees, lowest first, seen read-only at the destination."""

    layers: tuple[str, ...]
    destination: str
    subpath: str = ""


class TmpfsMount(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh tmpfs; `options` in the words of tmpfs(5), such as size=64m, mode=1777, ro, noexec."""

    destination: str
    options: tuple[str, ...] = ()


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device node of the host, or a folder of them, and where it appears; permissions of r, w, m."""

    source: str
    destination: str
    permissions: str = "rwm"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the zone may use. Zero or None is no limit. Bytes, microseconds, Docker's meanings."""

    memory: int = 0
    memory_reservation: int = 0
    memory_swap: int = 0
    memory_swappiness: int | None = None
    oom_kill_disable: bool = False
    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    nano_cpus: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    pids: int = 0
    blkio_weight: int = 0
    blkio_weight_device: tuple[WeightDevice, ...] = ()
    blkio_read_bps: tuple[ThrottleDevice, ...] = ()
    blkio_write_bps: tuple[ThrottleDevice, ...] = ()
    blkio_read_iops: tuple[ThrottleDevice, ...] = ()
    blkio_write_iops: tuple[ThrottleDevice, ...] = ()


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """What runs. `user` and `groups` are names or numbers, resolved inside the zone's root; env is NAME=value."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    user: str = ""
    groups: tuple[str, ...] = ()
    tty: bool = False
    console_size: tuple[int, int] | None = None
    """Rows and columns."""
    capabilities: tuple[str, ...] = ()
    """CAP_… names, decided."""
    no_new_privileges: bool = False
    ulimits: tuple[Ulimit, ...] = ()
    oom_score_adj: int = 0
    init: bool = False
    """Run a small init as pid 1 that forwards signals and reaps."""


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """A zone, to be built."""

    id: str
    root: Root
    process: Process
    namespaces: Namespaces = Namespaces()
    binds: tuple[BindMount, ...] = ()
    images: tuple[ImageMount, ...] = ()
    tmpfs: tuple[TmpfsMount, ...] = ()
    shm_size: int = 67108864
    devices: tuple[Device, ...] = ()
    device_rules: tuple[str, ...] = ()
    """cgroup device rules as `docker --device-cgroup-rule` writes them: `c 1:3 rwm`."""
    hostname: str = ""
    domainname: str = ""
    sysctls: dict[str, str] = {}
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    seccomp: dict[str, Any] | None = None
    """A profile in Docker's JSON form; an empty dict is the default profile, None is unconfined."""
    privileged: bool = False
    limits: Limits = Limits()
    has_quota: bool = False
    """Whether its root, or a volume in it, has a limit: of bytes, which statfs(2) shall show, or of subvolumes."""
    cgroup_parent: str = ""
    stdin: bool = False
    stdin_once: bool = False
    log: str | None = None
    """Host path of the log file that the keeper writes, or None for no log."""
    log_bound: int = 0
    """Bytes after which the keeper starts the file anew by itself; 0 never does."""
    annotations: dict[str, str] = {}


class ExecPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A further process in a running zone, under the system call filter that the zone has."""

    zone: str
    id: str
    process: Process
    stdin: bool = False
    tied: bool = False
    """Whether it ends with the daemon, with all of its process group; there is one such at a time in a zone."""
