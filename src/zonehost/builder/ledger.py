"""What a build read of the outside world, written down while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonehost.ports.provenance import BaseUsed, GitUsed, Provenance, StepDone, UrlUsed

if TYPE_CHECKING:
    from zonehost.domain.git_url import GitUrl
    from zonehost.ports.build_cache import CachedStep
    from zonehost.ports.workshop import Base


class Ledger:
    """One build's."""

    def __init__(self) -> None:
        self._bases: dict[str, BaseUsed] = {}
        self._urls: dict[str, UrlUsed] = {}
        self._repositories: dict[str, GitUsed] = {}
        self._steps: dict[str, StepDone] = {}

    def base(self, name: str, base: Base) -> None:
        """An image was read."""
        self._bases[name] = BaseUsed(name=name, image=base.id, digest=base.digest)

    def url(self, url: str, digest: str) -> None:
        """A file was fetched that no checksum pins."""
        self._urls[url] = UrlUsed(url=url, digest=digest)

    def repository(self, url: GitUrl, commit: str) -> None:
        """A repository was read."""
        if not url.pinned:
            self._repositories[url.shown] = GitUsed(url=url.shown, commit=commit)

    def step(self, step: CachedStep) -> None:
        """A step was done, now or before."""
        if step.outside:
            self._steps[step.key] = StepDone(instruction=step.instruction, made=step.made, outside=step.outside)

    def closed(self, image: str, fresh: int | None) -> Provenance:
        """All of it."""
        return Provenance(
            image=image,
            bases=tuple(self._bases.values()),
            urls=tuple(self._urls.values()),
            repositories=tuple(self._repositories.values()),
            steps=tuple(self._steps.values()),
            fresh=fresh,
        )
