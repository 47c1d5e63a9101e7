"""A folder of cached steps, held in memory once it is read."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Final

import msgspec

from zonehost.linux.vacate import vacate
from zonehost.ports.build_cache import CachedStep
from zonehost.ports.provenance import Provenance

_KEY: Final = re.compile(r"[0-9a-f]{40}")
_IMAGES: Final = "images"
_FRESH: Final = 60 * 10**9
"""A step's last use is written down no more often than this, in nanoseconds."""


class CacheFolder:
    """Implements `ports.build_cache`. `root` is a directory of its own."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._steps: dict[str, CachedStep] | None = None

    def get(self, key: str) -> CachedStep | None:
        """See `BuildCache.get`."""
        return self._known().get(key)

    def put(self, step: CachedStep) -> None:
        """See `BuildCache.put`."""
        before = self._known().get(step.key)
        self._known()[step.key] = step
        only_used = before is not None and msgspec.structs.replace(before, used=step.used) == step
        if before is not None and only_used and step.used - before.used < _FRESH:
            return
        path = self._root / step.key
        aside = path.with_suffix(".new")
        aside.write_bytes(msgspec.json.encode(step))
        aside.rename(path)

    def steps(self) -> Iterable[CachedStep]:
        """See `BuildCache.steps`."""
        return tuple(self._known().values())

    def layers(self) -> frozenset[str]:
        """See `BuildCache.layers`."""
        return frozenset(step.layer for step in self._known().values() if step.layer)

    def remove(self, keys: Iterable[str]) -> None:
        """See `BuildCache.remove`."""
        for key in keys:
            self._known().pop(key, None)
            (self._root / key).unlink(missing_ok=True)

    def note(self, provenance: Provenance) -> None:
        """See `BuildCache.note`."""
        path = self._provenance(provenance.image)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".new")
        aside.write_bytes(msgspec.json.encode(provenance))
        aside.rename(path)

    def provenance(self, image: str) -> Provenance | None:
        """See `BuildCache.provenance`."""
        try:
            return msgspec.json.decode(self._provenance(image).read_bytes(), type=Provenance)
        except (FileNotFoundError, IsADirectoryError, msgspec.MsgspecError):
            return None

    def forget(self, image: str) -> None:
        """See `BuildCache.forget`."""
        vacate(self._provenance(image))

    def keep_provenance(self, images: Container[str]) -> None:
        """See `BuildCache.keep_provenance`."""
        for path in (self._root / _IMAGES).glob("*"):
            if f"sha256:{path.name}" not in images:
                vacate(path)

    def _provenance(self, image: str) -> Path:
        return self._root / _IMAGES / image.removeprefix("sha256:")

    def _known(self) -> dict[str, CachedStep]:
        if self._steps is None:
            self._root.mkdir(parents=True, exist_ok=True)
            self._steps = dict(self._read())
        return self._steps

    def _read(self) -> Iterable[tuple[str, CachedStep]]:
        for path in self._root.iterdir():
            if path.name == _IMAGES:
                continue
            if not _KEY.fullmatch(path.name):
                vacate(path)
                continue
            try:
                yield path.name, msgspec.json.decode(path.read_bytes(), type=CachedStep)
            except (IsADirectoryError, msgspec.MsgspecError):
                vacate(path)
