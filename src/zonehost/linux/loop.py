"""Loop devices: a file as a block device (loop(4), include/uapi/linux/loop.h)."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SET_CAPACITY: Final = 0x4C07
_CONFIGURE: Final = 0x4C0A
_CLEAR_FD: Final = 0x4C01
_GET_STATUS64: Final = 0x4C05
_CTL_GET_FREE: Final = 0x4C82
_READ_ONLY, _AUTOCLEAR, _DIRECT_IO = 1, 4, 16
_INFO64: Final = struct.Struct("<QQQQQIIII64s64s32sQQ")
_CONFIG: Final = struct.Struct(f"<II{_INFO64.size}s64x")
_TRIES: Final = 16


@dataclass(frozen=True, slots=True)
class LoopStatus:
    """What the kernel was told of a device: the name that it bears (lo_file_name), and whether it can be written."""

    name: str
    readonly: bool


def attach(backing: Path, *, readonly: bool = False, block: int = 4096, name: str = "") -> tuple[str, int]:
    """Put the file behind a free loop device; the device's path, and its descriptor.

    The kernel frees the device when nothing has it open or mounted any more (LO_FLAGS_AUTOCLEAR): keep the descriptor
    until it is mounted. The page cache of the file is by-passed where its file system can. `block` is the size of the
    device's sectors, 0 for the usual 512 bytes; `name` is what the device bears, usually the start of the file's path.

    Raises:
        OSError: the file cannot be opened, or no device is to be had.
    """
    flags = _AUTOCLEAR | (_READ_ONLY if readonly else 0)
    file = os.open(backing, (os.O_RDONLY if readonly else os.O_RDWR) | os.O_CLOEXEC)
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_TRIES):
            device = f"/dev/loop{fcntl.ioctl(control, _CTL_GET_FREE)}"
            descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            try:
                _configure(descriptor, file, name or os.fspath(backing), flags, block)
            except OSError as error:
                os.close(descriptor)
                if error.errno == errno.EBUSY:
                    continue  # another process took this device between our two calls
                raise
            return device, descriptor
        raise OSError(errno.EBUSY, "no loop device stays free long enough", str(backing))
    finally:
        os.close(control)
        os.close(file)


def attached(backing: Path) -> list[str]:
    """Paths of the loop devices that have this very file behind them."""
    try:
        wanted = backing.stat()
    except FileNotFoundError:
        return []
    found = []
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            behind = Path(entry.read_text().rstrip("\n")).stat()
        except OSError:
            continue  # detached, or its file removed, while we look
        if (behind.st_dev, behind.st_ino) == (wanted.st_dev, wanted.st_ino):
            found.append(f"/dev/{entry.parent.parent.name}")
    return found


def status(descriptor: int) -> LoopStatus | None:
    """About an open loop device; None if it has no file behind it (any more)."""
    answer = bytearray(_INFO64.size)
    try:
        fcntl.ioctl(descriptor, _GET_STATUS64, answer)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise
    fields = _INFO64.unpack(answer)
    return LoopStatus(os.fsdecode(fields[9].rstrip(b"\0")), bool(fields[8] & _READ_ONLY))


def refresh_size(device: str) -> None:
    """Let the device see that its file has grown."""
    _call(device, _SET_CAPACITY)


def detach(device: str) -> None:
    """Take the file from the device, at once or when its last user closes it. One that is free is no error."""
    try:
        _call(device, _CLEAR_FD)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise


def _call(device: str, number: int) -> None:
    descriptor = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, number)
    finally:
        os.close(descriptor)


def _configure(descriptor: int, file: int, name: str, flags: int, block: int) -> None:
    for wanted in (flags | _DIRECT_IO, flags):
        info = _INFO64.pack(0, 0, 0, 0, 0, 0, 0, 0, wanted, os.fsencode(name)[:63], b"", b"", 0, 0)
        try:
            fcntl.ioctl(descriptor, _CONFIGURE, _CONFIG.pack(file, block if wanted & _DIRECT_IO else 0, info))
        except OSError as error:
            # A file system without O_DIRECT, or with another block size, is used through the page cache.
            if error.errno == errno.EINVAL and wanted & _DIRECT_IO:
                continue
            raise
        return
