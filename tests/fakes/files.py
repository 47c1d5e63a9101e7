"""What zones say and the files in them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

from tests.fakes.runtime import TaskRuntime
from zonehost.domain.syslog import SyslogTarget
from zonehost.errors import NotFound
from zonehost.ports.files import FileChange, PathStat, ZoneTree
from zonehost.ports.logs import LogLine

_MODE = 0o644
_MADE = 1_700_000_000_000_000_000


class TaskLogs:
    """The logs of the zones of a runtime. Who follows gets the rest when the zone has ended."""

    def __init__(self, runtime: TaskRuntime) -> None:
        self._runtime = runtime

    async def read(
        self,
        path: str,
        *,
        since: int = 0,
        until: int = 0,
        tail: int = -1,
        follow: Callable[[], Awaitable[None]] | None = None,
    ) -> AsyncIterator[list[LogLine]]:
        lines = self._runtime.logs.get(path.split("/")[-3], [])
        told = len(lines)
        wanted = [line for line in lines if line.time >= since and (not until or line.time <= until)]
        if wanted := wanted[max(0, len(wanted) - tail) if tail >= 0 else 0 :]:
            yield wanted
        if follow is not None:
            await follow()
            if len(lines) > told:
                yield lines[told:]

    def keep(
        self, zone: str, path: str, *, max_size: int, max_files: int, reopen: Callable[[], Awaitable[None]]
    ) -> None:
        pass

    async def forward(self, zone: str, path: str, target: SyslogTarget, pid: int) -> None:
        pass

    async def forget(self, zone: str) -> None:
        pass


class PaperFiles:
    """Files by path, the same for every zone: /etc/hostname is a file, everything else is not there."""

    def __init__(self) -> None:
        self.files = {"/etc/hostname": b"zone\n"}

    async def stat(self, tree: ZoneTree, path: str) -> PathStat:
        content = self.files.get(path)
        if content is None:
            raise NotFound(f"Could not find the file {path} in container {tree.zone}")
        return PathStat(path.rsplit("/", 1)[-1], len(content), _MODE, _MADE, "")

    async def read(self, tree: ZoneTree, path: str) -> AsyncIterator[bytes]:
        await self.stat(tree, path)
        yield self.files[path]

    async def write(
        self,
        tree: ZoneTree,
        path: str,
        archive: AsyncIterable[bytes],
        *,
        keep_kinds: bool = False,
        user: str = "",
    ) -> None:
        if path != "/etc":
            raise NotFound(f"Could not find the file {path} in container {tree.zone}")
        self.files["/etc/new"] = b"".join([chunk async for chunk in archive])

    async def export(self, tree: ZoneTree) -> AsyncIterator[bytes]:
        for content in self.files.values():
            yield content

    async def changes(self, tree: ZoneTree) -> tuple[FileChange, ...]:
        return (FileChange("/etc", 0), FileChange("/etc/new", 1))

    async def populate(self, tree: ZoneTree, path: str, destination: str, below: str = "") -> None:
        pass

    async def sizes(self, tree: ZoneTree) -> int:
        return 100
