"""A process that is forked before anybody asks for it, and becomes the next job that is to be born beside a zone's.

It has the memory that the job will write to for itself already, and hands it on whole (`cgroup_fork.reborn_in`): once
the job is asked for, neither page tables nor pages are copied. Without one, the server forks: it saves time only.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import socket
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final, NamedTuple, NoReturn

from zonehost.linux import ancillary, cgroup_fork, namespaces, own_pages

MAX_FDS: Final = 250
"""Descriptors of a job: with three more, one packet carries no more (SCM_MAX_FD, unix(7))."""
_WORD: Final = 4

Become = Callable[[int, list[int], list[int]], NoReturn]
"""Becomes the job of a request, a memfd, with the job's own descriptors; the others are to be closed first."""


class Asked(NamedTuple):
    """A request as it came. The first descriptors are a memfd, the directory of a cgroup and a process."""

    data: bytes
    fds: list[int]


class _Spare(NamedTuple):
    pid: int
    channel: socket.socket
    born: mmap.mmap
    """The pid of its successor, which the kernel writes before that runs; 0 as long as there is none."""


class Spares:
    """The spare of a server, one at a time. `wake` is written to when one has become a job."""

    def __init__(self, wake: int, become: Become) -> None:
        self._wake = wake
        self._become = become
        self._spare: _Spare | None = None
        self._asked: Asked | None = None
        self._used = False
        self._stopped = False
        self._wanted = False
        self._refused = False
        self._pages: list[own_pages.Extent] = []

    @property
    def unready(self) -> bool:
        """Whether there is something to `tend`: a job came that a spare could have become, and there is none now."""
        return self._stopped or (self._wanted and not self._refused and self._spare is None)

    @property
    def fds(self) -> list[int]:
        """Descriptors that are held for it."""
        if self._spare is None or self._refused:
            return []
        return [self._spare.channel.fileno(), *(self._asked.fds if self._asked else ())]

    def tend(self, foreign: Collection[int]) -> None:
        """End the one that is used up, and fork a new one, which closes these descriptors of the server.

        To be called when nobody waits for anything: each takes a millisecond of some processor.
        """
        if self._spare is not None:
            os.kill(self._spare.pid, signal.SIGKILL)
            self._forget()
        self._breed(foreign)

    def _breed(self, foreign: Collection[int]) -> None:
        born = mmap.mmap(-1, _WORD)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                pid = cgroup_fork.fork()
                if pid == 0:
                    self._wait(theirs, born, [*foreign, ours.detach()])
            self._spare = _Spare(pid, ours, born)
            cgroup_fork.bury_when_reborn(pid)
        except OSError:  # EAGAIN, or EPERM where nobody may trace: the channel's end ends the spare
            self._refused = True
            ours.close()

    def give(self, asked: Asked) -> bool:
        """Have it become the job, if there is one; the descriptors are then held until `born` or `ended`."""
        self._wanted = True
        if self._spare is None or self._used or self._refused:
            return False
        self._asked, self._used = asked, True
        request, cgroup, process, *own = asked.fds
        try:
            for fds in ([cgroup, process], [request, *own]):
                socket.send_fds(self._spare.channel, [asked.data], fds)
        except OSError:
            os.kill(self._spare.pid, signal.SIGKILL)  # dead or not: `ended` gives the request back
        return True

    def born(self) -> tuple[bytes, int] | None:
        """The request whose job has been born since the last call, and its pid.

        To be called between a look at what has ended and its burial: it may be the job, or the spare.
        """
        if self._spare is None or self._asked is None or not any(self._spare.born[:_WORD]):
            return None
        asked, self._asked = self._asked, None
        for fd in asked.fds:
            os.close(fd)
        return asked.data, int.from_bytes(self._spare.born[:_WORD], sys.byteorder)

    def stopped(self, pid: int) -> None:
        """Note that one stands still. From the first that was reborn is learnt to which memory a job writes."""
        if not self._used or self._asked is not None:
            os.kill(pid, signal.SIGKILL)  # somebody sent it a signal
            return
        self._stopped = True
        if not self._pages:
            with suppress(OSError):  # it has been killed
                self._pages = own_pages.of(pid)

    def ended(self, pid: int) -> Asked | None:
        """The request of one that has ended before it could become the job.

        One that ended before it was asked for anything is the last: to breed another would most likely end the same.
        """
        if self._spare is None or self._spare.pid != pid:
            return None
        self._refused = not self._used
        self._forget()
        asked, self._asked = self._asked, None
        return asked

    def _forget(self) -> None:
        assert self._spare is not None
        self._spare.channel.close()
        self._spare.born.close()
        self._spare, self._used, self._stopped = None, False, False

    def _wait(self, channel: socket.socket, born: mmap.mmap, foreign: Collection[int]) -> NoReturn:
        """Wait for the request, be reborn where it says, and become its job."""
        try:
            signal.set_wakeup_fd(-1)
            for fd in foreign:
                os.close(fd)
            own_pages.make(self._pages)
            data, places = ancillary.receive(channel, mmap.PAGESIZE, MAX_FDS)
            if data:
                cgroup, process = places
                namespaces.enter(process, namespaces.NEWPID)
                cgroup_fork.reborn_in(cgroup, ctypes.addressof(ctypes.c_int.from_buffer(born)))
                os.write(self._wake, b"\0")
                # Received here, so that none of the job's descriptors is open for as long as the spare takes to end.
                _, (request, *own) = ancillary.receive(channel, mmap.PAGESIZE, MAX_FDS)
                self._become(request, own, [request, *places, self._wake, channel.detach()])
        finally:
            os._exit(1)  # the server then does it itself, and tells what went wrong
