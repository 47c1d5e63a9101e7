"""Names of images: `busybox`, `registry.example:5000/team/app:1.2`, `…@sha256:…`.

The grammar is that of the distribution project's reference package, which Docker uses; `docker.io` and `library` are
put in where they are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from zonehost.errors import InvalidParameter

DEFAULT_DOMAIN: Final = "docker.io"
DEFAULT_TAG: Final = "latest"
_OFFICIAL: Final = "library/"
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_DOMAIN_PART: Final = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN: Final = re.compile(rf"(?:{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAME_LIMIT: Final = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed name. `tag` and `digest` are empty where they are not given."""

    domain: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """The full name without tag and digest: docker.io/library/busybox."""
        return f"{self.domain}/{self.path}"

    @property
    def familiar_repository(self) -> str:
        """The name without tag and digest as people write it: busybox."""
        if self.domain == DEFAULT_DOMAIN:
            return self.path.removeprefix(_OFFICIAL)
        return self.repository

    @property
    def canonical(self) -> str:
        """The full name: docker.io/library/busybox:latest."""
        return self.repository + self._suffix()

    @property
    def familiar(self) -> str:
        """As people write it, and commands print it: busybox:latest."""
        return self.familiar_repository + self._suffix()

    def tagged(self) -> Reference:
        """With the tag `latest` if it has neither tag nor digest."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def _suffix(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{tag}@{self.digest}" if self.digest else tag


def parse_reference(text: str) -> Reference:
    """Read a name of an image.

    Raises:
        InvalidParameter: it is not one, in Docker's words.
    """
    rest, at, digest = text.partition("@")
    if at and _DIGEST.fullmatch(digest) is None:
        raise InvalidParameter("invalid reference format")
    name, tag = rest, ""
    head, colon, tail = rest.rpartition(":")
    if colon and "/" not in tail:
        name, tag = head, tail
        if not is_tag(tag):
            raise InvalidParameter("invalid reference format")
    domain, path = _split_domain(name)
    if path.lower() != path and _PATH.fullmatch(path.lower()):
        raise InvalidParameter(f"invalid reference format: repository name ({path}) must be lowercase")
    if _PATH.fullmatch(path) is None or _DOMAIN.fullmatch(domain) is None:
        raise InvalidParameter("invalid reference format")
    if len(path) > _NAME_LIMIT:
        raise InvalidParameter(f"repository name must not be more than {_NAME_LIMIT} characters")
    if not at and domain == DEFAULT_DOMAIN and re.fullmatch(r"[0-9a-f]{64}", name):
        raise InvalidParameter(f"invalid repository name ({name}), cannot specify 64-byte hexadecimal strings")
    return Reference(domain, path, tag, digest)


def is_tag(text: str) -> bool:
    """Whether it can be a tag."""
    return _TAG.fullmatch(text) is not None


def _split_domain(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    named = slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first)
    domain, path = (first, rest) if named else (DEFAULT_DOMAIN, name)
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in path:
        path = _OFFICIAL + path
    return domain, path
