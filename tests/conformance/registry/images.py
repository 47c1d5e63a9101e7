"""Small images for registry tests, and a client that speaks to one registry."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from zonehost.domain.platform import Platform
from zonehost.drivers.registry.client import RegistryClient
from zonehost.drivers.registry.endpoints import RegistryPolicy
from zonehost.drivers.registry.manifests import digest_of
from zonehost.ports.registry import Descriptor, Login, Registry, Repository, SentLayer
from zonehost.web import WebClient

HOST = Platform("linux", "amd64")


def gzipped(data: bytes) -> Callable[[], AsyncIterator[bytes]]:
    """The opener of a layer's archive in gzip."""
    blob = gzip.compress(data, mtime=0)

    async def read() -> AsyncIterator[bytes]:
        for at in range(0, len(blob), 100_000):
            yield blob[at : at + 100_000]

    return read


def noise(seed: int, size: int) -> bytes:
    """Bytes that do not compress."""
    return random.Random(seed).randbytes(size)


@dataclass(frozen=True)
class SampleImage:
    """An image of two layers."""

    layers: tuple[bytes, ...]

    @property
    def diff_ids(self) -> tuple[str, ...]:
        return tuple(map(digest_of, self.layers))

    @property
    def config(self) -> bytes:
        rootfs = {"type": "layers", "diff_ids": self.diff_ids}
        return json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()


def new_client(state: Path, **policy: tuple[str, ...]) -> RegistryClient:
    """A client that keeps what it knows under `state`."""
    policy.setdefault("certificates", (str(state / "certs.d"),))
    return RegistryClient(RegistryPolicy(**policy), HOST, str(state / "known"), WebClient("zonehost-test"))


async def push(
    client: Registry, where: Repository, tag: str, image: SampleImage, login: Login | None = None
) -> tuple[list[SentLayer], Descriptor]:
    """Send an image whole."""
    sent = [
        await client.send_layer(where, diff_id, gzipped(data), login)
        for diff_id, data in zip(image.diff_ids, image.layers, strict=True)
    ]
    return sent, await client.send_image(where, tag, image.config, [layer.descriptor for layer in sent], login)


async def pull(client: Registry, where: Repository, reference: str, login: Login | None = None) -> SampleImage:
    """Fetch an image whole."""
    found = await client.fetch(where, reference, login)
    layers = []
    for layer in found.layers:
        layers.append(gzip.decompress(b"".join([part async for part in client.blob(where, layer, login)])))
    return SampleImage(tuple(layers))
