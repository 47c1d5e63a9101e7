"""Contexts at an address: a git repository, an archive, or a Dockerfile alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zonehost.builder.plan import KEEP_GIT_ARGUMENT
from zonehost.builder.repositories import Repositories
from zonehost.domain.git_url import read_git_url
from zonehost.domain.identity import new_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from zonehost.builder.ledger import Ledger
    from zonehost.builder.work import Work
    from zonehost.ports.builder import BuildRequest

_TRUE: Final = ("1", "t", "true")


async def receive_remote(work: Work, build: str, request: BuildRequest, ledger: Ledger) -> None:
    """Get the context of a build. A file that is no archive becomes the Dockerfile.

    Raises:
        InvalidParameter: the address cannot be. Unavailable: its server does not give it.
        Unsupported: it is a git repository, and git is not installed.
    """
    url = read_git_url(request.remote, bare=True)
    fetching = new_id()
    try:
        await work.files.receive(fetching, _nothing())
        if url is not None:
            repositories = Repositories(fetching, work, request.client)
            head = await repositories.find(url)
            ledger.repository(url, head.commit)
            keep = url.keep_git_dir if url.keep_git_dir is not None else _kept(request)
            archive = await repositories.archive(url, head, keep=keep)
        else:
            found = await work.files.fetch(fetching, request.remote)
            ledger.url(request.remote, found.digest)
            archive = work.files.as_context(found.file, request.dockerfile)
        await work.files.receive(build, archive)
    finally:
        await work.files.discard(fetching)


def _kept(request: BuildRequest) -> bool:
    return request.arguments.get(KEEP_GIT_ARGUMENT, "").lower() in _TRUE


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
