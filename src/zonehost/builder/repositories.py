"""Git repositories as one build reads them: with what its client lends, and never more.

A client gives a login as it gives other secrets. Their names are BuildKit's: `GIT_AUTH_TOKEN` and `GIT_AUTH_HEADER`,
for one host alone with the host behind a dot.
"""

from __future__ import annotations

import base64
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from zonehost.domain.git_url import read_git_url
from zonehost.domain.identity import new_id
from zonehost.errors import InvalidParameter
from zonehost.ports.build_client import NoClient
from zonehost.ports.build_files import Placement, Selection
from zonehost.ports.git import GitAccess, GitHead

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from zonehost.builder.work import Work
    from zonehost.domain.git_url import GitUrl
    from zonehost.ports.build_client import BuildClient

_HEADER: Final = "GIT_AUTH_HEADER"
_TOKEN: Final = "GIT_AUTH_TOKEN"
_AGENT: Final = "default"


class Repositories:
    """Reads repositories for one build; what it checks out goes with the build."""

    def __init__(self, build: str, work: Work, client: BuildClient) -> None:
        self._build = build
        self._work = work
        self._client = client

    async def find(self, url: GitUrl) -> GitHead:
        """The commit that is meant.

        Raises:
            InvalidParameter: the repository has no such ref, or it is another commit than its checksum says.
            Unavailable: it cannot be read.
        """
        async with self._access(url) as access:
            head = await self._work.git.find(url, access)
        if not head.commit.startswith(url.checksum):
            raise InvalidParameter(
                f"digest mismatch for {url.remote}: expected checksum to match {url.checksum}, got {head.commit}"
            )
        return head

    async def check_out(self, url: GitUrl, head: GitHead, *, keep: bool) -> str:
        """The host path of its files. Raises as `find`."""
        folder = await self._work.files.vacancy(self._build)
        async with self._access(url) as access:
            return await self._work.git.check_out(url, head, folder, access, keep=keep)

    async def archive(self, url: GitUrl, head: GitHead, *, keep: bool) -> AsyncIterator[bytes]:
        """The same as an archive. Raises as `find`."""
        folder = await self.check_out(url, head, keep=keep)
        whole = Selection(folders=(folder,))
        return self._work.files.copy(self._build, whole, Placement(base=(), destination="/", link=True))

    @asynccontextmanager
    async def _access(self, url: GitUrl) -> AsyncIterator[GitAccess]:
        if url.host:
            header = await self._header(url)
            if not header:
                yield GitAccess()
                return
            scheme = urlsplit(url.remote).scheme
            text = f'[http "{scheme}://{url.host}/"]\n\textraHeader = "Authorization: {_quoted(header)}"\n'
            yield GitAccess(config=await self._work.files.conceal(self._build, text.encode(), 0o600, 0, 0))
        elif await self._client.has_agent(_AGENT):
            path = await self._work.files.socket(self._build)
            async with self._client.agent(_AGENT, path):
                yield GitAccess(agent=path)
        else:
            yield GitAccess()

    async def _header(self, url: GitUrl) -> str:
        """The value of the header Authorization, empty for none."""
        if url.login:
            return _basic(url.login.encode())
        for name in (f"{_HEADER}.{url.host}", f"{_TOKEN}.{url.host}", _HEADER, _TOKEN):
            secret = await self._client.secret(name)
            if secret is not None and name.startswith(_HEADER):
                return secret.decode("utf-8", "replace").strip()
            if secret is not None:
                return _basic(b"x-access-token:" + secret.strip())
        return ""


def _basic(login: bytes) -> str:
    return f"basic {base64.b64encode(login).decode()}"


def _quoted(value: str) -> str:
    """A value as it stands between quotes in git's configuration (git-config(1), "Syntax")."""
    if "\n" in value or "\0" in value:
        raise InvalidParameter("a header for git is one line")
    return value.replace("\\", "\\\\").replace('"', '\\"')


async def latest_commit(work: Work, address: str) -> str:
    """What an address leads to now, as far as anybody can see. Raises as `Repositories.find`."""
    url = read_git_url(address, bare=True)
    if url is None:
        raise InvalidParameter(f"{address} names no git repository")
    return (await Repositories(new_id(), work, NoClient()).find(url)).commit
