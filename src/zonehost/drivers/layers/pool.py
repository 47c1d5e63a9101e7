"""The layers of an instance, in a directory of the host."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from zonehost.domain.image import Layer
from zonehost.drivers.layers.below import depends
from zonehost.drivers.layers.commit import EMPTY, changes_nothing
from zonehost.drivers.layers.foundation import lay
from zonehost.drivers.layers.jobs import Commit, Completion, Unpacking
from zonehost.drivers.layers.pack import read_facts
from zonehost.drivers.layers.staging import FACTS, SAFE, TREE, Facts
from zonehost.errors import InvalidParameter, NotFound, SystemFailure
from zonehost.linux import jobs
from zonehost.linux.boot import boot_id
from zonehost.linux.forkserver import ForkServer
from zonehost.linux.vacate import vacate
from zonehost.tar.reader import Bounds

log = logging.getLogger(__name__)

_JOBS: Final = "zonehost.drivers.layers.jobs"
_ALGORITHM: Final = "sha256:"
_COMPLETIONS: Final = "below"
_FOUNDATION: Final = "foundation"
_ASIDE: Final = "aside-"
"""Folders with this prefix are being made or removed; one that no call knows of is of a daemon that died."""


class LayerPool:
    """Implements `ports.layers`. `root` is a directory of its own, on one file system."""

    def __init__(self, root: str, forks: ForkServer, bounds: Bounds | None = None) -> None:
        self._root = root
        self._forks = forks
        self.bounds = bounds or Bounds()
        self._facts: dict[str, Facts] = {}
        self._unsafe: set[str] = set()
        """Layers that may not be on the disk yet: a run of the machine that ends now would lose them."""
        self._completions: dict[tuple[str, str], str | None] = {}
        """By chain of layers below and diff id: the tree of what is taken from below, or None for nothing."""

    def path(self, diff_id: str) -> str:
        """The host path of the layer's tree, in overlay form."""
        return f"{self.folder(diff_id)}/{TREE}"

    @property
    def foundation(self) -> str:
        """The host path of the tree under every zone's root."""
        return f"{self._root}/{_FOUNDATION}"

    def get(self, diff_id: str) -> Layer | None:
        """The layer, if it is here whole."""
        facts = self._facts.get(diff_id)
        return facts.layer if facts else None

    async def unpack(self, archive: AsyncIterable[bytes], *, diff_id: str | None = None) -> Layer:
        """Take in a layer archive."""
        async with self.aside() as folder:
            arguments = Unpacking(folder=folder, bounds=self.bounds, diff_id=diff_id)
            told = await jobs.run(self._forks, f"{_JOBS}:unpack", msgspec.to_builtins(arguments), archive=archive)
            return self.adopt(folder, msgspec.convert(told, Facts))

    def pack(self, diff_id: str) -> AsyncIterator[bytes]:
        """The layer's uncompressed archive, to the byte."""
        self._known(diff_id)
        return jobs.stream(self._forks, f"{_JOBS}:pack", self.folder(diff_id))

    def compressed(self, diff_id: str) -> AsyncIterator[bytes]:
        """The layer's archive in gzip."""
        self._known(diff_id)
        return jobs.stream(self._forks, f"{_JOBS}:compress", self.folder(diff_id))

    async def commit(self, upper: str, *, below: Sequence[str] = (), epoch: int | None = None) -> Layer:
        """See `Layers.commit`."""
        trees = self.stack(below)
        if (empty := self._facts.get(EMPTY)) is not None and changes_nothing(upper, trees):
            return empty.layer
        async with self.aside() as folder:
            arguments = Commit(upper=upper, folder=folder, below=trees, known=self.diff_ids(), epoch=epoch)
            told = await jobs.run(self._forks, f"{_JOBS}:commit", msgspec.to_builtins(arguments))
            return self.adopt(folder, msgspec.convert(told, Facts))

    async def complete(self, diff_ids: Sequence[str]) -> None:
        """Make ready what layers that lie on each other take from below."""
        for number, diff_id in enumerate(diff_ids):
            key = _chain(diff_ids[:number]), diff_id
            if number == 0 and self._known(diff_id).links:
                raise InvalidParameter(f"layer {diff_id} has a hard link to a file that no layer has")
            if number == 0 or not depends(self._known(diff_id)) or key in self._completions:
                continue
            async with self.aside() as folder:
                below = self.stack(diff_ids[:number])
                arguments = Completion(layer=self.folder(diff_id), below=below, folder=folder)
                needed = await jobs.run(self._forks, f"{_JOBS}:complete", msgspec.to_builtins(arguments))
                place = Path(self.folder(diff_id), _COMPLETIONS, key[0])
                place.parent.mkdir(exist_ok=True)
                if key not in self._completions:
                    Path(folder).rename(place)
                    self._completions[key] = f"{place}/{TREE}" if needed else None

    async def settle(self, diff_ids: Sequence[str]) -> None:
        """Make ready what the layers of a new image take from each other, and sync it all."""
        await self.complete(diff_ids)
        if self._unsafe.isdisjoint(diff_ids):
            return
        synced = set(self._unsafe)
        await jobs.run(self._forks, f"{_JOBS}:sync", self._root)
        for diff_id in synced.intersection(self._facts):
            Path(self.folder(diff_id), SAFE).write_bytes(msgspec.json.encode(self._facts[diff_id]))
        self._unsafe -= synced

    def stack(self, diff_ids: Sequence[str]) -> tuple[str, ...]:
        """Host paths of the trees that an image of these layers is made of, lowest first."""
        trees = []
        last = {diff_id: number for number, diff_id in enumerate(diff_ids)}
        for number, diff_id in enumerate(diff_ids):
            if last[diff_id] != number:
                # Overlayfs refuses a tree that it has already; where it comes last, it says all that it said before.
                continue
            trees.append(self.path(diff_id))
            if depends(self._known(diff_id)) and (tree := self._completions.get((_chain(diff_ids[:number]), diff_id))):
                trees.append(tree)
        return tuple(trees)

    async def remove(self, diff_id: str) -> None:
        """Remove it. Idempotent."""
        if not Path(self.folder(diff_id)).exists():
            return
        self._facts.pop(diff_id, None)
        self._unsafe.discard(diff_id)
        for key in [key for key in self._completions if key[1] == diff_id]:
            del self._completions[key]
        async with self.aside() as folder:
            Path(self.folder(diff_id)).rename(folder)

    async def listed(self) -> frozenset[str]:
        """Diff ids by the names of the folders."""
        with _our_errors("look for layers"):
            return frozenset(
                _ALGORITHM + folder.name for folder in self._folders() if not folder.name.startswith(_ASIDE)
            )

    async def survey(self) -> frozenset[str]:
        """Diff ids of all whole layers; what was half-made is removed."""
        Path(self._root).mkdir(parents=True, exist_ok=True)
        lay(Path(self.foundation))
        for folder in self._folders():
            half = folder.name.startswith(_ASIDE)
            facts = None if half else await self._sound(folder)
            if facts is not None:
                self._facts[facts.layer.diff_id] = facts
                for place in (folder / _COMPLETIONS).glob("*"):
                    tree = place / TREE
                    self._completions[place.name, facts.layer.diff_id] = str(tree) if tree.exists() else None
            elif (folder / SAFE).exists() and not half:  # zones may run on its tree
                log.error("a layer is lost until its image comes in again: %s and its copy are damaged", folder / FACTS)
            else:
                async with self.aside() as aside:
                    folder.rename(aside)
        return self.diff_ids()

    def _folders(self) -> list[Path]:
        """Those of layers, whole or not."""
        root = Path(self._root)
        return [folder for folder in root.iterdir() if folder.name != _FOUNDATION] if root.is_dir() else []

    async def _sound(self, folder: Path) -> Facts | None:
        """The facts of a layer, unless the machine went down before all of the layer was on the disk.

        What is safe has them twice.
        """
        facts = _told(folder, FACTS)
        if (folder / SAFE).exists():
            return facts or _mended(folder)
        if facts is None:
            return None
        if facts.boot != boot_id():
            await self._clear(str(folder / _COMPLETIONS))
            if not await jobs.run(self._forks, f"{_JOBS}:verify", str(folder)):
                log.warning("layer %s was lost with the last run of the machine", facts.layer.diff_id)
                return None
        self._unsafe.add(facts.layer.diff_id)
        return facts

    def diff_ids(self) -> frozenset[str]:
        """Diff ids of all whole layers."""
        return frozenset(self._facts)

    def _known(self, diff_id: str) -> Facts:
        try:
            return self._facts[diff_id]
        except KeyError:
            raise NotFound(f"no such layer: {diff_id}") from None

    def folder(self, diff_id: str) -> str:
        """The layer's folder, whether it exists or not."""
        return f"{self._root}/{diff_id.removeprefix(_ALGORITHM)}"

    def adopt(self, folder: str, facts: Facts) -> Layer:
        """Give a new layer its name. Another call may have brought the same layer meanwhile; then that one stays."""
        if facts.layer.diff_id not in self._facts:
            place = Path(self.folder(facts.layer.diff_id))
            if place.exists():  # its facts were lost; zones may run on its tree
                (place / SAFE).unlink()
                vacate(place / FACTS)
                Path(folder, FACTS).rename(place / FACTS)
            else:
                Path(folder).rename(place)
            self._facts[facts.layer.diff_id] = facts
            self._unsafe.add(facts.layer.diff_id)
        return self._facts[facts.layer.diff_id].layer

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[str]:
        """A path for a folder that is gone when this is left, unless it was renamed."""
        folder = f"{self._root}/{_ASIDE}{secrets.token_hex(8)}"
        with _our_errors("keep a layer"):
            try:
                yield folder
            finally:
                await self._clear(folder)

    async def _clear(self, folder: str) -> None:
        if Path(folder).exists():
            await jobs.run(self._forks, f"{_JOBS}:remove", folder)


@contextmanager
def _our_errors(what: str) -> Iterator[None]:
    """A disk that is full or broken, where no request could have caused it; not a client that goes meanwhile."""
    try:
        yield
    except ConnectionError:
        raise
    except OSError as error:
        raise SystemFailure(f"cannot {what}: {error}") from error


def _told(folder: Path, name: str) -> Facts | None:
    """The facts in a file of a layer's folder, if there are any, and they are of that layer."""
    with suppress(FileNotFoundError, IsADirectoryError, msgspec.DecodeError):
        facts = read_facts(str(folder), name)
        return facts if facts.layer.diff_id == _ALGORITHM + folder.name else None
    return None


def _mended(folder: Path) -> Facts | None:
    """The facts that a safe layer has a second time, if that can be read, written anew where they belong."""
    facts = _told(folder, SAFE)
    if facts is not None:
        log.warning("%s was damaged or gone, and is written anew", folder / FACTS)
        vacate(folder / FACTS)
        (folder / FACTS).write_bytes(msgspec.json.encode(facts))
    return facts


def _chain(diff_ids: Sequence[str]) -> str:
    """A name for a stack of layers."""
    return hashlib.sha256(" ".join(diff_ids).encode()).hexdigest()
