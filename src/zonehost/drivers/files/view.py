"""How a job reaches a zone's files.

A running zone is seen through its first process, so with all that is mounted in it, and as its own root would see it:
the job joins its user namespace. What does not run is mounted in a mount namespace of the job's own; ids on disk are
the zone's own ids. Each is a directory to resolve paths in, never a path of the host.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from zonehost.domain.blueprint import BindMount, ImageMount
from zonehost.domain.volume import ImageFile
from zonehost.errors import InvalidParameter, NotFound
from zonehost.linux import loop_image, mounts, namespaces, overlay, pidfd
from zonehost.linux.openat import IN_ROOT, NO_MAGICLINKS, open_below
from zonehost.linux.scratch import privately
from zonehost.ports.files import ZoneTree
from zonehost.tar.entry import relative
from zonehost.tar.tree import Tree

_ROOT: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
INSIDE: Final = IN_ROOT | NO_MAGICLINKS
"""Resolve as the zone would, and follow no link that is not made of a path (/proc/PID/root and the like)."""


def live(tree: ZoneTree) -> int:
    """The root of a running zone. From here on this process is root in the zone's user namespace.

    Raises:
        NotFound: the zone has ended.
        OSError: the kernel refused.
    """
    ended = NotFound(f"container {tree.zone} is not running")
    process = pidfd.find(tree.pid)
    if process is None:
        raise ended
    try:
        root = os.open(f"/proc/{tree.pid}/root", _ROOT)
        userns = namespaces.open_of(tree.pid, "user")
    except (ProcessLookupError, FileNotFoundError):
        raise ended from None
    if not pidfd.send(process, 0):
        raise ended  # and what was opened may be of another process that got its pid
    if os.fstat(userns).st_ino != Path("/proc/self/ns/user").stat().st_ino:
        namespaces.enter(userns, namespaces.NEWUSER)
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
    os.close(userns)
    os.close(process)
    return root


def image(tree: ZoneTree, stage: str) -> int:
    """What the zone's layers show, without anything that the zone wrote."""
    privately(stage)
    return _layers(tree.root.layers, stage, "image")


def written(tree: ZoneTree, stage: str) -> int:
    """What the zone's root shows, running or not, without what is mounted in it; nothing can be written."""
    privately(stage)
    return _layers((*tree.root.layers, f"{tree.root.dataset}/root/upper"), stage, "root")


def stopped(tree: ZoneTree, stage: str, *, writable: bool) -> int:
    """The root of a zone that does not run, with its volumes, binds and images.

    Unless it is `writable`, what is written (places for mounts) is gone afterwards, and the zone may start meanwhile.
    """
    privately(stage)
    root = Path(stage, "root")
    root.mkdir()
    Path(stage, "mounts").mkdir()
    if writable:
        fd = overlay.assemble(tree.root.layers, f"{tree.root.dataset}/root", scratch=f"{stage}/mounts")
    else:
        for name in ("upper", "work"):
            Path(stage, "top", name).mkdir(parents=True)
        layers = (*tree.root.layers, f"{tree.root.dataset}/root/upper")
        fd = overlay.assemble(layers, f"{stage}/top", scratch=f"{stage}/mounts")
    mounts.place(fd, str(root))
    inside: tuple[BindMount | ImageMount, ...] = (*tree.binds, *tree.images)
    for mount in sorted(inside, key=lambda mount: mount.destination.count("/")):
        _place(fd, mount, stage)
    if tree.working_dir:
        os.close(_found_or_made(fd, os.fsencode(tree.working_dir), folder=True))
    if writable and tree.root.readonly:
        mounts.change(fd, add=mounts.RDONLY)
    return fd


def _layers(layers: tuple[str, ...], stage: str, name: str) -> int:
    for folder in ("nothing", name):
        Path(stage, folder).mkdir(mode=0o755)
    # One tree alone would be no overlay, and its whiteouts would be seen as files.
    return overlay.assemble((f"{stage}/nothing", *layers), None, scratch=f"{stage}/{name}")


def _place(root: int, mount: BindMount | ImageMount, stage: str) -> None:
    if isinstance(mount, BindMount):
        if mount.image is None:
            base = os.open(mount.source, os.O_PATH | os.O_CLOEXEC)
            clone = _below(base, mount.subpath, recursive=mount.recursive)
        else:
            base = _image(mount.image)
            clone = os.dup(base)
        mounts.change(clone, propagation=mounts.PRIVATE, recursive=True)
        if mount.readonly:
            mounts.change(clone, add=mounts.RDONLY, recursive=mount.recursive_readonly)
    else:
        scratch = tempfile.mkdtemp(dir=stage)
        base = overlay.assemble(mount.layers, None, scratch=scratch)
        clone = _below(base, mount.subpath)
    os.close(base)
    place = _found_or_made(root, os.fsencode(mount.destination), folder=stat.S_ISDIR(os.fstat(clone).st_mode))
    mounts.place(clone, "", at=place)
    os.close(place)
    os.close(clone)


def _image(image: ImageFile) -> int:
    try:
        return loop_image.mount(Path(image.device), image.fstype, readonly=image.readonly)
    except (loop_image.NotAnImage, loop_image.ImageInUse) as error:
        raise InvalidParameter(f"the image {image.device} cannot be mounted: {error}") from error


def _below(base: int, subpath: str, *, recursive: bool = False) -> int:
    if not subpath:
        return mounts.clone("", at=base, recursive=recursive)
    inside = open_below(base, os.fsencode(subpath), os.O_PATH, INSIDE)
    try:
        return mounts.clone("", at=inside, recursive=recursive)
    finally:
        os.close(inside)


def _found_or_made(root: int, destination: bytes, *, folder: bool) -> int:
    """A mount point or the working directory, made if it is not there, as Docker does."""
    try:
        return open_below(root, destination, os.O_PATH, INSIDE)
    except FileNotFoundError:
        pass
    tree = Tree(root)
    if folder:
        tree.parent(relative(destination) + b"/")
    else:
        tree.parent(relative(destination))
        # A link to what is not there leads inside too: by the name alone, in its folder, it would lead out of the root.
        os.close(open_below(root, destination, os.O_WRONLY | os.O_CREAT, INSIDE, 0o644))
    tree.close()
    return open_below(root, destination, os.O_PATH, INSIDE)
