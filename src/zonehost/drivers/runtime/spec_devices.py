"""Devices: which nodes a zone gets, and which devices its cgroup lets it use.

The defaults are Docker's. Owns the reading of host device nodes; the launcher makes them, `linux.bpf_device` filters.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zonehost.domain.blueprint import Blueprint, Device
from zonehost.errors import InvalidParameter
from zonehost.linux.bpf_device import Rule

DEFAULT_RULES: Final = (
    Rule("c", None, None, "m"),
    Rule("b", None, None, "m"),
    Rule("c", 1, 3),  # null
    Rule("c", 1, 5),  # zero
    Rule("c", 1, 7),  # full
    Rule("c", 1, 8),  # random
    Rule("c", 1, 9),  # urandom
    Rule("c", 5, 0),  # tty
    Rule("c", 5, 1),  # console
    Rule("c", 5, 2),  # ptmx
    Rule("c", 136, None),  # pts
)
"""Every node may be made, and these used."""

_RULE: Final = re.compile(r"([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})")
_NEVER_PASSED: Final = frozenset({"pts", "shm", "fd", "mqueue", "console"})
"""Below /dev: what every zone has of its own."""


@dataclass(frozen=True, slots=True)
class Node:
    """A device node inside a zone. `kind` is b or c; ids are as the host shows them; access is of r, w, m."""

    destination: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    access: str = "rwm"

    @property
    def rule(self) -> Rule:
        """What lets the zone use it."""
        return Rule(self.kind, self.major, self.minor, self.access)


def passed(blueprint: Blueprint) -> tuple[Node, ...]:
    """The nodes that a zone gets beyond those that every zone has.

    Raises:
        InvalidParameter: as `nodes`.
    """
    return (host_nodes() if blueprint.privileged else ()) + nodes(blueprint.devices)


def nodes(devices: Iterable[Device]) -> tuple[Node, ...]:
    """The nodes that the blueprint's devices stand for; a folder stands for all devices below it.

    Raises:
        InvalidParameter: there is no such device on the host, in Docker's words.
    """
    found: list[Node] = []
    for device in devices:
        below = list(_nodes_at(device))
        if not below:
            raise InvalidParameter(
                f'error gathering device information while adding custom device "{device.source}": not a device node'
            )
        found += below
    return tuple(found)


def host_nodes() -> tuple[Node, ...]:
    """Every device of the host's /dev, as `--privileged` passes them on."""
    return tuple(_walk("/dev", "/dev", "rwm"))


def rules(passed: Iterable[Node], asked: Iterable[str]) -> tuple[Rule, ...]:
    """What the zone may use: the defaults, the nodes it has, and rules as `--device-cgroup-rule` writes them.

    Raises:
        InvalidParameter: a rule is badly written, in Docker's words.
    """
    return (*DEFAULT_RULES, *(node.rule for node in passed), *map(_parse_rule, asked))


def _parse_rule(text: str) -> Rule:
    match = _RULE.fullmatch(text)
    if not match:
        raise InvalidParameter(f"invalid device cgroup rule format: '{text}'")
    kind, major, minor, access = match.groups()
    return Rule(kind, None if major == "*" else int(major), None if minor == "*" else int(minor), access)


def _nodes_at(device: Device) -> Iterator[Node]:
    try:
        status = Path(device.source).stat()
    except OSError as error:
        raise InvalidParameter(
            f'error gathering device information while adding custom device "{device.source}": '
            f"{(error.strerror or '').lower()}"
        ) from error
    if stat.S_ISDIR(status.st_mode):
        yield from _walk(device.source, device.destination, device.permissions)
    elif kind := _kind(status.st_mode):
        yield _node(status, kind, device.destination, device.permissions)


def _walk(source: str, destination: str, access: str) -> Iterator[Node]:
    with os.scandir(source) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name in _NEVER_PASSED or entry.is_symlink():
                continue
            if entry.is_dir():
                yield from _walk(entry.path, f"{destination}/{entry.name}", access)
            elif kind := _kind((status := entry.stat()).st_mode):
                yield _node(status, kind, f"{destination}/{entry.name}", access)


def _kind(mode: int) -> str:
    return "b" if stat.S_ISBLK(mode) else "c" if stat.S_ISCHR(mode) else ""


def _node(status: os.stat_result, kind: str, destination: str, access: str) -> Node:
    return Node(
        destination,
        kind,
        os.major(status.st_rdev),
        os.minor(status.st_rdev),
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
        access,
    )
