"""A process under the filter: it sends its listener to a socket, then answers lines of Python with what they give.

An OSError is answered with its number. `statfs`, `fstatfs` and `raw` make the calls as a program does, by syscall(2).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import struct
import sys

from zonehost.drivers.runtime import listening  # noqa: F401 - for the lines
from zonehost.linux import btrfs, btrfs_ioctls, seccomp_notify
from zonehost.linux import statfs as numbers

LIBC = ctypes.CDLL(None, use_errno=True)
BUFFER = ctypes.create_string_buffer(256)
NATIVE = {number: call for calls in list(numbers.CALLS.values())[:1] for number, call in calls.items()}
IOCTL = min(next(iter(btrfs_ioctls.CALLS.values())))
STATFS, FSTATFS = sorted(number for number, call in NATIVE.items() if not call.size and number < 1 << 16)


def raw(number: int, *arguments: object) -> int:
    """The error of a system call, 0 if it has none."""
    ctypes.set_errno(0)
    return ctypes.get_errno() if LIBC.syscall(number, *arguments) else 0


def statfs(path: object, buffer: object = BUFFER) -> tuple[int, int, int] | int:
    return raw(STATFS, path, buffer) or sizes()


def fstatfs(descriptor: int, buffer: object = BUFFER) -> tuple[int, int, int] | int:
    return raw(FSTATFS, descriptor, buffer) or sizes()


def sizes() -> tuple[int, int, int]:
    """Bytes of it all, free, and available."""
    _, block, blocks, free, available = struct.unpack_from("=5Q", BUFFER.raw)
    return blocks * block, free * block, available * block


def make(folder: str, name: str) -> bool:
    """Make a subvolume."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        btrfs.create_subvolume(descriptor, name)
    finally:
        os.close(descriptor)
    return True


def take(source: str, folder: str, name: str) -> bool:
    """Make a snapshot."""
    original, descriptor = os.open(source, os.O_RDONLY), os.open(folder, os.O_RDONLY)
    try:
        btrfs.snapshot(original, descriptor, name)
    finally:
        os.close(original)
        os.close(descriptor)
    return True


def make_as_long_ago(folder: str, name: str) -> int:
    """The error of making a subvolume by the first form of the call."""
    descriptor = os.open(folder, os.O_RDONLY)
    argument = struct.pack("<q4088s", 0, name.encode())
    try:
        return raw(IOCTL, descriptor, btrfs_ioctls.SUBVOL_CREATE, argument)
    finally:
        os.close(descriptor)


def statfs_32(number: int, path: bytes, size: int) -> tuple[int, bytes]:
    """The result and what is written, of a call as 32-bit programs on x86-64 make it (int 0x80)."""
    low = 0x40
    place = mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | low, prot=7)
    address = ctypes.addressof(ctypes.c_char.from_buffer(place))
    place[4096 : 4097 + len(path)] = path + b"\0"
    third = address + 6144
    second = size or third
    code = b"\x53" + b"".join(
        opcode + struct.pack("=I", value)
        for opcode, value in (
            (b"\xb8", number),
            (b"\xbb", address + 4096),
            (b"\xb9", second),
            (b"\xba", third),
        )
    )
    place[: len(code) + 4] = code + b"\xcd\x80\x5b\xc3"
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)(), place[6144:6400]


def main() -> None:
    listener = seccomp_notify.listen(numbers.CALLS, btrfs_ioctls.CALLS)
    with socket.socket(fileno=int(sys.argv[1])) as taker:
        socket.send_fds(taker, [b"x"], [listener])
    os.close(listener)
    for line in sys.stdin:
        try:
            print(repr(eval(line)), flush=True)
        except OSError as error:
            print(error.errno, flush=True)


if __name__ == "__main__":
    main()
