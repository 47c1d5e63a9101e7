"""The files of all builds of an instance, below one directory of the host."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec

from zonehost.drivers.builds.fetch import download
from zonehost.drivers.builds.jobs import Work
from zonehost.drivers.builds.stubs import clear
from zonehost.errors import InvalidParameter
from zonehost.linux import jobs
from zonehost.linux.forkserver import ForkServer
from zonehost.linux.openat import path_below
from zonehost.ports.build_files import Fetched, Placement, Selection
from zonehost.tar.reader import Bounds
from zonehost.web import WebClient

_JOBS: Final = "zonehost.drivers.builds.jobs"
_CACHES: Final = "caches"
_SCRATCH: Final = "scratch"
_CONTEXT: Final = "context"


class BuildFolder:
    """Implements `ports.build_files`. `root` is a directory of its own; so is `memory`, on a tmpfs, its path short."""

    def __init__(self, root: str, memory: str, forks: ForkServer, web: WebClient, bounds: Bounds | None = None) -> None:
        self._root = root
        self._memory = memory
        self._forks = forks
        self._web = web
        self._bounds = bounds or Bounds()
        self._unpacking = asyncio.Lock()

    async def receive(self, build: str, archive: AsyncIterable[bytes]) -> None:
        """See `BuildFiles.receive`."""
        folder = self._folder(build)
        Path(folder).mkdir(mode=0o700, parents=True)
        arguments = {"folder": folder, "bounds": {"entries": self._bounds.entries, "size": self._bounds.size}}
        await jobs.run(self._forks, f"{_JOBS}:receive", arguments, archive=archive)

    async def read(self, build: str, *paths: str) -> dict[str, bytes]:
        """See `BuildFiles.read`."""
        found = await self._run("read", self._work(build, names=paths))
        return {path: base64.b64decode(data) for path, data in found.items()}

    async def digest(self, build: str, selection: Selection) -> str:
        """See `BuildFiles.digest`."""
        return str(await self._run("digest", self._work(build, selection=selection)))

    def copy(self, build: str, selection: Selection, placement: Placement) -> AsyncIterator[bytes]:
        """See `BuildFiles.copy`."""
        work = self._work(build, selection=selection, placement=placement)
        return jobs.stream(self._forks, f"{_JOBS}:copy", msgspec.to_builtins(work))

    async def make_folder(self, base: tuple[str, ...], path: str, epoch: int | None) -> bytes | None:
        """See `BuildFiles.make_folder`."""
        placement = Placement(base=base, destination=path, epoch=epoch)
        found = await self._run("make_folder", self._work("", placement=placement))
        return None if found is None else base64.b64decode(found)

    async def tidy(self, upper: str, covered: tuple[str, ...]) -> None:
        """See `BuildFiles.tidy`."""
        clear(upper, covered)

    async def vacancy(self, build: str) -> str:
        """See `BuildFiles.vacancy`."""
        return self._new_file(build)

    async def write(self, build: str, data: bytes, mode: int) -> str:
        """See `BuildFiles.write`."""
        path = Path(self._new_file(build))
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    async def conceal(self, build: str, data: bytes, mode: int, uid: int, gid: int) -> str:
        """See `BuildFiles.conceal`."""
        path = await self.socket(build)
        Path(path).touch(0o600)
        Path(path).write_bytes(data)
        await self.own(path, mode, uid, gid)
        return path

    async def socket(self, build: str) -> str:
        """See `BuildFiles.socket`. A socket's path has at most 107 bytes (unix(7))."""
        folder = Path(self._concealed(build))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return f"{folder}/{secrets.token_hex(4)}"

    async def own(self, path: str, mode: int, uid: int, gid: int) -> None:
        """See `BuildFiles.own`."""
        os.chown(path, uid, gid)
        Path(path).chmod(mode)

    async def fetch(self, build: str, url: str) -> Fetched:
        """See `BuildFiles.fetch`."""
        path = self._new_file(build)
        found = await download(url, path, self._web)
        return Fetched(path, found.name, found.digest, found.size)

    def as_context(self, file: str, dockerfile: str) -> AsyncIterator[bytes]:
        """See `BuildFiles.as_context`."""
        return jobs.stream(self._forks, f"{_JOBS}:as_context", [file, dockerfile])

    async def context_path(self, build: str, ignore: tuple[str, ...], path: str) -> str:
        """See `BuildFiles.context_path`."""
        folder = Path(self._folder(build), _CONTEXT)
        async with self._unpacking:
            if not folder.exists():
                await self._run("unpack", self._work(build, names=(_CONTEXT,), selection=Selection(ignore=ignore)))
        try:
            return path_below(str(folder), os.fsencode(path), os.O_PATH)
        except OSError as error:
            raise InvalidParameter(f"{path} is not in the build context: {error.strerror}") from error

    async def lay_out(self, build: str, archive: AsyncIterator[bytes]) -> str:
        """See `BuildFiles.lay_out`."""
        path = self._new_file(build)
        await jobs.run(self._forks, f"{_JOBS}:extract", path, archive=archive)
        return path

    async def cache_folder(
        self, build: str, name: str, mode: int, uid: int, gid: int, beginning: AsyncIterator[bytes] | None = None
    ) -> str:
        """See `BuildFiles.cache_folder`."""
        path = Path(self._root, _CACHES, hashlib.sha256(f"{name}\0{uid}:{gid}".encode()).hexdigest()[:32])
        if path.exists():
            return str(path)
        made = Path(await self.lay_out(build, beginning) if beginning is not None else self._new_file(build))
        made.mkdir(exist_ok=True)
        made.chmod(mode)
        os.chown(made, uid, gid)
        path.parent.mkdir(exist_ok=True)
        if not path.exists():
            made.rename(path)
        return str(path)

    async def discard(self, build: str) -> None:
        """See `BuildFiles.discard`."""
        if Path(self._folder(build)).exists():
            await jobs.run(self._forks, f"{_JOBS}:remove", self._folder(build))
        shutil.rmtree(self._concealed(build), ignore_errors=True)

    async def survey(self) -> frozenset[str]:
        """See `BuildFiles.survey`."""
        root = Path(self._root)
        (root / _SCRATCH).mkdir(parents=True, exist_ok=True)
        return frozenset(path.name for path in root.iterdir() if path.name not in (_CACHES, _SCRATCH))

    def _folder(self, build: str) -> str:
        return f"{self._root}/{build}"

    def _concealed(self, build: str) -> str:
        return f"{self._memory}/{build[:12]}"

    def _new_file(self, build: str) -> str:
        return f"{self._folder(build)}/file-{secrets.token_hex(8)}"

    def _work(
        self,
        build: str,
        *,
        selection: Selection | None = None,
        placement: Placement | None = None,
        names: tuple[str, ...] = (),
    ) -> Work:
        return Work(
            folder=self._folder(build),
            scratch=f"{self._root}/{_SCRATCH}",
            selection=selection or Selection(),
            placement=placement,
            names=names,
        )

    async def _run(self, job: str, work: Work) -> Any:
        return await jobs.run(self._forks, f"{_JOBS}:{job}", msgspec.to_builtins(work))
