"""The machine that zones run on: what it is, what it has, what of its files the engine must look at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class PathKind(StrEnum):
    """What a path of the host is."""

    FOLDER = "folder"
    FILE = "file"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What does not change while the daemon runs. Memory is in bytes."""

    hostname: str
    kernel: str
    os_name: str
    os_version: str
    architecture: str
    """As uname(2) has it: x86_64."""
    cpus: int
    cpu_numbers: frozenset[int]
    memory_nodes: frozenset[int]
    memory: int
    cgroup_version: int
    security_modules: frozenset[str]
    """Of lsm(7): apparmor, selinux, landlock…"""
    runtime_version: str
    keeper_version: str


@dataclass(frozen=True, slots=True)
class MachineState:
    """What does change: processes' file descriptors and threads of the daemon."""

    open_files: int
    threads: int
    ipv4_forwarding: bool


class Machine(Protocol):
    """This machine."""

    @property
    def facts(self) -> MachineFacts:
        """What it is."""

    def state(self) -> MachineState:
        """What it does now. It takes the longer, the more zones run."""

    def forwards_ipv4(self) -> bool:
        """Whether it forwards packets of IPv4 between networks."""

    def resolver(self) -> str:
        """The text of its resolv.conf; where a local resolver stands in front, of the one that names real servers."""

    def hosts(self) -> str:
        """The text of its hosts file."""

    async def kind(self, path: str) -> PathKind:
        """What is at the path, links followed."""

    async def make_folder(self, path: str) -> None:
        """Make a folder and those above it. Idempotent."""
