"""Records, datasets and layers without a disk."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence

import msgspec

from zonehost.domain.image import Layer
from zonehost.errors import InvalidParameter, NotFound, SystemFailure
from zonehost.ports.archives import ArchivedImage
from zonehost.ports.records import Change, Loaded, Put, Record
from zonehost.ports.storage import Usage


class MemoryRecords:
    """Keeps what is committed."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Record] = {}

    def load(self) -> Loaded:
        return Loaded(tuple(self.kept.values()), ())

    async def commit(self, *changes: Change) -> None:
        for change in changes:
            if isinstance(change, Put):
                self.kept[change.record.kind, change.record.key] = change.record
            else:
                self.kept.pop((change.kind, change.key), None)

    async def close(self) -> None:
        pass


class MemoryStorage:
    """Datasets that hold nothing; each uses a hundred bytes."""

    name = "memory"

    def __init__(self) -> None:
        self.zones: dict[str, int] = {}
        self.volumes: dict[str, dict[str, str]] = {}
        self.etc: dict[str, dict[str, str]] = {}
        self.stuck: set[str] = set()
        """Volumes that cannot be removed."""

    async def create_zone(self, zone: str, *, quota: int = 0) -> str:
        self.zones[zone] = quota
        return self.zone_path(zone)

    async def write_etc(self, zone: str, files: Mapping[str, str]) -> None:
        self.etc.setdefault(zone, {}).update(files)

    async def remove_zone(self, zone: str) -> None:
        self.zones.pop(zone, None)
        self.etc.pop(zone, None)

    async def limit_zone(self, zone: str, quota: int) -> None:
        self.zones[zone] = quota

    async def create_volume(self, name: str, *, options: dict[str, str], zone: str = "") -> str:
        self.volumes[name] = options
        return self.volume_path(name)

    async def tend(self) -> None:
        pass

    async def remove_volume(self, name: str) -> None:
        if name in self.stuck:
            raise SystemFailure(f"cannot remove the dataset {name}: Input/output error")
        self.volumes.pop(name, None)

    def zone_path(self, zone: str) -> str:
        return f"/pool/zones/{zone}"

    def volume_path(self, name: str) -> str:
        return f"/pool/volumes/{name}/_data"

    async def zone_usage(self, zones: Iterable[str]) -> dict[str, Usage]:
        return {zone: Usage(100, self.zones[zone]) for zone in zones if zone in self.zones}

    async def volume_usage(self, names: Iterable[str]) -> dict[str, Usage]:
        return {name: Usage(100, 0) for name in names if name in self.volumes}

    async def survey(self) -> tuple[frozenset[str], frozenset[str]]:
        return frozenset(self.zones), frozenset(self.volumes)


class MemoryLayers:
    """A layer is the bytes of its archive, whatever they are; an archive that begins with `bad` is none."""

    foundation = "/pool/layers/foundation"

    def __init__(self) -> None:
        self._archives: dict[str, bytes] = {}

    def path(self, diff_id: str) -> str:
        return f"/pool/layers/{diff_id.removeprefix('sha256:')}/tree"

    async def complete(self, diff_ids: Sequence[str]) -> None:
        self.stack(diff_ids)

    async def settle(self, diff_ids: Sequence[str]) -> None:
        self.stack(diff_ids)

    def stack(self, diff_ids: Sequence[str]) -> tuple[str, ...]:
        for diff_id in diff_ids:
            if diff_id not in self._archives:
                raise NotFound(f"no such layer: {diff_id}")
        return tuple(self.path(diff_id) for diff_id in diff_ids)

    def get(self, diff_id: str) -> Layer | None:
        archive = self._archives.get(diff_id)
        return None if archive is None else Layer(diff_id=diff_id, size=len(archive), archive_size=len(archive))

    async def unpack(self, archive: AsyncIterable[bytes], *, diff_id: str | None = None) -> Layer:
        content = b"".join([chunk async for chunk in archive])
        if content.startswith(b"bad"):
            raise InvalidParameter("not an archive")
        return self.put(content)

    def put(self, content: bytes) -> Layer:
        """Take in a layer."""
        diff_id = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._archives[diff_id] = content
        return Layer(diff_id=diff_id, size=len(content), archive_size=len(content))

    async def pack(self, diff_id: str) -> AsyncIterator[bytes]:
        if diff_id not in self._archives:
            raise NotFound(f"no such layer: {diff_id}")
        yield self._archives[diff_id]

    async def compressed(self, diff_id: str) -> AsyncIterator[bytes]:
        async for part in self.pack(diff_id):
            yield gzip.compress(part, mtime=0)

    async def commit(self, upper: str, *, below: Sequence[str] = (), epoch: int | None = None) -> Layer:
        return self.put(f"what {upper} holds".encode())

    async def remove(self, diff_id: str) -> None:
        self._archives.pop(diff_id, None)

    async def listed(self) -> frozenset[str]:
        return frozenset(self._archives)

    async def survey(self) -> frozenset[str]:
        return frozenset(self._archives)


class _Packed(msgspec.Struct):
    config: bytes
    layers: tuple[bytes, ...]
    names: tuple[str, ...]


class MemoryArchives:
    """Image archives in a form of their own, in JSON."""

    def __init__(self, layers: MemoryLayers) -> None:
        self._layers = layers

    async def load(self, archive: AsyncIterable[bytes]) -> tuple[ArchivedImage, ...]:
        content = b"".join([chunk async for chunk in archive])
        try:
            packed = msgspec.json.decode(content, type=list[_Packed])
        except msgspec.DecodeError as error:
            raise InvalidParameter(f"no image archive: {error}") from error
        return tuple(
            ArchivedImage(one.config, tuple(self._layers.put(layer) for layer in one.layers), one.names)
            for one in packed
        )

    async def save(self, images: Sequence[ArchivedImage]) -> AsyncIterator[bytes]:
        packed = []
        for image in images:
            layers = [b"".join([c async for c in self._layers.pack(layer.diff_id)]) for layer in image.layers]
            packed.append(_Packed(image.config, tuple(layers), image.names))
        yield msgspec.json.encode(packed)
