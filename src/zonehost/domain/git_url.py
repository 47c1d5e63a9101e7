"""Addresses of git repositories, as builds write them: `https://host/repo.git#ref:folder`, `git@host:repo?tag=v1`.

Source: Docker's reference of `docker build`, "Git repositories", and BuildKit's of `ADD`, "Adding files from a Git
repository".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from zonehost.errors import InvalidParameter

_SCHEME: Final = re.compile(r"([a-z0-9]+)://", re.IGNORECASE)
_SCHEMES: Final = ("http", "https", "ssh", "git")
_SCP: Final = re.compile(r"[\w-]+@[\w.-]+:[^?#]*")
_BARE: Final = "github.com/"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_CHECKSUM: Final = re.compile(r"[0-9a-f]{7,64}")
_TRUTHS: Final = {"": True, "1": True, "t": True, "true": True, "0": False, "f": False, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class GitUrl:
    """What of a repository is meant. `remote` is for git, without a name and password, which are in `login`.

    `ref` is a branch, a tag, another ref or a commit, empty for what the repository has as its HEAD. `checksum` is the
    beginning of the commit that it must be. `keep_git_dir` is None where the address does not say.
    """

    remote: str
    ref: str = ""
    subdir: str = ""
    checksum: str = ""
    keep_git_dir: bool | None = None
    submodules: bool = True
    login: str = ""

    @property
    def pinned(self) -> bool:
        """Whether it can never be another commit."""
        return bool(self.checksum) or is_commit(self.ref)

    @property
    def shown(self) -> str:
        """The address of this ref and folder, without a login."""
        named = f"{self.ref}:{self.subdir}" if self.subdir else self.ref
        return f"{self.remote}#{named}" if named else self.remote

    @property
    def host(self) -> str:
        """The host, and the port where one is named, of an http or https address; else empty."""
        parts = urlsplit(self.remote)
        return parts.netloc if parts.scheme in ("http", "https") else ""

    def checked(self, checksum: str) -> GitUrl:
        """With a checksum. Raises InvalidParameter."""
        if not _CHECKSUM.fullmatch(checksum):
            raise InvalidParameter(f"invalid checksum {checksum!r}: that of a git repository is a commit's hash")
        return replace(self, checksum=checksum, ref=self.ref or (checksum if is_commit(checksum) else ""))


def is_commit(ref: str) -> bool:
    """Whether a ref is a commit's whole hash."""
    return bool(_COMMIT.fullmatch(ref))


def read_git_url(text: str, *, bare: bool = False) -> GitUrl | None:
    """The repository that an address names, None where it names none; `bare` allows `github.com/owner/repo`.

    Raises:
        InvalidParameter: it is one, and what it asks for cannot be.
    """
    if bare and text.startswith(_BARE):
        text = f"https://{text}"
    elif not _is_git(text):
        return None
    address, _, fragment = text.partition("#")
    address, _, query = address.partition("?")
    ref, _, subdir = fragment.partition(":")
    remote, login = _without_login(address)
    return _asked(GitUrl(remote=remote, ref=unquote(ref), subdir=unquote(subdir), login=login), query)


def _is_git(text: str) -> bool:
    scheme = _SCHEME.match(text)
    if scheme is None:
        return bool(_SCP.match(text))
    name = scheme[1].lower()
    if name in ("http", "https"):
        # A web page may be at any address; only this ending tells a repository.
        return urlsplit(text).path.endswith(".git")
    return name in _SCHEMES


def _without_login(address: str) -> tuple[str, str]:
    """An address without its user and password, and these; over ssh the user is a part of the address."""
    parts = urlsplit(address)
    login, at, netloc = parts.netloc.rpartition("@")
    if not at or parts.scheme.lower() not in ("http", "https"):
        return address, ""
    return parts._replace(netloc=netloc).geturl(), unquote(login)


def _asked(url: GitUrl, query: str) -> GitUrl:
    asked: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in asked:
            raise InvalidParameter(f'query "{name}" has multiple values')
        if not value and name not in ("submodules", "keep-git-dir"):
            raise InvalidParameter(f'query "{name}" has no value')
        asked[name] = value
    ref, subdir = url.ref, url.subdir
    for name, prefix in (("ref", ""), ("tag", "refs/tags/"), ("branch", "refs/heads/")):
        if name in asked:
            ref = _agreed("ref", ref, prefix + asked.pop(name).removeprefix(prefix))
    if "subdir" in asked:
        subdir = _agreed("subdir", subdir, asked.pop("subdir"))
    checksum = asked.pop("checksum", "") or asked.pop("commit", "")
    keep = _truth("keep-git-dir", asked.pop("keep-git-dir")) if "keep-git-dir" in asked else None
    submodules = _truth("submodules", asked.pop("submodules")) if "submodules" in asked else True
    if asked:
        raise InvalidParameter(f'unexpected query "{next(iter(asked))}"')
    found = replace(url, ref=ref, subdir=subdir, keep_git_dir=keep, submodules=submodules)
    return found.checked(checksum) if checksum else found


def _agreed(what: str, one: str, other: str) -> str:
    if one and one != other:
        raise InvalidParameter(f'{what} conflicts: "{one}" vs "{other}"')
    return other


def _truth(name: str, value: str) -> bool:
    if value.lower() not in _TRUTHS:
        raise InvalidParameter(f'invalid {name} value: "{value}"')
    return _TRUTHS[value.lower()]
