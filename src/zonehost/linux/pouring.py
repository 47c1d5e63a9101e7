"""A pipe emptied into a connection, without its bytes passing this process (splice(2))."""

from __future__ import annotations

import asyncio
import fcntl
import os
import termios
from typing import Final

from zonehost.linux.byte_stream import DescriptorStream
from zonehost.linux.jobs import ready

_END: Final = b"\r\n"
_FLAGS: Final = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


async def pour(pipe: int, connection: int) -> None:
    """Send what comes through a pipe, up to its end, as chunks of a body of HTTP (RFC 9112, section 7.1).

    The last chunk, which is empty, is left to the caller: it says that all went well. Neither descriptor may block.

    Raises:
        ConnectionError: nobody reads it any more.
    """
    loop = asyncio.get_running_loop()
    sending = DescriptorStream(os.dup(connection))
    try:
        end = b""
        while left := await _waiting(pipe):
            await sending.write(b"%s%x\r\n" % (end, left))
            while left:
                try:
                    left -= os.splice(pipe, sending.descriptor, left, flags=_FLAGS)
                except BlockingIOError:
                    await ready(sending.descriptor, loop.add_writer)
            end = _END
            await asyncio.sleep(0)
        await sending.write(end)
    finally:
        sending.close()


async def _waiting(pipe: int) -> int:
    """How many bytes wait in the pipe, once there are some; 0 at its end."""
    if not (size := _size(pipe)):
        await ready(pipe, asyncio.get_running_loop().add_reader)
        size = _size(pipe)
    return size


def _size(pipe: int) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), "little")
