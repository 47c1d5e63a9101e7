"""What a further process is given as standard streams, and what stays here: pipes, or a terminal to come.

crun writes its own complaints to the standard error that it is started with, before any process runs.
"""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

from zonehost.drivers.runtime.exec_streams import PipeStreams, TerminalStreams
from zonehost.drivers.runtime.intake import Pipe, readable
from zonehost.drivers.runtime.pipes import pipe
from zonehost.ports.streams import Stream


def _rest(fd: int) -> str:
    """What has been written to a pipe or a terminal whose writers have ended."""
    os.set_blocking(fd, False)
    with suppress(OSError):  # EAGAIN, or EIO of a terminal: nothing
        return os.read(fd, 65536).decode(errors="replace")
    return ""


class Ends(ABC):
    """Both sides, until the process runs or has failed to."""

    def __init__(self) -> None:
        self.given: list[int] = []
        """The job's descriptors, in the order that it expects."""
        self._kept: list[int] = []

    @abstractmethod
    async def streams(self) -> PipeStreams:
        """The streams of the process, which has started; they own what was kept."""

    def hand_over(self) -> None:
        """Close the job's side here: it has its own."""
        for fd in self.given:
            os.close(fd)
        self.given.clear()

    def abandon(self) -> None:
        """Close all that is left."""
        self.hand_over()
        for fd in self._kept:
            os.close(fd)
        self._kept.clear()

    def complaint(self) -> str:
        """What crun said before it ended."""
        return _rest(self._kept[-1])


class PipeEnds(Ends):
    """Three pipes, or two and no input."""

    def __init__(self, *, stdin: bool) -> None:
        super().__init__()
        if stdin:
            theirs, self._stdin = pipe()
            self._kept.append(self._stdin)
        else:
            theirs, self._stdin = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), -1
        self.given.append(theirs)
        for _ in range(2):
            ours, theirs = pipe()
            self._kept.append(ours)
            self.given.append(theirs)

    async def streams(self) -> PipeStreams:
        *_, stdout, stderr = self._kept
        self._kept.clear()
        return PipeStreams(self._stdin, Pipe(stdout, Stream.STDOUT), Pipe(stderr, Stream.STDERR))


class TerminalEnds(Ends):
    """A terminal, whose master side crun sends to a socket below `folder`; crun itself has only an error pipe."""

    def __init__(self, folder: str, name: str) -> None:
        super().__init__()
        self._path = f"{folder}/{name}"
        directory = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(f"/proc/self/fd/{directory}/{name}")
        self._listener.listen(1)
        ours, theirs = pipe()
        self._kept.append(ours)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self.given += [null, os.dup(null), theirs, directory]

    async def streams(self) -> PipeStreams:
        self._listener.setblocking(False)
        await readable(self._listener.fileno())
        connection, _ = self._listener.accept()
        with connection:
            await readable(connection.fileno())
            _, (master,), _, _ = socket.recv_fds(connection, 4096, 1, socket.MSG_CMSG_CLOEXEC)
        self.abandon()
        return TerminalStreams(master)

    def complaint(self) -> str:
        """What crun said: before there was a terminal, or on it."""
        said = super().complaint()
        self._listener.setblocking(False)
        with suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            with connection:
                _, masters, _, _ = socket.recv_fds(connection, 4096, 1, socket.MSG_CMSG_CLOEXEC)
            for master in masters:
                said += _rest(master)
                os.close(master)
        return said

    def abandon(self) -> None:
        super().abandon()
        self._listener.close()
        with suppress(FileNotFoundError):
            Path(self._path).unlink()
