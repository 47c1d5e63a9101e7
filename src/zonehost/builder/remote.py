"""Contexts at an address: an archive, or a Dockerfile alone. Git repositories are refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from zonehost.domain.identity import new_id
from zonehost.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from zonehost.builder.work import Work

GIT: Final = re.compile(r"(?:git://|git@|ssh://|github\.com/)|https?://[^?#]+\.git(?:[?#]|$)", re.IGNORECASE)
"""What Docker takes for a git repository."""


async def receive_remote(work: Work, build: str, url: str, dockerfile: str) -> str:
    """Get the context of a build; the digest of what came. A file that is no archive becomes the Dockerfile.

    Raises:
        Unsupported: it is a git repository. InvalidParameter: the address cannot be.
        Unavailable: the server does not give it.
    """
    if GIT.match(url):
        raise Unsupported(f"a git repository as the build context is not supported: clone {url} first")
    fetching = new_id()
    try:
        await work.files.receive(fetching, _nothing())
        found = await work.files.fetch(fetching, url)
        await work.files.receive(build, work.files.as_context(found.file, dockerfile))
    finally:
        await work.files.discard(fetching)
    return found.digest


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
