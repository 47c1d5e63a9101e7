"""Git repositories elsewhere, as builds read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from zonehost.domain.git_url import GitUrl


@dataclass(frozen=True, slots=True)
class GitAccess:
    """What a client lends for one repository, as host paths; empty is nothing.

    `config` is a file in git's form of configuration, `agent` the socket of an ssh agent.
    """

    config: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class GitHead:
    """A commit, and the full name of the ref that led to it; empty where the commit itself was named."""

    commit: str
    ref: str = ""


class GitRemotes(Protocol):
    """Reads repositories with nothing of this host's: no configuration, no credentials, no hooks. Bounded in time."""

    async def find(self, url: GitUrl, access: GitAccess) -> GitHead:
        """The commit that is meant. A whole hash is taken as it is, and nobody asked.

        Raises:
            InvalidParameter: the repository has no such ref. Unavailable: it cannot be read.
            Unsupported: git is not installed.
        """

    async def check_out(self, url: GitUrl, head: GitHead, folder: str, access: GitAccess, *, keep: bool) -> str:
        """The files of a commit, with those of its submodules, in a new folder; the path of what `subdir` names.

        They belong to root, and their times are the commit's. `keep` keeps git's own folder, where all is asked for.

        Raises:
            InvalidParameter: the commit or the subdirectory is not there. Unavailable: the repository cannot be read.
            Unsupported: git is not installed.
        """
