"""Which namespaces a zone is in, and which ids it has: new ones, the host's, or those of a zone beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from zonehost.domain.blueprint import Namespaces
from zonehost.errors import InvalidParameter
from zonehost.linux import idmap, namespaces, overlay, pidfd

_OCI_NAMES: Final = {"net": "network", "pid": "pid", "ipc": "ipc", "uts": "uts", "cgroup": "cgroup"}


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """A running zone whose namespaces are joined. `lease` is the descriptor of its keeper that holds its ids."""

    pid: int
    keeper: int
    lease: int
    first_id: int


@dataclass(frozen=True, slots=True)
class Belonging:
    """What was made and found. The keeper must inherit `inherited`; `holder` is a child to wait for, or 0.

    `joined` is as in `site.Site.namespaces`, `net` the network namespace if it is new. Without ids of its own a zone
    has no identity, and its first id is 0.
    """

    joined: dict[str, str]
    inherited: tuple[int, ...]
    net: int | None
    identity: overlay.Identity | None
    first_id: int
    lease: int
    holder: int


@dataclass(frozen=True, slots=True)
class _Ids:
    lease: int
    first: int


def has_own_ids(asked: Namespaces, neighbours: Mapping[str, Neighbour]) -> bool:
    """Whether the zone will have other ids than the host."""
    if neighbours:
        return any(other.first_id for other in neighbours.values())
    return asked.user != "host"


def find(asked: Namespaces, neighbours: Mapping[str, Neighbour], ids: str) -> Belonging:
    """Make or find the user and network namespaces, and lease ids; the rest crun makes. `ids` is the file of leases.

    Raises:
        InvalidParameter: the zones to join have different user namespaces.
        Unavailable: all ids are leased.
    """
    joined = {"mount": ""}
    for kind, name in _OCI_NAMES.items():
        whose = getattr(asked, kind)
        if whose in neighbours:
            joined[name] = f"/proc/{neighbours[whose].pid}/ns/{kind}"
        elif whose != "host":
            joined[name] = ""
    new_net = joined.get("network") == ""
    lease, made = _make(asked, list(neighbours.values()), ids, net=new_net)
    if made.user is not None:
        joined["user"] = _path(made.user)
    if made.net is not None:
        joined["network"] = _path(made.net)
    held = (lease.lease if lease else None, made.user, made.net)
    return Belonging(
        joined=joined,
        inherited=tuple(fd for fd in held if fd is not None),
        net=made.net,
        identity=overlay.Identity(made.user, lease.first, lease.first) if lease and made.user is not None else None,
        first_id=lease.first if lease else 0,
        lease=lease.lease if lease else -1,
        holder=made.holder,
    )


def _make(
    asked: Namespaces, neighbours: list[Neighbour], ids: str, *, net: bool
) -> tuple[_Ids | None, namespaces.Made]:
    if neighbours:
        first = neighbours[0]
        if any(other.first_id != first.first_id for other in neighbours):
            raise InvalidParameter("cannot join the namespaces of containers that have different user namespaces")
        if first.first_id:
            return _make_beside(first, net=net)
    elif asked.user != "host":
        lease = idmap.lease(ids)
        return _Ids(lease.fd, lease.first), namespaces.make((lease.first, idmap.COUNT), net=net)
    return None, namespaces.make(None, net=True) if net else namespaces.Made(None, None)


def _make_beside(neighbour: Neighbour, *, net: bool) -> tuple[_Ids, namespaces.Made]:
    """In the neighbour's user namespace, with its ids, which stay leased as long as either lives."""
    keeper = os.pidfd_open(neighbour.keeper)
    ids = _Ids(pidfd.borrow(keeper, neighbour.lease), neighbour.first_id)
    os.close(keeper)
    user = namespaces.open_of(neighbour.pid, "user")
    return ids, namespaces.Made(user, namespaces.net_owned_by(user) if net else None)


def _path(fd: int) -> str:
    """Where crun finds the descriptor, which it has from its parent, the keeper."""
    return f"/proc/self/fd/{fd}"
