"""What the JSON documents of an image archive say: manifest.json (Docker), index.json (OCI image layout).

Owns their forms, both ways. Knows nothing of how an archive is read or written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from zonehost.domain.image import Layer
from zonehost.domain.reference import parse_reference
from zonehost.errors import InvalidParameter
from zonehost.ports.archives import ArchivedImage

MANIFEST: Final = "manifest.json"
INDEX: Final = "index.json"
LAYOUT: Final = "oci-layout"
REPOSITORIES: Final = "repositories"
BLOBS: Final = "blobs/sha256/"
_ALGORITHM: Final = "sha256:"
_OCI: Final = "application/vnd.oci.image."
_INDEX_TYPES: Final = (f"{_OCI}index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFEST_TYPES: Final = (f"{_OCI}manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_LAYER_TYPE: Final = f"{_OCI}layer.v1.tar"
_FULL_NAME: Final = "io.containerd.image.name"
_REF_NAME: Final = "org.opencontainers.image.ref.name"
_MAX_DEPTH: Final = 4

Find = Callable[[str], bytes | None]
"""A document of the archive by name, if the archive has it."""
_T = TypeVar("_T")


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    """As in a descriptor."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """OCI image specification, "OCI Content Descriptors"."""

    media_type: str = ""
    digest: str
    size: int
    annotations: dict[str, str] = {}
    platform: Platform | None = None


class _Index(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    schema_version: int = 2
    media_type: str = _INDEX_TYPES[0]
    manifests: tuple[Descriptor, ...] = ()


class _OciManifest(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    schema_version: int = 2
    media_type: str = _MANIFEST_TYPES[0]
    config: Descriptor
    layers: tuple[Descriptor, ...]


class _DockerManifest(msgspec.Struct, frozen=True, rename="pascal", kw_only=True):
    config: str
    repo_tags: tuple[str, ...] | None = None
    layers: tuple[str, ...] | None
    layer_sources: dict[str, Descriptor] | None = None


class _RootFs(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...] | None = None


class _Config(msgspec.Struct, frozen=True):
    rootfs: _RootFs
    architecture: str = ""
    os: str = ""
    variant: str = ""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """An image as the documents tell it: `layers` are names of members, `diff_ids` what they should be."""

    config: bytes
    diff_ids: tuple[str, ...]
    layers: tuple[str, ...]
    names: tuple[str, ...]


def images(find: Find, architecture: str) -> Iterator[Described]:
    """The images of an archive. Of one image for several platforms, the one of this architecture.

    Raises:
        InvalidParameter: the archive has neither a manifest.json nor an index.json, or a damaged one.
    """
    if (text := find(MANIFEST)) is not None:
        for manifest in _decode(text, MANIFEST, tuple[_DockerManifest, ...]):
            yield _described(find, manifest.config, manifest.layers or (), manifest.repo_tags or ())
    elif (text := find(INDEX)) is not None:
        for descriptor in _decode(text, INDEX, _Index).manifests:
            yield from _from_descriptor(find, descriptor, architecture, _names(descriptor))
    else:
        raise InvalidParameter("not an archive of images: it has neither a manifest.json nor an index.json")


def _from_descriptor(
    find: Find, descriptor: Descriptor, architecture: str, names: tuple[str, ...], depth: int = 0
) -> Iterator[Described]:
    name = blob(descriptor.digest)
    text = find(name)
    if text is None or depth > _MAX_DEPTH:
        raise InvalidParameter(f"the archive does not hold the manifest {descriptor.digest} that it names")
    if descriptor.media_type in _INDEX_TYPES:
        for chosen in _chosen(find, _decode(text, name, _Index), architecture):
            yield from _from_descriptor(find, chosen, architecture, names, depth + 1)
    elif descriptor.media_type in _MANIFEST_TYPES:
        manifest = _decode(text, name, _OciManifest)
        yield _described(find, blob(manifest.config.digest), [blob(layer.digest) for layer in manifest.layers], names)


def _chosen(find: Find, index: _Index, architecture: str) -> list[Descriptor]:
    """Of the manifests that are here, the one for this machine; the first one that is for any."""
    here = [
        descriptor
        for descriptor in index.manifests
        if find(blob(descriptor.digest)) is not None and (descriptor.platform or Platform()).os != "unknown"
    ]
    fitting = [one for one in here if one.platform is not None and one.platform.architecture == architecture]
    return (fitting or here)[:1]


def _described(find: Find, config: str, layers: Sequence[str], names: Sequence[str]) -> Described:
    text = find(config)
    if text is None:
        raise InvalidParameter(f"the archive does not hold the configuration {config} that it names")
    diff_ids = _decode(text, config, _Config).rootfs.diff_ids or ()
    if len(diff_ids) != len(layers):
        raise InvalidParameter(f"invalid manifest, layers length mismatch: expected {len(layers)}, got {len(diff_ids)}")
    return Described(config=text, diff_ids=diff_ids, layers=tuple(layers), names=tuple(names))


def _names(descriptor: Descriptor) -> tuple[str, ...]:
    """A bare tag, as some writers put it, names no image."""
    name = descriptor.annotations.get(_FULL_NAME) or descriptor.annotations.get(_REF_NAME, "")
    return (name,) if ":" in name or "/" in name else ()


def documents(archived: Sequence[ArchivedImage]) -> dict[str, bytes]:
    """Everything of an archive of these images but the layers, by name, as Docker 25 and later write it."""
    found: dict[str, bytes] = {}
    descriptors: list[Descriptor] = []
    manifests: list[_DockerManifest] = []
    repositories: dict[str, dict[str, str]] = {}
    for image in archived:
        config = _decode(image.config, "the configuration", _Config)
        platform = Platform(config.architecture, config.os, config.variant)
        layers = tuple(map(_layer_descriptor, image.layers))
        described = _add(found, image.config, f"{_OCI}config.v1+json", platform)
        manifest = _add(
            found, msgspec.json.encode(_OciManifest(config=described, layers=layers)), _MANIFEST_TYPES[0], platform
        )
        references = [parse_reference(name).tagged() for name in image.names]
        for reference in references:
            annotations = {_FULL_NAME: reference.canonical, _REF_NAME: reference.tag}
            descriptors.append(msgspec.structs.replace(manifest, annotations=annotations))
            if layers:
                tags = repositories.setdefault(reference.familiar_repository, {})
                tags[reference.tag] = layers[-1].digest.removeprefix(_ALGORITHM)
        if not references:
            descriptors.append(manifest)
        manifests.append(
            _DockerManifest(
                config=blob(described.digest),
                repo_tags=tuple(reference.familiar for reference in references) or None,
                layers=tuple(blob(layer.digest) for layer in layers),
                layer_sources={layer.digest: layer for layer in layers},
            )
        )
    found[INDEX] = msgspec.json.encode(_Index(manifests=tuple(descriptors)))
    found[MANIFEST] = msgspec.json.encode(manifests) + b"\n"
    found[LAYOUT] = b'{"imageLayoutVersion": "1.0.0"}'
    if repositories:
        found[REPOSITORIES] = msgspec.json.encode(repositories) + b"\n"
    return found


def _layer_descriptor(layer: Layer) -> Descriptor:
    return Descriptor(media_type=_LAYER_TYPE, digest=layer.diff_id, size=layer.archive_size)


def _add(found: dict[str, bytes], content: bytes, media_type: str, platform: Platform) -> Descriptor:
    digest = f"{_ALGORITHM}{hashlib.sha256(content).hexdigest()}"
    found[blob(digest)] = content
    return Descriptor(media_type=media_type, digest=digest, size=len(content), platform=platform)


def blob(digest: str) -> str:
    return BLOBS + digest.removeprefix(_ALGORITHM)


def _decode(text: bytes, name: str, type_: type[_T]) -> _T:
    try:
        return msgspec.json.decode(text, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"the archive is damaged: {name}: {error}") from error
