"""What an image that was built here came from: enough to find out later whether that has changed."""

from __future__ import annotations

import msgspec


class BaseUsed(msgspec.Struct, frozen=True, kw_only=True):
    """An image that a build read. `digest` is its registry's, empty if it came from none."""

    name: str
    image: str
    digest: str = ""


class UrlUsed(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a build fetched, without a checksum that pins it."""

    url: str
    digest: str


class GitUsed(msgspec.Struct, frozen=True, kw_only=True):
    """A git repository that a build read, without a checksum that pins it. `url` bears no login."""

    url: str
    commit: str


class StepDone(msgspec.Struct, frozen=True, kw_only=True):
    """A step that asked the outside world; `made` is nanoseconds since the epoch."""

    instruction: str
    made: int
    outside: tuple[str, ...]


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, for one image. `fresh` is the bound that the build had, in nanoseconds."""

    image: str = ""
    bases: tuple[BaseUsed, ...] = ()
    urls: tuple[UrlUsed, ...] = ()
    repositories: tuple[GitUsed, ...] = ()
    steps: tuple[StepDone, ...] = ()
    fresh: int | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is out of date. `kind` is base, url, git, step or package; `error`: it could not be asked."""

    image: str
    kind: str
    subject: str
    detail: str
    error: bool = False
