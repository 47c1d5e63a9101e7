"""A file system of one file that obeys, fails or never answers, as a test wants it: a FUSE server of its own.

It speaks the protocol of linux/fuse.h over /dev/fuse, in a thread, and knows only what a file named `file` needs. When
it is closed, all who wait for it get ENOTCONN.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NAME: Final = b"file"
_ROOT, _FILE = 1, 2
_MAX_WRITE: Final = 128 << 10
_IN: Final = struct.Struct("=IIQQIIIHH")
_OUT: Final = struct.Struct("=IiQ")
_LOOKUP, _FORGET, _GETATTR, _SETATTR, _OPEN, _READ, _WRITE, _STATFS = 1, 2, 3, 4, 14, 15, 16, 17
_RELEASE, _FSYNC, _FLUSH, _INIT, _OPENDIR, _RELEASEDIR, _ACCESS, _INTERRUPT, _BATCH_FORGET = (
    *(18, 20, 25, 26, 27, 29, 34, 36, 42),
)
_SILENT: Final = {_FORGET, _INTERRUPT, _BATCH_FORGET}


class OneFile:
    """The file system, mounted at `place`. `fails` answers every write with EIO; `hangs` takes and never answers."""

    def __init__(self, place: Path, size: int) -> None:
        self.place = place
        self.path = place / NAME.decode()
        self.fails = False
        self.hangs = False
        self.held = threading.Event()
        """Set when a read, write or statfs was taken that will never be answered."""
        self._content = bytearray(size)
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self._answers: dict[int, Callable[[int, bytes], bytes]] = {
            _INIT: self._init,
            _LOOKUP: self._lookup,
            _GETATTR: lambda node, _: struct.pack("=QII", 0, 0, 0) + self._attributes(node),
            _SETATTR: lambda node, _: struct.pack("=QII", 0, 0, 0) + self._attributes(node),
            _OPEN: lambda *_: struct.pack("=QII", 0, 0, 0),
            _OPENDIR: lambda *_: struct.pack("=QII", 0, 0, 0),
            _READ: self._read,
            _WRITE: self._write,
            _STATFS: lambda *_: struct.pack("=5Q4I24x", 1 << 20, 1 << 19, 1 << 19, 2, 0, 4096, 255, 4096, 0),
            **dict.fromkeys((_RELEASE, _RELEASEDIR, _FSYNC, _FLUSH, _ACCESS), lambda *_: b""),
        }
        self._stop, self._stopped = os.pipe2(os.O_CLOEXEC)
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
        mount = ["mount", "-i", "-t", "fuse", "-o", options, "one-file", str(place)]
        subprocess.run(mount, check=True, pass_fds=[self._device], timeout=20)
        self._thread = threading.Thread(target=self._serve, name="fuse", daemon=True)
        self._thread.start()

    def die(self) -> None:
        """End the server as a crash would: who waits for an answer gets ENOTCONN."""
        if self._thread.is_alive():
            os.close(self._stopped)
            self._thread.join()
            os.close(self._stop)
            os.close(self._device)

    def close(self) -> None:
        """End the server, and unmount."""
        self.die()
        subprocess.run(["umount", "--lazy", str(self.place)], check=True, timeout=20)

    def _serve(self) -> None:
        device = self._device
        while self._stop not in select.select([device, self._stop], [], [])[0]:
            request = os.read(device, _MAX_WRITE + 8192)
            _, opcode, unique, node, *_ = _IN.unpack_from(request)
            if opcode in _SILENT:
                continue
            if self.hangs and opcode in (_READ, _WRITE, _STATFS):
                self.held.set()
                continue
            error, body = 0, b""
            try:
                body = self._answers[opcode](node, request[_IN.size :])
            except KeyError:
                error = errno.ENOSYS
            except OSError as failure:
                error = failure.errno or errno.EIO
            try:
                os.write(device, _OUT.pack(_OUT.size + len(body), -error, unique) + body)
            except FileNotFoundError:  # who asked was killed
                continue

    def _init(self, _: int, body: bytes) -> bytes:
        _, minor, readahead, _ = struct.unpack_from("=4I", body)
        return struct.pack("=4I2H2I2HI28x", 7, min(minor, 31), readahead, 1 << 5, 12, 9, _MAX_WRITE, 1, 32, 0, 0)

    def _lookup(self, _: int, body: bytes) -> bytes:
        if body.rstrip(b"\0") != NAME:
            raise OSError(errno.ENOENT, "no such file")
        return struct.pack("=4Q2I", _FILE, 0, 3600, 0, 0, 0) + self._attributes(_FILE)

    def _attributes(self, node: int) -> bytes:
        mode, size = (stat.S_IFDIR | 0o755, 0) if node == _ROOT else (stat.S_IFREG | 0o666, len(self._content))
        return struct.pack("=6Q10I", node, size, (size + 511) // 512, *(0,) * 6, mode, 1, 0, 0, 0, 4096, 0)

    def _read(self, _: int, body: bytes) -> bytes:
        _, offset, size = struct.unpack_from("=QQI", body)
        return bytes(self._content[offset : offset + size])

    def _write(self, _: int, body: bytes) -> bytes:
        if self.fails:
            raise OSError(errno.EIO, "the disk is broken")
        _, offset, size = struct.unpack_from("=QQI", body)
        self._content[offset : offset + size] = body[40 : 40 + size]
        return struct.pack("=II", size, 0)


@contextmanager
def one_file(place: Path, size: int) -> Iterator[OneFile]:
    """The file system, mounted at a new folder, and unmounted at the end."""
    place.mkdir()
    served = OneFile(place, size)
    try:
        yield served
    finally:
        served.close()
        place.rmdir()


@contextmanager
def breakable_disk(place: Path, size: int) -> Iterator[tuple[OneFile, Path]]:
    """An ext4 on a loop device on such a file: the disk, and where it is mounted. Without a journal it lives on."""
    place.mkdir()
    mounted = place / "disk"
    mounted.mkdir()
    with one_file(place / "below", size) as below:
        subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", str(below.path)], check=True, timeout=60)
        options = "loop,errors=continue"
        subprocess.run(["mount", "-o", options, str(below.path), str(mounted)], check=True, timeout=20)
        try:
            yield below, mounted
        finally:
            below.fails = False
            subprocess.run(["umount", str(mounted)], check=True, timeout=60)
            mounted.rmdir()
    place.rmdir()
