"""The record of a container: what was asked, what it is now."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

import msgspec

from zonehost.domain.config import Config
from zonehost.domain.host_config import HostConfig
from zonehost.domain.identity import short
from zonehost.domain.network import Endpoint, PublishedPort
from zonehost.domain.phase import Phase
from zonehost.domain.volume import HostFolder, ImageFile


class Status(StrEnum):
    """The states of Docker's life cycle; which may follow which is `domain.lifecycle`'s."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


class MountPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One mount of a container, resolved. `source` is a host path, or for an image mount its id."""

    type: str
    destination: str
    source: str = ""
    name: str = ""
    driver: str = ""
    mode: str = ""
    writable: bool = True
    propagation: str = ""
    recursive: bool = True
    recursive_readonly: bool = True
    create_source: bool = False
    """Make the host directory at the start if it is missing, as `-v` does."""
    anonymous: bool = False
    no_copy: bool = False
    subpath: str = ""
    tmpfs_options: str = ""
    image: ImageFile | None = None
    folder: HostFolder | None = None
    """What the volume is, where it is no dataset: one of these."""
    layers: tuple[str, ...] = ()
    """Of an image mount: the diff ids of the image, lowest first, which stay when the image is forced away."""

    @property
    def in_pool(self) -> bool:
        """Whether it is a volume that is a dataset."""
        return self.type == "volume" and self.image is None and self.folder is None


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a health check. Times are nanoseconds since the epoch."""

    start: int
    end: int
    exit_code: int
    output: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What the health checks have found: starting, healthy or unhealthy."""

    status: str = "starting"
    failing_streak: int = 0
    log: tuple[Probe, ...] = ()


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where a container is in its life. Times are nanoseconds since the epoch, 0 for never.

    `starting` is the intent of a start: committed before the zone is born, taken back when its process runs.
    `stopped_by_hand` keeps the restart policies `always` and `unless-stopped` from starting it again.
    """

    status: Status = Status.CREATED
    starting: bool = False
    pid: int = 0
    keeper: int = 0
    first_id: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    started_at: int = 0
    finished_at: int = 0
    stopped_by_hand: bool = False
    blocked: str = ""
    health: Health | None = None
    ports: tuple[PublishedPort, ...] = ()

    @property
    def running(self) -> bool:
        """Whether it has a process; a paused container has one."""
        return self.status in (Status.RUNNING, Status.PAUSED)


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container, whole: the unit that the store keeps."""

    kind: ClassVar[str] = "container"

    id: str
    name: str
    created: int
    image: str
    """The image's id, sha256:…; empty for none."""
    layers: tuple[str, ...]
    """Diff ids of the image's layers, lowest first: what the root stands on, even when the image is gone."""
    config: Config
    host_config: HostConfig
    path: str
    args: tuple[str, ...]
    mounts: tuple[MountPoint, ...] = ()
    endpoints: dict[str, Endpoint] = {}
    """By network name, in the order of connection."""
    phase: Phase = Phase.MAKING
    state: State = State()
    restart_count: int = 0
    platform: str = "linux"
    origin: str = ""
    """The id of the snapshot that it was cloned from."""

    @property
    def key(self) -> str:
        """What the store finds it by."""
        return self.id

    @property
    def images(self) -> tuple[str, ...]:
        """The ids of the images that it was made from and mounts."""
        return (self.image, *(point.source for point in self.mounts if point.type == "image"))

    @property
    def held_layers(self) -> tuple[str, ...]:
        """Diff ids of all that its root and the images that it mounts stand on."""
        return (*self.layers, *(layer for point in self.mounts for layer in point.layers))

    @property
    def short(self) -> str:
        """The twelve digits that commands print."""
        return short(self.id)
