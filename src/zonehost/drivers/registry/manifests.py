"""Manifests and indexes: reading, checking, choosing a platform, writing. No network.

Sources: OCI image specification 1.1 (manifest.md, image-index.md), Docker's image manifest v2 schema 2.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec

from zonehost.domain.platform import Platform
from zonehost.errors import InvalidParameter, NotFound, Unsupported
from zonehost.ports.registry import Descriptor

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
DOCKER_GZIP_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
ACCEPTED: Final = (DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX)
LARGEST_MANIFEST: Final = 4 << 20
LARGEST_CONFIG: Final = 8 << 20
_INDEXES: Final = frozenset({DOCKER_LIST, OCI_INDEX})
_CONFIGS: Final = frozenset({DOCKER_CONFIG, OCI_CONFIG})
_OCI_LAYERS: Final = {
    DOCKER_GZIP_LAYER: "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}
_LAYERS: Final = frozenset({*_OCI_LAYERS, *_OCI_LAYERS.values()})
_GZIP_LAYERS: Final = frozenset({DOCKER_GZIP_LAYER, _OCI_LAYERS[DOCKER_GZIP_LAYER]})
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class _Platform(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""


class _Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    media_type: str
    digest: str
    size: int
    platform: _Platform | None = None
    urls: tuple[str, ...] = ()


class _Manifest(msgspec.Struct, frozen=True, rename="camel"):
    schema_version: int
    media_type: str = ""
    config: _Descriptor | None = None
    layers: tuple[_Descriptor, ...] | None = None
    manifests: tuple[_Descriptor, ...] | None = None


class _RootFs(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...] = ()


class _Config(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""
    rootfs: _RootFs = _RootFs()


class Manifest(msgspec.Struct, frozen=True):
    """An image of one platform."""

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]


class Index(msgspec.Struct, frozen=True):
    """Manifests for several platforms, in the registry's order."""

    media_type: str
    entries: tuple[tuple[Descriptor, Platform | None], ...]


def digest_of(data: bytes) -> str:
    """The digest by which a registry names these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def checked_digest(text: str) -> str:
    """The digest. Raises InvalidParameter for any but sha256."""
    if not _DIGEST.fullmatch(text):
        raise InvalidParameter(f"invalid digest {text!r}: only sha256 is supported")
    return text


def read_manifest(data: bytes, content_type: str) -> Manifest | Index:
    """Read a manifest or an index.

    Raises:
        InvalidParameter: damaged, or not of the media type that the registry says.
        Unsupported: well formed, of a kind that is no image (schema 1, an artifact).
    """
    content_type = content_type.split(";")[0].strip()
    try:
        found = msgspec.json.decode(data, type=_Manifest)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"invalid manifest: {error}") from error
    if found.schema_version != 2:
        raise Unsupported(f"manifests of schema version {found.schema_version} are not supported: push the image anew")
    kind = found.media_type or content_type
    if kind not in ACCEPTED:
        raise Unsupported(f"unsupported manifest media type: {kind}")
    if found.media_type and content_type in ACCEPTED and content_type != found.media_type:
        raise InvalidParameter(f"manifest of media type {found.media_type} was served as {content_type}")
    if kind in _INDEXES:
        if found.manifests is None or found.layers is not None:
            raise InvalidParameter("invalid index: it has no manifests, or it has layers")
        return Index(kind, tuple((_checked(entry), _platform(entry)) for entry in found.manifests))
    if found.config is None or found.layers is None or found.manifests is not None:
        raise InvalidParameter("invalid manifest: it needs a config and layers")
    if found.config.media_type not in _CONFIGS:
        raise Unsupported(f"not a container image: its configuration is of media type {found.config.media_type}")
    return Manifest(kind, _checked(found.config), tuple(map(_layer, found.layers)))


def choose(index: Index, wanted: Platform) -> Descriptor:
    """The entry for a platform. Raises NotFound."""
    for entry, platform in index.entries:
        if platform is not None and wanted.runs(platform):
            return entry
    raise NotFound(f"no matching manifest for {wanted} in the manifest list entries")


def read_config(data: bytes, manifest: Manifest) -> tuple[tuple[str, ...], Platform]:
    """The diff ids and the platform of an image's configuration. Raises InvalidParameter."""
    try:
        config = msgspec.json.decode(data, type=_Config)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"invalid image configuration: {error}") from error
    diff_ids = tuple(map(checked_digest, config.rootfs.diff_ids))
    if len(diff_ids) != len(manifest.layers):
        reason = f"the configuration names {len(diff_ids)} layers, the manifest {len(manifest.layers)}"
        raise InvalidParameter(f"invalid image: {reason}")
    return diff_ids, Platform(config.os or "linux", config.architecture, config.variant)


def write_manifest(config: bytes, layers: Sequence[Descriptor]) -> tuple[bytes, Descriptor]:
    """An image's manifest and its descriptor: schema 2 as Docker writes it, or the OCI's where a layer is not gzip."""
    docker = all(layer.media_type in _GZIP_LAYERS for layer in layers)
    kind, config_kind = (DOCKER_MANIFEST, DOCKER_CONFIG) if docker else (OCI_MANIFEST, OCI_CONFIG)
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": config_kind, "size": len(config), "digest": digest_of(config)},
        "layers": [
            {
                "mediaType": DOCKER_GZIP_LAYER if docker else _OCI_LAYERS.get(layer.media_type, layer.media_type),
                "size": layer.size,
                "digest": layer.digest,
            }
            for layer in layers
        ],
    }
    data = msgspec.json.format(msgspec.json.encode(manifest), indent=3)
    return data, Descriptor(kind, digest_of(data), len(data))


def _checked(found: _Descriptor) -> Descriptor:
    if found.size < 0:
        raise InvalidParameter(f"invalid manifest: {found.digest} has size {found.size}")
    return Descriptor(found.media_type, checked_digest(found.digest), found.size)


def _layer(found: _Descriptor) -> Descriptor:
    if found.media_type not in _LAYERS:
        raise Unsupported(f"unsupported layer media type: {found.media_type}")
    return _checked(found)


def _platform(found: _Descriptor) -> Platform | None:
    platform = found.platform
    return Platform(platform.os, platform.architecture, platform.variant) if platform else None
