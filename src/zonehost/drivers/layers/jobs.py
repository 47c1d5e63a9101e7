"""What the fork server runs for this driver; arguments and answers are JSON, descriptors as `linux.jobs` has them."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from zonehost.drivers.layers.below import complete as take_from_below
from zonehost.drivers.layers.commit import commit as make_of_upper
from zonehost.drivers.layers.load import load as take_in_images
from zonehost.drivers.layers.pack import pack as packed
from zonehost.drivers.layers.save import save as archived
from zonehost.drivers.layers.unpack import unpack as take_in
from zonehost.errors import InvalidParameter, SystemFailure
from zonehost.linux import libc
from zonehost.linux.answering import answering, incoming
from zonehost.linux.tree_removal import remove_tree
from zonehost.ports.archives import ArchivedImage
from zonehost.tar.compression import gzipped
from zonehost.tar.extract import write
from zonehost.tar.reader import Bounds
from zonehost.tar.writer import gathered


class Unpacking(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `unpack`."""

    folder: str
    bounds: Bounds
    diff_id: str | None


@answering
def unpack(arguments: Any, fds: list[int]) -> Any:
    """A layer from an archive."""
    wanted = msgspec.convert(arguments, Unpacking)
    os.umask(0)
    return msgspec.to_builtins(take_in(incoming(fds), wanted.folder, wanted.bounds, wanted.diff_id))


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `commit`."""

    upper: str
    folder: str
    below: tuple[str, ...]
    known: frozenset[str]
    epoch: int | None


@answering
def commit(arguments: Any, fds: list[int]) -> Any:
    """A layer from an overlay's upper directory."""
    wanted = msgspec.convert(arguments, Commit)
    os.umask(0)
    return msgspec.to_builtins(make_of_upper(wanted.upper, wanted.folder, wanted.known, wanted.below, wanted.epoch))


@answering
def pack(folder: Any, fds: list[int]) -> None:
    """The archive of a layer, to the descriptor."""
    for chunk in packed(folder):
        write(fds[0], memoryview(chunk))


@answering
def compress(folder: Any, fds: list[int]) -> None:
    """The archive of a layer in gzip, to the descriptor."""
    for chunk in gathered(gzipped(packed(folder))):
        write(fds[0], memoryview(chunk))


@answering
def verify(folder: Any, fds: list[int]) -> bool:
    """Whether the layer in a folder still gives its archive."""
    try:
        for _ in packed(folder):
            pass
    except (SystemFailure, InvalidParameter, FileNotFoundError, msgspec.DecodeError):
        return False
    return True


@answering
def sync(folder: Any, fds: list[int]) -> None:
    """Make safe on the disk what was written to the file system of a folder."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    libc.call("syncfs", fd)


@answering
def remove(folder: Any, fds: list[int]) -> None:
    """Remove a folder with all in it."""
    remove_tree(folder)


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `complete`."""

    layer: str
    below: tuple[str, ...]
    folder: str


@answering
def complete(arguments: Any, fds: list[int]) -> bool:
    """What a layer takes from those below it."""
    wanted = msgspec.convert(arguments, Completion)
    os.umask(0)
    return take_from_below(wanted.layer, wanted.below, wanted.folder)


class Loading(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `load`."""

    folder: str
    known: frozenset[str]
    bounds: Bounds
    architecture: str


@answering
def load(arguments: Any, fds: list[int]) -> Any:
    """The images of an archive."""
    wanted = msgspec.convert(arguments, Loading)
    os.umask(0)
    return msgspec.to_builtins(
        take_in_images(incoming(fds), wanted.folder, wanted.known, wanted.bounds, wanted.architecture)
    )


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """Arguments of `save`: the folders of the layers are by diff id."""

    images: tuple[ArchivedImage, ...]
    folders: dict[str, str]


@answering
def save(arguments: Any, fds: list[int]) -> None:
    """An archive of images, to the descriptor."""
    wanted = msgspec.convert(arguments, Saving)
    for chunk in archived(wanted.images, wanted.folders.__getitem__):
        write(fds[0], memoryview(chunk))
