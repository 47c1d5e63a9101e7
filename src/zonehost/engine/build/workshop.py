"""The workshop port over this host: base images, commands in zones, results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from zonehost.domain.image import Image
from zonehost.domain.platform import Platform
from zonehost.domain.reference import parse_reference
from zonehost.engine.build.run import abandon_builds, run
from zonehost.engine.host import Host
from zonehost.engine.image.intake import take_in
from zonehost.engine.image.platform import platform_of
from zonehost.engine.image.sweep import taking_in
from zonehost.engine.registry.pull import pull as pull_image
from zonehost.engine.telling import tell_image
from zonehost.engine.together import together
from zonehost.errors import InvalidParameter, NotFound, SystemFailure, Unavailable
from zonehost.ports.build_files import BuildFiles
from zonehost.ports.connections import Connections
from zonehost.ports.registry import Repository
from zonehost.ports.workshop import Base, Finished, Logins, Output, Ran, RunOrder, Tell


class EngineWorkshop:
    """Implements `ports.workshop`."""

    def __init__(self, host: Host, files: BuildFiles, connections: Connections) -> None:
        self._host = host
        self._files = files
        self._connections = connections
        self._removals: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """See `Workshop.working`."""
        before = self._cached_layers()
        async with taking_in(self._host):
            try:
                with self._connections.several():
                    yield
            finally:
                await together(*self._removals)
                # A step that was done anew took the place of another in the cache.
                self._host.images.leftovers |= before - self._cached_layers()

    async def base(self, name: str, platform: Platform, *, pull: bool, logins: Logins, tell: Tell) -> Base:
        """See `Workshop.base`."""
        here = self._here(name, platform)
        found = self._base(here, name) if here is not None else None
        if found is not None and not pull:
            return found
        reference = parse_reference(name)
        login = await logins(reference.domain)
        try:
            pulled = await pull_image(self._host, reference, login=login, platform=platform, tell=tell)
        except (NotFound, Unavailable):
            if found is None or found.digest:
                raise
            return found  # made on this host: a registry need not have it
        return self._base(pulled, name)

    def find(self, name: str) -> Base:
        """See `Workshop.find`."""
        return self._base(self._host.images.find(name), name)

    def images(self) -> frozenset[str]:
        """See `Workshop.images`."""
        return frozenset(image.id for image in self._host.images)

    async def latest(self, name: str) -> str:
        """See `Workshop.latest`."""
        reference = parse_reference(name).tagged()
        repository = Repository(reference.domain, reference.path)
        found = await self._host.registries.inspect(repository, reference.digest or reference.tag)
        return found.descriptor.digest

    async def run(self, order: RunOrder, started: Callable[[str], None], output: Output) -> Ran:
        """See `Workshop.run`."""
        return await run(self._host, self._files, self._connections, order, started, output, self._removals)

    async def abandon(self) -> None:
        """See `Workshop.abandon`."""
        await abandon_builds(self._host)

    async def publish(self, image: Finished) -> str:
        """See `Workshop.publish`."""
        names = [parse_reference(tag).tagged() for tag in image.tags]
        layers = []
        for diff_id in image.layers:
            layer = self._host.layers.get(diff_id)
            if layer is None:
                raise SystemFailure(f"layer {diff_id} of a build is gone")
            layers.append(layer)
        made = await take_in(self._host, image.config, layers, names, parent=image.parent)
        tell_image(self._host, "create", made)
        for name in names:
            tell_image(self._host, "tag", made, name.familiar)
        return made.id

    def _cached_layers(self) -> set[str]:
        return set(self._host.build_cache.layers()) if self._host.build_cache is not None else set()

    def _here(self, name: str, platform: Platform) -> Image | None:
        try:
            image = self._host.images.find(name)
        except NotFound:
            return None
        # An image of another platform under this name is as good as none.
        return image if platform.runs(platform_of(self._host, image)) else None

    def _base(self, image: Image, name: str) -> Base:
        config = self._host.images.config_of(image)
        return Base(image.id, config, image.layers, image.added, self._digest(image, name))

    def _digest(self, image: Image, name: str) -> str:
        try:
            repository = parse_reference(name).repository
        except InvalidParameter:
            return ""
        names = [parse_reference(tag.name) for tag in self._host.images.tags_of(image.id)]
        return next((one.digest for one in names if one.digest and one.repository == repository), "")
