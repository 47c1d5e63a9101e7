"""Steps: what an instruction asks for when all is expanded, as data. What a step reads is all in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from zonehost.builder.lines import Heredoc
from zonehost.builder.mounts import RunMount
from zonehost.domain.git_url import GitUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """A command. `env` is all that the process gets but proxies; `script` is a here-document that is run as a file."""

    args: tuple[str, ...]
    env: tuple[str, ...]
    user: str
    workdir: str
    mounts: tuple[RunMount, ...] = ()
    network: str = "default"
    script: Heredoc | None = None
    arguments: tuple[str, ...] = ()
    """Build arguments in `env`, NAME=value, as history shows them."""

    @property
    def shown(self) -> str:
        """The words under which history keeps it."""
        prefix = f"|{len(self.arguments)} {' '.join(self.arguments)} " if self.arguments else ""
        return prefix + " ".join(self.args)


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyStep:
    """Files to copy. `origin` names a stage or an image, empty is the context; `contents` are name and text.

    `checksum` is that of the one file at `urls`; a repository has its own.
    """

    name: str
    sources: tuple[str, ...]
    contents: tuple[tuple[str, str], ...]
    destination: str
    origin: str = ""
    owner: str = ""
    mode: str = ""
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    repositories: tuple[GitUrl, ...] = ()
    checksum: str = ""
    unpack: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStep:
    """WORKDIR: a folder that must be there."""

    path: str


Step = RunStep | CopyStep | FolderStep


@dataclass(frozen=True, slots=True)
class Settings:
    """What of the request changes what RUN steps do, and so belongs to their keys."""

    network: str = "default"
    extra_hosts: tuple[str, ...] = ()
    limits: dict[str, object] = field(default_factory=dict)
