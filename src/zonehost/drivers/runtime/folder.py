"""Where a zone's living state is on the host, below the run root: names only, and the keeper's record.

`zones/ID/` is the OCI bundle and conmon's folder; `crun/ID/` is crun's own. Both are gone when the zone is.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from zonehost.errors import SystemFailure
from zonehost.linux.vacate import vacate

log = logging.getLogger(__name__)
_UNREADABLE: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError, msgspec.DecodeError)
"""What reading a file raises that is not there, is something else, or holds something else."""


class KeeperRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a later daemon must know of a running zone and cannot ask the kernel."""

    first_id: int
    lease: int
    """The keeper's descriptor that holds the lease of its ids; -1 without ids of its own."""
    owner: int
    """The host's id of the user who runs in it."""
    typed: bool
    """Whether its input is a terminal."""
    input: int
    """The keeper's descriptor of the writing end of its input, which it holds while there is no daemon; -1 if not."""
    listener: int = -1
    """The keeper's descriptor of the listener to which the zone's calls are told that have an answer; -1 if none."""
    listener_key: int = 0


class _Annotated(msgspec.Struct, frozen=True):
    annotations: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class ZoneFolder:
    """The paths of one zone."""

    path: str
    crun: str

    @property
    def zone(self) -> str:
        """The zone's id."""
        return Path(self.path).name

    @property
    def config(self) -> str:
        """The OCI configuration."""
        return f"{self.path}/config.json"

    @property
    def crun_config(self) -> str:
        """crun's own copy of it."""
        return f"{self.crun}/config.json"

    @property
    def pid_file(self) -> str:
        """crun writes the pid of the zone's first process here, once it waits at the gate."""
        return f"{self.path}/pid"

    @property
    def exit_file(self) -> str:
        """conmon writes the exit code here, as its last act."""
        return f"{self.path}/exit"

    @property
    def control(self) -> str:
        """conmon's control fifo."""
        return f"{self.path}/ctl"

    @property
    def gate(self) -> str:
        """crun's fifo: its existence says that the zone waits, and a byte lets it go."""
        return f"{self.crun}/exec.fifo"

    @property
    def record_file(self) -> str:
        """The keeper's record."""
        return f"{self.path}/keeper.json"

    @property
    def parent_file(self) -> str:
        """Where the zone's groups are, if not in the usual place."""
        return f"{self.path}/cgroup_parent"

    @property
    def tied_file(self) -> str:
        """The pid of a process that ends with the daemon (`tied`), while there is one."""
        return f"{self.path}/tied"

    def make(self, cgroup_parent: str) -> None:
        """Make the bundle folder, and note where the zone's groups are, if not in the usual place."""
        Path(self.path).mkdir(mode=0o711, parents=True)
        if cgroup_parent:
            Path(self.parent_file).write_text(cgroup_parent)

    def cgroup_parent(self) -> str:
        """What was noted; empty for the usual place, and where it cannot be read."""
        with suppress(*_UNREADABLE):
            return Path(self.parent_file).read_text()
        return ""

    def remove(self) -> None:
        """Take both away. Idempotent."""
        for path in (self.path, self.crun):
            vacate(path)

    def mend(self, path: str, content: bytes) -> None:
        """Write a file of the folder anew, whatever is there now, the folder too if it is gone; the log names it."""
        log.warning("%s was damaged or gone, and is written anew", path)
        if not Path(self.path).is_dir():
            vacate(self.path)
            Path(self.path).mkdir(mode=0o711)
        vacate(path)
        _write(path, content)

    def write_record(self, record: KeeperRecord) -> None:
        """Keep the record; whole or not at all."""
        _write(self.record_file, msgspec.json.encode(record))

    def write_tied(self, pid: int) -> None:
        """Note such a process; in a folder that somebody removed there is no place for it."""
        with suppress(FileNotFoundError):
            _write(self.tied_file, str(pid).encode())

    def forget_tied(self) -> None:
        """It has ended. Idempotent."""
        with suppress(FileNotFoundError):
            Path(self.tied_file).unlink()

    def tied(self) -> int:
        """The pid of such a process; 0 if there is none, or it cannot be read."""
        with suppress(*_UNREADABLE):
            return int(Path(self.tied_file).read_text())
        return 0

    def annotations(self) -> dict[str, str]:
        """Those of the OCI configuration, or of crun's copy if it is damaged.

        Raises:
            SystemFailure: neither can be read.
        """
        for path in (self.config, self.crun_config):
            with suppress(*_UNREADABLE):
                return msgspec.json.decode(Path(path).read_bytes(), type=_Annotated).annotations
        raise SystemFailure(f"{self.config} and {self.crun_config} are damaged or gone")

    def record(self) -> KeeperRecord | None:
        """The record, if the zone came so far, and it can be read."""
        with suppress(*_UNREADABLE):
            return msgspec.json.decode(Path(self.record_file).read_bytes(), type=KeeperRecord)
        return None

    def pid(self) -> int:
        """The first process's pid; 0 if there is none yet, or it cannot be read."""
        with suppress(*_UNREADABLE):
            return int(Path(self.pid_file).read_text())
        return 0

    def is_open(self) -> bool:
        """Whether the zone, of which a keeper lives, has passed the gate, as far as its folders tell.

        crun makes the gate, then its status, and conmon last the file of the pid. One without folders had them once.
        """
        if os.path.exists(self.gate):
            return False
        begun = any(map(os.path.exists, (self.pid_file, f"{self.crun}/status")))
        return begun or not Path(self.path).is_dir()

    def exit_code(self) -> tuple[int, int] | None:
        """The exit code and its time in nanoseconds since the epoch, if the keeper left one that can be read."""
        with suppress(*_UNREADABLE):
            return int(Path(self.exit_file).read_text()), Path(self.exit_file).stat().st_mtime_ns
        return None


class RunRoot:
    """The run root of one instance."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.zones = f"{path}/zones"
        self.crun = f"{path}/crun"

    def make(self) -> None:
        """Make its folders, with a way through for a zone's root, which is nobody here. Idempotent."""
        for path in (self.path, self.zones, self.crun):
            Path(path).mkdir(mode=0o711, parents=True, exist_ok=True)

    def zone(self, zone: str) -> ZoneFolder:
        """The folder of the zone with this id, whether it exists or not."""
        return ZoneFolder(f"{self.zones}/{zone}", f"{self.crun}/{zone}")

    def ids(self) -> set[str]:
        """The zones of which there is a folder."""
        return {entry.name for path in (self.zones, self.crun) for entry in os.scandir(path)}


def _write(path: str, content: bytes) -> None:
    """Whole or not at all."""
    temporary = Path(f"{path}.new")
    temporary.write_bytes(content)
    temporary.replace(path)
