"""The builder port. The builder itself is loaded when somebody builds: a daemon that never does is smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Sequence

    from zonehost.builder.build import Build
    from zonehost.builder.work import Work
    from zonehost.ports.builder import BuildRequest
    from zonehost.ports.provenance import Finding


class ImageBuilder:
    """The builder port."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def settle(self) -> None:
        """See `Builder.settle`."""
        await self._work.workshop.abandon()
        for build in await self._work.files.survey():
            await self._work.files.discard(build)
        self._work.cache.keep_provenance(self._work.workshop.images())

    async def stale(self, images: Sequence[str], fresh: str) -> list[Finding]:
        """See `Builder.stale`."""
        from zonehost.builder.stale import find_stale

        return await find_stale(self._work, images, fresh)

    async def prepare(self, request: BuildRequest, context: AsyncIterable[bytes]) -> Build:
        """See `Builder.prepare`."""
        from zonehost.builder.preparation import prepare

        return await prepare(self._work, request, context)
