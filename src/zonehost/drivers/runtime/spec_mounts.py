"""The `mounts` of an OCI runtime configuration: what Docker puts into every container, and what was asked for.

Pure. A mount that was asked for takes the place of a default one; parents come before what lies below them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from zonehost.domain.blueprint import BindMount, Blueprint
from zonehost.drivers.runtime.site import Site

INIT: Final = "/sbin/docker-init"
"""Where the small init of `--init` appears inside, as in Docker."""
INIT_PROGRAM: Final = "/usr/bin/tini-static"
"""It on the host: statically linked, from Debian's package `tini`."""

_Mount = dict[str, Any]
_STERN: Final = ("nosuid", "noexec", "nodev")


def mounts(blueprint: Blueprint, site: Site, *, init: bool) -> list[_Mount]:
    """All mounts, in the order in which crun makes them."""
    asked = sorted(_asked(blueprint, site), key=lambda mount: mount["destination"].rstrip("/").count("/"))
    taken = {mount["destination"] for mount in asked}
    own = [mount for mount in _defaults(blueprint, site) if not _replaced(mount["destination"], taken)]
    if init:
        own.append(_bind(INIT_PROGRAM, INIT, "ro"))
    return own + asked


def _replaced(destination: str, taken: set[str]) -> bool:
    return destination in taken or ("/dev" in taken and destination.startswith("/dev/"))


def _defaults(blueprint: Blueprint, site: Site) -> Iterator[_Mount]:
    joins = blueprint.namespaces
    # The kernel lets a user namespace mount only what shows namespaces that it owns; the host's are seen by binds.
    foreign = site.userns
    if foreign and joins.pid == "host":
        yield _bind("/proc", "/proc", "rbind", *_STERN)
    else:
        yield _mount("proc", "/proc", *_STERN)
    yield _mount("tmpfs", "/dev", "nosuid", "strictatime", "mode=755", "size=65536k")
    yield _mount("devpts", "/dev/pts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
    readonly = () if blueprint.privileged and not blueprint.root.readonly else ("ro",)
    if foreign and joins.net == "host":
        yield _bind("/sys", "/sys", "rbind", *_STERN, *readonly)
    else:
        yield _mount("sysfs", "/sys", *_STERN, *readonly)
    if joins.cgroup == "host" and not site.hybrid:
        # To mount cgroup2 from the host's cgroup namespace would set the options of the whole host's tree anew.
        yield _bind("/sys/fs/cgroup", "/sys/fs/cgroup", *_STERN, *readonly)
    else:
        yield _mount("cgroup", "/sys/fs/cgroup", *_STERN, *readonly)
    if site.mqueue:
        yield _bind(site.mqueue, "/dev/mqueue", *_STERN)
    else:
        yield _mount("mqueue", "/dev/mqueue", *_STERN)
    if site.shm:
        yield _bind(site.shm, "/dev/shm", *_STERN)
    elif joins.ipc != "none":
        yield {**_mount("tmpfs", "/dev/shm", *_STERN, "mode=1777", f"size={blueprint.shm_size}"), "source": "shm"}


def _asked(blueprint: Blueprint, site: Site) -> Iterator[_Mount]:
    for bind, source in zip(blueprint.binds, site.binds, strict=True):
        yield _bind(source, bind.destination, "rbind" if bind.recursive else "bind", *_access(bind), bind.propagation)
    for image, source in zip(blueprint.images, site.images, strict=True):
        yield _bind(source, image.destination, "rbind", "ro")
    for tmpfs in blueprint.tmpfs:
        yield _mount("tmpfs", tmpfs.destination, *tmpfs.options)
    if site.userns:
        for node, source in zip(site.devices, site.nodes, strict=True):
            yield _bind(source, node.destination, "nosuid", "noexec")


def _access(bind: BindMount) -> tuple[str, ...]:
    if not bind.readonly:
        return ("rw",)
    return ("ro", "rro") if bind.recursive and bind.recursive_readonly else ("ro",)


def _mount(kind: str, destination: str, *options: str) -> _Mount:
    return {"destination": destination, "type": kind, "source": kind, "options": list(options)}


def _bind(source: str, destination: str, *options: str) -> _Mount:
    """A bind mount; private and not recursive unless the options say otherwise."""
    words = list(options)
    if not {"bind", "rbind"} & set(words):
        words.insert(0, "bind")
    if not {"private", "rprivate", "slave", "rslave", "shared", "rshared"} & set(words):
        words.append("rprivate")
    return {"destination": destination, "type": "bind", "source": source, "options": words}
