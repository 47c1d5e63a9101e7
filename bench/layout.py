"""An image of five layers, 1 GB unpacked, as an OCI image layout: tagged `gzip` and `zstd` after its compression."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import zstandard
from isal import isal_zlib

from bench.images import MEGABYTE, busybox_tree, scratch

LAYERS = 4
"""Besides busybox, which is the lowest."""
LARGE, SMALL = 200, 2500
"""Files a layer: of 1 MB, and of 20 kB; half of them random, half of them text."""
SMALL_SIZE = 20_000
_OCI = "application/vnd.oci.image"


@functools.cache
def layout() -> Path:
    """The folder of the layout."""
    folder = scratch() / "layout"
    (folder / "blobs/sha256").mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    archives = [busybox_tree().read_bytes(), *map(_archive, range(LAYERS))]
    diff_ids = [f"sha256:{hashlib.sha256(archive).hexdigest()}" for archive in archives]
    rootfs = {"type": "layers", "diff_ids": diff_ids}
    told = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]}, "rootfs": rootfs}
    config = _blob(folder, f"{_OCI}.config.v1+json", json.dumps(told).encode())
    manifests = []
    for name, compress in (("gzip", _gzip), ("zstd", zstandard.ZstdCompressor().compress)):
        layers = [_blob(folder, f"{_OCI}.layer.v1.tar+{name}", compress(archive)) for archive in archives]
        manifest = {"schemaVersion": 2, "mediaType": f"{_OCI}.manifest.v1+json", "config": config, "layers": layers}
        entry = _blob(folder, f"{_OCI}.manifest.v1+json", json.dumps(manifest).encode())
        manifests.append({**entry, "annotations": {"org.opencontainers.image.ref.name": name}})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": manifests}))
    return folder


def _archive(number: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in _files(random.Random(number)):
            member = tarfile.TarInfo(f"srv/{number}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _files(source: random.Random) -> Iterator[tuple[str, bytes]]:
    text = b"".join(
        b"%x A line of text that compresses as text does.\n" % source.getrandbits(64) for _ in range(16_000)
    )
    for number in range(LARGE + SMALL):
        size = MEGABYTE if number < LARGE else SMALL_SIZE
        start = source.randrange(len(text) - size) if size < len(text) else 0
        content = source.randbytes(size) if number % 2 else (text * 2)[start : start + size]
        yield f"{number % 50}/{number}", content


def _gzip(data: bytes) -> bytes:
    compressor = isal_zlib.compressobj(level=2, wbits=31)
    return bytes(compressor.compress(data) + compressor.flush())


def _blob(folder: Path, kind: str, data: bytes) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs/sha256" / digest).write_bytes(data)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}
