"""The registry port: images by reference, layers as blobs, logins, searches."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from zonehost.domain.reference import is_tag
from zonehost.drivers.registry import manifests, uploads
from zonehost.drivers.registry.downloads import download
from zonehost.drivers.registry.known import KnownBlobs
from zonehost.drivers.registry.manifests import Index, Manifest
from zonehost.drivers.registry.transport import Access, Transport, read_bounded
from zonehost.errors import InvalidParameter, NotFound, Unsupported
from zonehost.ports.registry import (
    Descriptor,
    Distribution,
    Login,
    RemoteImage,
    Repository,
    SearchResult,
    SentLayer,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from zonehost.domain.platform import Platform
    from zonehost.drivers.registry.endpoints import RegistryPolicy
    from zonehost.web import WebClient

T = TypeVar("T")
_TAGS_PER_PAGE = 1000
_LARGEST_LIST = 16 << 20
_MOST_TAGS = 1 << 18


class _Tags(msgspec.Struct, frozen=True):
    tags: tuple[str, ...] | None = None


class _Found(msgspec.Struct, frozen=True):
    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class _Results(msgspec.Struct, frozen=True):
    results: tuple[_Found, ...] = ()


class RegistryClient:
    """Speaks to every registry. `state` is the file that remembers which blobs are where."""

    def __init__(self, policy: RegistryPolicy, host: Platform, state: str, web: WebClient) -> None:
        self._transport = Transport(policy, web)
        self._host = host
        self._known = KnownBlobs(state)

    async def close(self) -> None:
        """Let all connections go. Idempotent."""
        await self._transport.close()

    async def fetch(
        self, repository: Repository, reference: str, login: Login | None = None, platform: Platform | None = None
    ) -> RemoteImage:
        """See `Registry.fetch`."""
        access = Access(repository, login=login)
        top, found = await self._manifest(access, reference)
        descriptor = top
        if isinstance(found, Index):
            descriptor = manifests.choose(found, platform or self._host)
            nested, found = await self._manifest(access, descriptor.digest)
            if nested.size != descriptor.size:
                raise InvalidParameter(f"manifest {descriptor.digest} is not of the size that its index promises")
        if isinstance(found, Index):
            raise Unsupported("an index that leads to an index is not supported")
        config = await self._config(access, found)
        diff_ids, actual = manifests.read_config(config, found)
        if platform is not None and not platform.runs(actual):
            reason = f"its platform ({actual}) does not match the specified platform ({platform})"
            raise NotFound(f"image with reference {repository}:{reference} was found but {reason}")
        return RemoteImage(top.digest, descriptor, config, found.config.digest, found.layers, diff_ids, actual)

    def blob(self, repository: Repository, blob: Descriptor, login: Login | None = None) -> AsyncIterator[bytes]:
        """See `Registry.blob`."""
        return download(self._transport, Access(repository, login=login), blob)

    def learn(self, repository: Repository, diff_id: str, blob: Descriptor) -> None:
        """See `Registry.learn`."""
        self._known.add(diff_id, repository, blob)

    async def tags(self, repository: Repository, login: Login | None = None) -> tuple[str, ...]:
        """See `Registry.tags`."""
        access = Access(repository, login=login)
        found: set[str] = set()
        path: str = f"{repository.path}/tags/list?n={_TAGS_PER_PAGE}"
        while path:
            async with self._transport.request(access, "GET", path) as response:
                page = _decode(await read_bounded(response, _LARGEST_LIST), _Tags)
                following = response.links.get("next")
            new = {*map(_checked_tag, page.tags or ())} - found
            found |= new
            if len(found) > _MOST_TAGS:
                raise InvalidParameter(f"repository {repository} has more than {_MOST_TAGS} tags")
            # A page without anything new would lead round in circles.
            path = str(following["url"]) if following and new else ""
        return tuple(sorted(found))

    async def inspect(self, repository: Repository, reference: str, login: Login | None = None) -> Distribution:
        """See `Registry.inspect`."""
        access = Access(repository, login=login)
        top, found = await self._manifest(access, reference)
        if isinstance(found, Index):
            return Distribution(top, tuple(platform for _, platform in found.entries if platform is not None))
        _, platform = manifests.read_config(await self._config(access, found), found)
        return Distribution(top, (platform,))

    async def send_layer(
        self,
        repository: Repository,
        diff_id: str,
        blob: Callable[[], AsyncIterator[bytes]],
        login: Login | None = None,
    ) -> SentLayer:
        """See `Registry.send_layer`."""
        known = self._known.find(diff_id, repository.host)
        for origin, found in known:
            if origin == repository:
                if await uploads.exists(self._transport, Access(repository, "pull,push", login), found.digest):
                    return SentLayer(found, "exists")
                self._known.forget(diff_id, repository)
        for origin, found in known:
            if origin != repository:
                access = Access(repository, "pull,push", login, (origin,))
                if await uploads.mount(self._transport, access, found.digest, origin):
                    self._known.add(diff_id, repository, found)
                    return SentLayer(found, "mounted", origin.path)
        sent = await uploads.send_layer(self._transport, Access(repository, "pull,push", login), blob)
        self._known.add(diff_id, repository, sent)
        return SentLayer(sent, "sent")

    async def send_image(
        self,
        repository: Repository,
        reference: str,
        config: bytes,
        layers: Sequence[Descriptor],
        login: Login | None = None,
    ) -> Descriptor:
        """See `Registry.send_image`."""
        access = Access(repository, "pull,push", login)
        await uploads.send_bytes(self._transport, access, config)
        data, descriptor = manifests.write_manifest(config, layers)
        headers = {"Content-Type": descriptor.media_type}
        path = f"{repository.path}/manifests/{reference}"
        async with self._transport.request(access, "PUT", path, accept=(201, 202), headers=headers, data=data):
            return descriptor

    async def check_login(self, login: Login) -> str:
        """See `Registry.check_login`."""
        host = login.serveraddress.split("://", 1)[-1].split("/", 1)[0] or "docker.io"
        if host == "index.docker.io":
            host = "docker.io"
        return await self._transport.check_login(Access(Repository(host, ""), login=login))

    async def search(self, host: str, term: str, limit: int, login: Login | None = None) -> tuple[SearchResult, ...]:
        """See `Registry.search`: Docker's old v1 search, which the Hub and few others still have."""
        access = Access(Repository("index.docker.io" if host == "docker.io" else host, ""), login=login)
        query = {"q": term, "n": str(limit)}
        try:
            async with self._transport.request(access, "GET", "/v1/search", params=query) as response:
                found = _decode(await read_bounded(response, _LARGEST_LIST), _Results)
        except NotFound as error:
            raise Unsupported(f"registry {host} has no search") from error
        return tuple(
            SearchResult(one.name, one.description, one.star_count, one.is_official, one.is_automated)
            for one in found.results
        )

    async def _manifest(self, access: Access, reference: str) -> tuple[Descriptor, Manifest | Index]:
        headers = {"Accept": ", ".join(manifests.ACCEPTED)}
        path = f"{access.repository.path}/manifests/{reference}"
        try:
            async with self._transport.request(access, "GET", path, headers=headers) as response:
                data = await read_bounded(response, manifests.LARGEST_MANIFEST)
                content_type = response.headers.get("Content-Type", "")
                promised = response.headers.get("Docker-Content-Digest", "")
        except NotFound as error:
            name = f"{access.repository}{'@' if ':' in reference else ':'}{reference}"
            raise NotFound(f"manifest for {name} not found: {error}") from error
        digest = manifests.digest_of(data)
        expected = reference if ":" in reference else promised
        if expected.startswith("sha256:") and expected != digest:
            raise InvalidParameter(f"manifest verification failed for digest {expected}")
        found = manifests.read_manifest(data, content_type)
        return Descriptor(found.media_type, digest, len(data)), found

    async def _config(self, access: Access, manifest: Manifest) -> bytes:
        if manifest.config.size > manifests.LARGEST_CONFIG:
            raise InvalidParameter(f"the image's configuration is larger than {manifests.LARGEST_CONFIG} bytes")
        parts = [part async for part in download(self._transport, access, manifest.config)]
        return b"".join(parts)


def _checked_tag(tag: str) -> str:
    if not is_tag(tag):
        raise InvalidParameter(f"the registry names a tag that is none: {tag[:128]!a}")
    return tag


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise InvalidParameter(f"the registry answered what cannot be read: {error}") from error
