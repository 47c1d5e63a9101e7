"""A root as an overlay: read-only layer trees under one writable directory, idmapped or not.

Owns the assembly on every kernel that zonehost serves: from 6.13 on layers are given to overlayfs as descriptors; a
6.12 kernel wants paths, so there the layers are first put below a private folder of the caller's mount namespace.
Layers and the upper directory keep ids from 0 on disk; a user namespace says whose they are for this mount.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from zonehost.linux import libc, mounts

_NO_SETUID_FIXUP = 1 << 2  # SECBIT_NO_SETUID_FIXUP, capabilities(7)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose ids the mount shows: a user namespace, and the host's ids of its root."""

    userns: int
    uid: int
    gid: int


@contextmanager
def acting_as(identity: Identity | None) -> Iterator[None]:
    """Do file system work as the identity's root, with all capabilities kept (a securebit sees to that).

    Overlayfs writes as the one who mounts it, and an id that the idmapping does not know makes it read-only; nor can
    such an id own a file.
    """
    if identity is None:
        yield
        return
    libc.prctl(libc.PR_SET_SECUREBITS, _NO_SETUID_FIXUP)
    libc.call("setfsuid", identity.uid)
    libc.call("setfsgid", identity.gid)
    try:
        yield
    finally:
        libc.call("setfsuid", 0)
        libc.call("setfsgid", 0)
        libc.prctl(libc.PR_SET_SECUREBITS, 0)


def tree(path: str, identity: Identity | None = None) -> int:
    """A detached, non-recursive copy of the mount at the path, idmapped if there is an identity.

    Raises:
        OSError: no such path, or its file system cannot be idmapped.
    """
    fd = mounts.clone(path)
    if identity is not None:
        try:
            mounts.change(fd, userns=identity.userns)
        except OSError:
            os.close(fd)
            raise
    return fd


def assemble(
    layers: Sequence[str], writable: str | None, *, scratch: str, identity: Identity | None = None, attributes: int = 0
) -> int:
    """A detached overlay of the layer trees, lowest first; with `writable`, over its `upper` and `work` directories.

    `scratch` is an empty directory in a mount namespace of the caller's own; mounts may be left below it there.
    A single layer without a writable part is that layer, read-only; no layer at all is one empty layer.

    Raises:
        OSError: a path is missing, or the kernel would not make the overlay.
    """
    if not layers:
        Path(scratch, "empty").mkdir(mode=0o755)
        layers = [f"{scratch}/empty"]
    with ExitStack() as opened:

        def kept(fd: int) -> int:
            opened.callback(os.close, fd)
            return fd

        if writable is None and len(layers) == 1:
            fd = tree(layers[0], identity)
            mounts.change(fd, add=mounts.RDONLY | attributes)
            return fd
        options: list[mounts.Option] = [
            ("source", "overlay"),
            ("redirect_dir", "nofollow"),
            ("index", "off"),
            ("metacopy", "off"),
        ]
        options += [("lowerdir+", kept(tree(layer, identity))) for layer in reversed(layers)]
        if writable is not None:
            # f_fsid of statfs(2) is that of the upper directory's subvolume (kernel: overlayfs.rst, "uuid").
            options.append(("uuid", "null"))
            data = kept(tree(writable, identity))
            for name in ("upper", "work"):
                fd = kept(os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=data))
                options.append((f"{name}dir", fd))
        with acting_as(identity):
            try:
                return mounts.new("overlay", options, attributes=attributes)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EBADF):  # EBADF: 6.12 takes no O_PATH descriptor
                    raise
        named = list(_attached(options, scratch, None if writable is None else data))
        with acting_as(identity):
            return mounts.new("overlay", named, attributes=attributes)


def _attached(options: Sequence[mounts.Option], scratch: str, data: int | None) -> Iterator[mounts.Option]:
    """The same options by path, with the trees put below `scratch`."""
    if data is not None:
        Path(scratch, "data").mkdir()
        mounts.place(data, f"{scratch}/data")
    for number, (key, value) in enumerate(options):
        if key == "lowerdir+" and isinstance(value, int):
            Path(scratch, str(number)).mkdir()
            mounts.place(value, f"{scratch}/{number}")
            yield key, f"{scratch}/{number}"
        elif isinstance(value, int):
            yield key, f"{scratch}/data/{key.removesuffix('dir')}"
        else:
            yield key, value
