"""What is known of where layers already are: as which blob a repository keeps a layer.

A file of lines that only grows, made anew when it is read. It is advice: losing it costs a transfer, never an image.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from zonehost.ports.registry import Descriptor, Repository

_PER_LAYER = 16


class _Line(msgspec.Struct, frozen=True):
    diff_id: str
    host: str
    path: str
    media_type: str
    digest: str
    size: int


class KnownBlobs:
    """Blobs by layer, newest first."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._blobs: dict[str, dict[Repository, Descriptor]] | None = None

    def add(self, diff_id: str, repository: Repository, blob: Descriptor) -> None:
        """Remember a blob, on disk too."""
        blobs = self._read().setdefault(diff_id, {})
        if blobs.get(repository) == blob:
            return
        blobs.pop(repository, None)
        blobs[repository] = blob
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(_line(diff_id, repository, blob))

    def forget(self, diff_id: str, repository: Repository) -> None:
        """The repository has it no longer."""
        self._read().get(diff_id, {}).pop(repository, None)

    def find(self, diff_id: str, host: str) -> list[tuple[Repository, Descriptor]]:
        """Where on a registry's host the layer is thought to be, the latest first."""
        blobs = self._read().get(diff_id, {})
        return [(repository, blob) for repository, blob in reversed(blobs.items()) if repository.host == host]

    def _read(self) -> dict[str, dict[Repository, Descriptor]]:
        if self._blobs is None:
            self._blobs = {}
            data = self._path.read_bytes() if self._path.exists() else b""
            for text in data.splitlines():
                try:
                    line = msgspec.json.decode(text, type=_Line)
                except msgspec.MsgspecError:
                    # The last line may be cut by a crash.
                    continue
                layer = self._blobs.setdefault(line.diff_id, {})
                layer.pop(repository := Repository(line.host, line.path), None)
                layer[repository] = Descriptor(line.media_type, line.digest, line.size)
                if len(layer) > _PER_LAYER:
                    del layer[next(iter(layer))]
            self._rewrite(data)
        return self._blobs

    def _rewrite(self, old: bytes) -> None:
        blobs = (self._blobs or {}).items()
        new = b"".join(_line(diff_id, *entry) for diff_id, entries in blobs for entry in entries.items())
        if new != old:
            aside = self._path.with_suffix(".new")
            aside.write_bytes(new)
            aside.rename(self._path)


def _line(diff_id: str, repository: Repository, blob: Descriptor) -> bytes:
    line = _Line(diff_id, repository.host, repository.path, blob.media_type, blob.digest, blob.size)
    return msgspec.json.encode(line) + b"\n"
