"""What each instruction of a Dockerfile is: frozen records, variables not yet expanded. No parsing, no meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zonehost.builder.lines import Heredoc, Statement
    from zonehost.domain.config import Healthcheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """`original` is the text that history and progress show; `statement` is where it stands."""

    statement: Statement
    original: str


@dataclass(frozen=True, slots=True, kw_only=True)
class From(Instruction):
    base: str
    name: str
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arg(Instruction):
    """Names with their defaults; None where a name has none."""

    arguments: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Env(Instruction):
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label(Instruction):
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command: a list of words (`shell` false), or one text for the shell of the moment."""

    words: tuple[str, ...]
    shell: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(Instruction):
    """`mounts` are the texts of `--mount`, not yet expanded; `network` is default, none or host."""

    command: CommandLine
    heredocs: tuple[Heredoc, ...] = ()
    mounts: tuple[str, ...] = ()
    network: str = "default"
    security: str = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmd(Instruction):
    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrypoint(Instruction):
    command: CommandLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What COPY and ADD have in common. `contents` are the here-documents among the sources."""

    sources: tuple[str, ...]
    contents: tuple[Heredoc, ...]
    destination: str
    chown: str = ""
    chmod: str = ""
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy(Instruction):
    """`origin` is the stage or image to copy from; empty is the build context."""

    transfer: Transfer
    origin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Add(Instruction):
    """`unpack` and `keep_git_dir` are None where the Dockerfile does not say.

    Then local archives are unpacked and fetched ones not, and the address of a repository has a say.
    """

    transfer: Transfer
    checksum: str = ""
    keep_git_dir: bool | None = None
    unpack: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workdir(Instruction):
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class User(Instruction):
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Instruction):
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expose(Instruction):
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSignal(Instruction):
    signal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell(Instruction):
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintainer(Instruction):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBuild(Instruction):
    """`trigger` is the text of an instruction, here-documents included, for the image that builds on this one."""

    trigger: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck(Instruction):
    check: Healthcheck
