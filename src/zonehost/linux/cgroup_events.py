"""Waiting for a cgroup to become empty, or frozen, without polling.

The kernel marks `cgroup.events` with EPOLLPRI when one of its values changes (cgroups(7), "Cgroup v2 release
notification"). asyncio's loop asks only for readability, which such a file always has; so an epoll of its own holds
the file, and the loop watches that.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select


async def until(directory: str, key: str, value: int) -> None:
    """Return once `key` in the group's `cgroup.events` is `value`.

    A group that is gone counts as empty: waiting for `populated 0` returns at once.

    Raises:
        FileNotFoundError: the group is gone, and `key` is not `populated`.
    """
    try:
        fd = os.open(f"{directory}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if key == "populated":
            return
        raise
    try:
        if _read(fd, key) != value:
            await _changed_to(fd, key, value)
    finally:
        os.close(fd)


async def _changed_to(fd: int, key: str, value: int) -> None:
    loop = asyncio.get_running_loop()
    reached: asyncio.Future[None] = loop.create_future()

    def look() -> None:
        if reached.done():
            return
        epoll.poll(0)
        try:
            if _read(fd, key) == value:
                reached.set_result(None)
        except OSError as error:
            reached.set_exception(error)

    epoll = select.epoll()
    try:
        epoll.register(fd, select.EPOLLPRI)
        loop.add_reader(epoll.fileno(), look)
        look()
        await reached
    finally:
        loop.remove_reader(epoll.fileno())
        epoll.close()


def _read(fd: int, key: str) -> int:
    """The value now. Reading it anew is also what arms the next notice."""
    try:
        text = os.pread(fd, 4096, 0).decode()
    except OSError as error:
        if error.errno == errno.ENODEV and key == "populated":  # removed while it was open
            return 0
        raise
    return int(dict(line.split() for line in text.splitlines())[key])
