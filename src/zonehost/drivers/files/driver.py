"""Implements `ports.files` with jobs of the fork server."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec

from zonehost.drivers.files.changes import Change
from zonehost.drivers.files.jobs import Work
from zonehost.linux import jobs
from zonehost.linux.forkserver import ForkServer
from zonehost.ports.files import FileChange, PathStat, ZoneTree

_JOBS: Final = "zonehost.drivers.files.jobs"
_STAGE: Final = "/run/zonehost/stage"


class TreeFiles:
    """Files of zones. `stage` is a folder of the host that nothing is ever put into: jobs mount over it in private."""

    def __init__(self, forks: ForkServer, stage: str = _STAGE) -> None:
        self._forks = forks
        self._stage = stage

    async def stat(self, tree: ZoneTree, path: str) -> PathStat:
        """What is at the path; a final symbolic link is not followed."""
        return msgspec.convert(await self._run("stat", tree, path=path), PathStat)

    def read(self, tree: ZoneTree, path: str) -> AsyncIterator[bytes]:
        """A tar of what is at the path."""
        return self._stream("read", tree, path=path)

    async def write(
        self,
        tree: ZoneTree,
        path: str,
        archive: AsyncIterable[bytes],
        *,
        keep_kinds: bool = False,
        user: str = "",
    ) -> None:
        """Unpack a tar into the directory at the path."""
        await self._run("write", tree, archive, path=path, keep_kinds=keep_kinds, user=user)

    def export(self, tree: ZoneTree) -> AsyncIterator[bytes]:
        """The whole root as a tar."""
        return self._stream("export", tree)

    async def changes(self, tree: ZoneTree) -> tuple[FileChange, ...]:
        """What differs from the image."""
        found = msgspec.convert(await self._run("changes", tree), list[Change])
        return tuple(FileChange(path.decode("utf-8", "replace"), kind) for path, kind in found)

    async def populate(self, tree: ZoneTree, path: str, destination: str, below: str = "") -> None:
        """Copy what the image has below `path` into an empty directory of the host."""
        await self._run("populate", tree, path=path, destination=destination, below=below)

    async def sizes(self, tree: ZoneTree) -> int:
        """Bytes of the files that the zone itself has written."""
        return msgspec.convert(await self._run("size", tree), int)

    async def _run(self, job: str, tree: ZoneTree, archive: AsyncIterable[bytes] | None = None, **fields: Any) -> Any:
        return await jobs.run(self._forks, f"{_JOBS}:{job}", self._work(tree, **fields), archive=archive)

    def _stream(self, job: str, tree: ZoneTree, **fields: Any) -> AsyncIterator[bytes]:
        return jobs.stream(self._forks, f"{_JOBS}:{job}", self._work(tree, **fields))

    def _work(self, tree: ZoneTree, **fields: Any) -> Any:
        Path(self._stage).mkdir(parents=True, exist_ok=True)
        return msgspec.to_builtins(Work(tree=tree, stage=self._stage, **fields))
