"""A zone's mounts, made ready in the private mount namespace that its launcher has unshared.

All of it stands on one tmpfs over a folder of the host that is there for this only; none of it can be seen, held or
left behind outside. Owns which mounts there are and where; crun puts them into the root.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from zonehost.domain.blueprint import BindMount, ImageMount, Root
from zonehost.drivers.runtime.spec_devices import Node
from zonehost.errors import InvalidParameter, NotFound
from zonehost.linux import idmap, mounts, namespaces, overlay
from zonehost.linux.openat import BENEATH, open_below

_NOT_IDMAPPABLE = (errno.EINVAL, errno.EPERM, errno.EOPNOTSUPP)


def clone_binds(binds: Sequence[BindMount], images: Sequence[int], *, apart: bool) -> list[tuple[BindMount, int]]:
    """The binds with detached copies of what they name, made while this is still the host's mount namespace.

    Only so can a mount inside a bind with shared propagation reach the host. `apart` makes each mount inside a
    recursive bind a bind of its own: crun 1.8 takes none of them into a user namespace, and each can be idmapped by
    itself. `images` are the mounts of those that are image files.

    Raises:
        InvalidParameter: a source does not exist, or mounts cannot spread from it; NotFound: a subpath does not, or
        leads out; in Docker's words.
    """
    clones: list[tuple[BindMount, int]] = []
    mounted = iter(images)
    for bind in binds:
        try:
            _check_propagation(bind)
            if bind.image is not None:
                clones.append((bind, next(mounted)))
            elif bind.subpath:
                clones.append((bind, _clone_below(bind)))
            else:
                clones.append((bind, mounts.clone(bind.source, recursive=bind.recursive and not apart)))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InvalidParameter(
                f'invalid mount config for type "bind": bind source path does not exist: {bind.source}'
            ) from error
        if apart and bind.recursive and not bind.subpath and bind.image is None:
            clones += _clones_inside(bind)
    return clones


def _check_propagation(bind: BindMount) -> None:
    """Whether mounts can spread as the bind asks, which takes a source whose own do, in Docker's words."""
    if "shared" not in bind.propagation and "slave" not in bind.propagation:
        return
    point, found = mounts.spreading(bind.source)
    needed, words = (
        ({"shared"}, "shared") if "shared" in bind.propagation else ({"shared", "master"}, "shared or slave")
    )
    if not needed & found:
        raise InvalidParameter(f"path {bind.source} is mounted on {point} but it is not a {words} mount")


def _clones_inside(bind: BindMount) -> Iterator[tuple[BindMount, int]]:
    source = str(Path(bind.source).resolve())
    for point in mounts.points_below(source):
        with suppress(OSError):  # covered by another mount, or not to be bound: a recursive bind leaves it out too
            inside = point.removeprefix(source.rstrip("/"))
            destination = bind.destination.rstrip("/") + inside
            clone = mounts.clone(point)
            readonly = bind.readonly and bind.recursive_readonly
            inner = msgspec.structs.replace(
                bind, source=point, destination=destination, recursive=False, readonly=readonly
            )
            yield inner, clone


def _clone_below(bind: BindMount) -> int:
    source = os.open(bind.source, os.O_PATH | os.O_CLOEXEC)
    try:
        inside = _open_subpath(source, bind.subpath, bind.source)
    finally:
        os.close(source)
    try:
        return mounts.clone("", at=inside, recursive=bind.recursive)
    finally:
        os.close(inside)


def _open_subpath(whole: int, subpath: str, shown: str = "") -> int:
    """A part of a volume or an image; `shown` is where the whole is, if the host has it somewhere."""
    try:
        return open_below(whole, subpath.encode(), os.O_PATH, BENEATH)
    except (FileNotFoundError, NotADirectoryError) as error:
        why = str(error.strerror).lower()
        raise NotFound(f"cannot access path {posixpath.join(shown, subpath)}: {why}") from error
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        base = f", base: {shown}" if shown else ""
        why = f"path concatenation escapes the base directory{base}, subpath: {subpath}"
        raise InvalidParameter(why) from error


def protect(program: str) -> None:
    """Make a program read-only in this mount namespace: crun takes that as a reason not to copy itself.

    It otherwise does so at each start, lest a container overwrite it (CVE-2019-5736), and starts anew.
    """
    fd = mounts.clone(program)
    mounts.change(fd, add=mounts.RDONLY)
    mounts.place(fd, program)
    os.close(fd)


class Stage:
    """The tmpfs and what stands on it."""

    def __init__(self, path: str, identity: overlay.Identity | None) -> None:
        """Cover the folder at `path`; root in the zone, nobody here, may pass through."""
        self._identity = identity
        self._plain: int | None = None
        self.path = path
        self._names = 0
        fd = mounts.new("tmpfs", [("mode", "0711"), ("size", "1m")], attributes=mounts.NOSUID)
        mounts.place(fd, path)
        os.close(fd)

    def root(self, root: Root) -> str:
        """The zone's root: its layers under its dataset."""
        fd = overlay.assemble(root.layers, f"{root.dataset}/root", scratch=self._folder(), identity=self._identity)
        return self.put(fd)

    def image(self, image: ImageMount) -> str:
        """An image's layers, read-only."""
        whole = self.put(overlay.assemble(image.layers, None, scratch=self._folder(), identity=self._identity))
        return self._below(whole, image.subpath) if image.subpath else whole

    def _below(self, whole: str, subpath: str) -> str:
        """A part of what stands ready. Older kernels clone only what has a place (6.15, open_tree)."""
        root = os.open(whole, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            inside = _open_subpath(root, subpath)
        finally:
            os.close(root)
        try:
            return self.put(mounts.clone("", at=inside))
        finally:
            os.close(inside)

    def bind(self, bind: BindMount, clone: int) -> str:
        """A bind, with its owners as the host shows them."""
        if bind.idmapped and self._identity is not None:
            self._idmap(clone, self._identity.userns, recursive=bind.recursive)
        elif bind.enclosed:
            self._idmap(clone, self._every_id(), recursive=bind.recursive)
        if "shared" not in bind.propagation and "slave" not in bind.propagation:
            mounts.change(clone, propagation=mounts.PRIVATE, recursive=True)
        return self.put(clone)

    def node(self, node: Node) -> str:
        """A device node, which root in the zone could not make; its owners are the zone's."""
        path = self._name()
        os.mknod(path, (stat.S_IFBLK if node.kind == "b" else stat.S_IFCHR) | 0o600, os.makedev(node.major, node.minor))
        if self._identity is not None:
            os.chown(path, self._identity.uid + node.uid, self._identity.gid + node.gid)
        Path(path).chmod(node.mode)
        return path

    def _every_id(self) -> int:
        """A user namespace that maps each id to itself, made when it is first needed; exec closes it."""
        if self._plain is None:
            made = namespaces.make(idmap.ALL, net=False)
            os.waitpid(made.holder, 0)
            self._plain = made.user
        assert self._plain is not None
        return self._plain

    @staticmethod
    def _idmap(clone: int, userns: int, *, recursive: bool) -> None:
        """Some file systems (proc, sysfs, devtmpfs, network ones) know no idmapping, nor does what is mapped already:
        of a tree with such a part only the top is mapped, and of such a top nothing: it shows `nobody`."""
        for whole in (True, False) if recursive else (False,):
            try:
                mounts.change(clone, userns=userns, recursive=whole)
            except OSError as error:
                if error.errno not in _NOT_IDMAPPABLE:
                    raise
            else:
                return

    def put(self, fd: int) -> str:
        """Give a detached mount a place: a directory for a directory, a file for anything else. Closes it."""
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            path = self._folder()
        else:
            path = self._name()
            Path(path).touch()
        mounts.place(fd, path)
        os.close(fd)
        return path

    def _folder(self) -> str:
        path = self._name()
        Path(path).mkdir()
        return path

    def _name(self) -> str:
        self._names += 1
        return f"{self.path}/{self._names}"
