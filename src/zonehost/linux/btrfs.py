"""btrfs by ioctl: subvolumes, snapshots, simple quotas, send, resize.

Numbers and structures are of the kernel's include/uapi/linux/btrfs.h and btrfs_tree.h. Calls take an open directory of
the file system and raise OSError as the kernel says it.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from typing import Final, NamedTuple

from zonehost.linux import btrfs_ioctls as ioctls
from zonehost.linux import libc

_PATH_NAME: Final = 4088
_SUBVOLUME_NAME: Final = 4040

_NOCOW: Final = 0x00800000
_SEND_NO_DATA: Final = 1
_READONLY: Final = 1 << 1
_QGROUP_INHERIT: Final = 1 << 2
_QUOTA_ENABLE_SIMPLE: Final = 4
_LIMIT_REFERENCED: Final = 1
_DESTROY_BY_ID: Final = 1 << 4
_ROOT_TREE: Final = 1
_ROOT_BACKREF: Final = 144
_ROOT_REF: Final = 156
_QUOTA_TREE: Final = 8
_QGROUP_INFO: Final = 242
_QGROUP_LIMIT_ITEM: Final = 244
_QGROUP_RELATION: Final = 246
_ROOT_REFERENCE: Final = struct.Struct("<QQH")
"""struct btrfs_root_ref, before the name."""
_SEARCH_HEADER: Final = struct.Struct("<QQQII")
_NO_LIMIT: Final = 2**64 - 1


class QuotaGroup(NamedTuple):
    """What a quota group holds and may hold, in bytes; a limit of 0 is none."""

    referenced: int
    limit: int


class Scrubbed(NamedTuple):
    """What a scrub read, in bytes, and the errors it found: all, and those that it could not mend."""

    data: int
    metadata: int
    errors: int
    uncorrectable: int


class SubvolumeInfo(NamedTuple):
    """A subvolume's id, that of the one above it, and its UUIDs, as btrfs_ioctl_get_subvol_info_args has them."""

    id: int
    parent: int
    flags: int
    uuid: bytes
    parent_uuid: bytes
    received_uuid: bytes

    @property
    def readonly(self) -> bool:
        """Whether nothing can write to it."""
        return bool(self.flags & 1)


def is_btrfs(path: str | os.PathLike[str]) -> bool:
    """Whether the path is on btrfs (stat of a subvolume's root has inode 256 only there, so ask the file system)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        filesystem_id(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL):
            return False
        raise
    finally:
        os.close(descriptor)
    return True


def filesystem_id(descriptor: int) -> bytes:
    """The UUID of the file system (struct btrfs_ioctl_fs_info_args)."""
    answer = bytearray(1024)
    fcntl.ioctl(descriptor, ioctls.FS_INFO, answer)
    return bytes(answer[16:32])


def create_subvolume(parent: int, name: str, groups: tuple[int, ...] = ()) -> None:
    """Make an empty subvolume in the directory `parent`, a member of the quota groups from its first byte."""
    _volume_v2(parent, ioctls.SUBVOL_CREATE_V2, name, groups=groups)


def snapshot(source: int, parent: int, name: str, *, readonly: bool = False, groups: tuple[int, ...] = ()) -> None:
    """Make `name` in the directory `parent` a snapshot of the subvolume open at `source`: O(1), atomic."""
    _volume_v2(parent, ioctls.SNAP_CREATE_V2, name, fd=source, flags=_READONLY if readonly else 0, groups=groups)


def destroy_subvolume(parent: int, name: str) -> None:
    """Remove the subvolume `name` of the directory `parent`, with all in it; the space comes back a little later."""
    _call(parent, ioctls.SUBVOL_DESTROY, struct.pack(f"<q{_PATH_NAME}s", 0, os.fsencode(name)))


def destroy_by_id(descriptor: int, subvolume: int) -> None:
    """Remove a subvolume that has no others in it, wherever it is."""
    argument = struct.pack(f"<qQQ32sQ{_SUBVOLUME_NAME - 8}s", 0, 0, _DESTROY_BY_ID, b"", subvolume, b"")
    _call(descriptor, ioctls.SNAP_DESTROY_V2, argument)


def subvolumes_in(descriptor: int, subvolume: int) -> list[int]:
    """Ids of the subvolumes whose directory entry is in this one (ROOT_REF items of the root tree)."""
    found = _search(descriptor, _ROOT_TREE, _ROOT_REF, _ROOT_REF, of=subvolume)
    return [child for _, child, _ in found]


def place_of(descriptor: int, subvolume: int) -> tuple[int, str]:
    """The subvolume that has this one's directory entry, and its name there (ROOT_BACKREF items of the root tree).

    Raises:
        OSError: ENOENT, there is no such subvolume in another.
    """
    for _, parent, body in _search(descriptor, _ROOT_TREE, _ROOT_BACKREF, _ROOT_BACKREF, of=subvolume):
        return parent, os.fsdecode(body[_ROOT_REFERENCE.size :])
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def subvolume_info(descriptor: int) -> SubvolumeInfo:
    """About the subvolume that the open file is in."""
    answer = bytearray(504)
    fcntl.ioctl(descriptor, ioctls.GET_SUBVOL_INFO, answer)
    identity, _, parent, _, _, flags = struct.unpack_from("<Q256sQQQQ", answer)
    at = struct.calcsize("<Q256sQQQQ")
    uuids = struct.unpack_from("<16s16s16s", answer, at)
    return SubvolumeInfo(identity, parent, flags, *uuids)


def set_readonly(descriptor: int, readonly: bool) -> None:
    """Close the subvolume to writes, or open it."""
    answer = bytearray(8)
    fcntl.ioctl(descriptor, ioctls.SUBVOL_GETFLAGS, answer)
    (flags,) = struct.unpack("<Q", answer)
    wanted = flags | _READONLY if readonly else flags & ~_READONLY
    fcntl.ioctl(descriptor, ioctls.SUBVOL_SETFLAGS, struct.pack("<Q", wanted))


def enable_simple_quotas(descriptor: int) -> None:
    """Account every extent to the subvolume that wrote it (Linux 6.7). Nothing happens if quotas are on.

    The distribution's btrfs-progs of Debian 12 does not know this command.
    """
    fcntl.ioctl(descriptor, ioctls.QUOTA_CTL, bytearray(struct.pack("<QQ", _QUOTA_ENABLE_SIMPLE, 0)))


def create_group(descriptor: int, group: int) -> None:
    """Make a quota group (level << 48 | number); one that exists is left as it is."""
    _group_call(descriptor, ioctls.QGROUP_CREATE, struct.pack("<QQ", 1, group), errno.EEXIST)


def destroy_group(descriptor: int, group: int) -> bool:
    """Remove a quota group; whether it is gone. One that still has members stays."""
    try:
        _group_call(descriptor, ioctls.QGROUP_CREATE, struct.pack("<QQ", 0, group), errno.ENOENT)
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True


def groups_above(descriptor: int, member: int) -> list[int]:
    """The groups that a group's bytes are counted in too (QGROUP_RELATION items of the quota tree)."""
    return [above for _, above, _ in _search(descriptor, _QUOTA_TREE, _QGROUP_RELATION, _QGROUP_RELATION, of=member)]


def leave_group(descriptor: int, member: int, group: int) -> None:
    """Count what `member` holds in `group` no more. Nothing happens if it was not."""
    _group_call(descriptor, ioctls.QGROUP_ASSIGN, struct.pack("<QQQ", 0, member, group), errno.ENOENT)


def limit_group(descriptor: int, group: int, limit: int) -> None:
    """Let the group hold at most `limit` bytes; 0 lifts the limit."""
    fcntl.ioctl(
        descriptor,
        ioctls.QGROUP_LIMIT,
        struct.pack("<QQQQQQ", group, _LIMIT_REFERENCED, limit or _NO_LIMIT, 0, 0, 0),
    )


def quota_groups(descriptor: int) -> dict[int, QuotaGroup]:
    """Every quota group's use and limit, from the quota tree: no walk of any file tree."""
    used: dict[int, int] = {}
    limits: dict[int, int] = {}
    for kind, group, body in _search(descriptor, _QUOTA_TREE, _QGROUP_INFO, _QGROUP_LIMIT_ITEM):
        if kind == _QGROUP_INFO:
            used[group] = struct.unpack_from("<QQ", body)[1]
        elif kind == _QGROUP_LIMIT_ITEM:
            flags, limit = struct.unpack_from("<QQ", body)
            limits[group] = limit if flags & _LIMIT_REFERENCED and limit != _NO_LIMIT else 0
    return {group: QuotaGroup(bytes_, limits.get(group, 0)) for group, bytes_ in used.items()}


def resize(descriptor: int, size: str) -> None:
    """Resize the file system's only device: bytes, or `max`."""
    _call(descriptor, ioctls.RESIZE, struct.pack(f"<q{_PATH_NAME}s", 0, size.encode()))


def write_in_place(folder: int) -> None:
    """Have files that are made in the folder from now on be written in place, without checksums (FS_NOCOW_FL)."""
    flags = bytearray(4)
    fcntl.ioctl(folder, ioctls.GETFLAGS, flags)
    (now,) = struct.unpack("<I", flags)
    fcntl.ioctl(folder, ioctls.SETFLAGS, struct.pack("<I", now | _NOCOW))


def scrub(descriptor: int, device: int = 1) -> Scrubbed:
    """Read all that is on the device and check its checksums. Blocks until it is done."""
    argument = bytearray(1024)
    struct.pack_into("<QQQQ", argument, 0, device, 0, _NO_LIMIT, 0)
    fcntl.ioctl(descriptor, ioctls.SCRUB, argument)
    progress = struct.unpack_from("<15Q", argument, 32)
    _, _, data, metadata, read, checksum, verify, _, _, superblock, _, uncorrectable, *_ = progress
    return Scrubbed(data, metadata, read + checksum + verify + superblock, uncorrectable)


def trim(descriptor: int) -> int:
    """Discard what is not in use (FITRIM of include/uapi/linux/fs.h); bytes that the device was told to let go."""
    argument = bytearray(struct.pack("<QQQ", 0, _NO_LIMIT, 0))
    fcntl.ioctl(descriptor, ioctls.FITRIM, argument)
    return int(struct.unpack("<QQQ", argument)[1])


def sync(descriptor: int) -> None:
    """Return when all that was written before is on the device."""
    fcntl.ioctl(descriptor, ioctls.SYNC)


def commit(descriptor: int) -> None:
    """Return when the transaction that is under way is on the device, and counted; it waits for no file's data."""
    transaction = bytearray(8)
    fcntl.ioctl(descriptor, ioctls.START_SYNC, transaction)
    fcntl.ioctl(descriptor, ioctls.WAIT_SYNC, bytes(transaction))


def send(source: int, output: int, *, parent: int = 0, data: bool = True) -> None:
    """Write the send stream (version 1) of the read-only subvolume at `source` to the pipe or file `output`.

    `parent` is the id of a read-only subvolume that the receiver has. Without `data`, the stream only says which bytes
    would be in it (UPDATE_EXTENT). Blocks until all is written.
    """
    flags = 0 if data else _SEND_NO_DATA
    fcntl.ioctl(source, ioctls.SEND, struct.pack("<qQQQQI28s4x", output, 0, 0, parent, flags, 0, b""))


def _volume_v2(
    parent: int, number: int, name: str, *, fd: int = 0, flags: int = 0, groups: tuple[int, ...] = ()
) -> None:
    encoded = os.fsencode(name)
    if len(encoded) >= _SUBVOLUME_NAME:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), name)
    if not groups:
        _call(parent, number, struct.pack(f"<qQQ32s{_SUBVOLUME_NAME}s", fd, 0, flags, b"", encoded))
        return

    inherit = ctypes.create_string_buffer(struct.pack(f"<QQQQ40s{len(groups)}Q", 0, len(groups), 0, 0, b"", *groups))
    size = struct.calcsize(f"<QQQQ40s{len(groups)}Q")
    union = struct.pack("<QQ16s", size, ctypes.addressof(inherit), b"")
    argument = struct.pack(f"<qQQ32s{_SUBVOLUME_NAME}s", fd, 0, flags | _QGROUP_INHERIT, union, encoded)
    _call(parent, number, argument)


def _call(descriptor: int, number: int, argument: bytes) -> None:
    """ioctl(2) of an argument that is larger than a kilobyte, and takes its time.

    For one of that size fcntl.ioctl keeps the interpreter's lock (Python 3.11): nothing else of the daemon would run
    until the kernel has committed, or has evicted what it destroys.
    """
    libc.call("ioctl", descriptor, number, argument)


def _group_call(descriptor: int, number: int, argument: bytes, done: int) -> None:
    try:
        fcntl.ioctl(descriptor, number, argument)
    except OSError as error:
        if error.errno != done:
            raise


def _search(
    descriptor: int, tree: int, first_kind: int, last_kind: int, *, of: int = 0
) -> list[tuple[int, int, bytes]]:
    """Items of a tree as (kind, offset of the key, body), for keys of one object (0, as the quota tree has them)."""
    found: list[tuple[int, int, bytes]] = []
    size = 1 << 16
    kind, offset = first_kind, 0
    while True:
        head = struct.pack(
            "<QQQQQQQIIII32xQ", tree, of, of, offset, _NO_LIMIT, 0, _NO_LIMIT, kind, last_kind, 4096, 0, size
        )
        buffer = bytearray(head) + bytearray(size)
        fcntl.ioctl(descriptor, ioctls.TREE_SEARCH_V2, buffer)
        (items,) = struct.unpack_from("<I", buffer, 64)
        if not items:
            return found
        at = 112
        for _ in range(items):
            _, _, offset, kind, length = _SEARCH_HEADER.unpack_from(buffer, at)
            at += _SEARCH_HEADER.size
            found.append((kind, offset, bytes(buffer[at : at + length])))
            at += length
        offset += 1
