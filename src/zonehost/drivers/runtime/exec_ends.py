"""What a further process is given as standard streams, and what stays here: pipes, or a terminal that it makes."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from zonehost.drivers.runtime.exec_streams import PipeStreams, TerminalStreams
from zonehost.drivers.runtime.intake import Pipe
from zonehost.drivers.runtime.pipes import pipe
from zonehost.ports.streams import Stream


class Ends(ABC):
    """Both sides, until the process runs or has failed to."""

    def __init__(self) -> None:
        self.given: list[int] = []
        """The job's descriptors, in the order that it expects."""
        self.kept: list[int] = []
        """Ours."""

    @abstractmethod
    def streams(self) -> PipeStreams:
        """The streams of the process, which has started; they own what was kept."""

    def hand_over(self) -> None:
        """Close the job's side here: it has its own."""
        _close(self.given)

    def abandon(self) -> None:
        """Close all that is left."""
        self.hand_over()
        _close(self.kept)


class PipeEnds(Ends):
    """Three pipes, or two and no input."""

    def __init__(self, *, stdin: bool) -> None:
        super().__init__()
        if stdin:
            theirs, self._stdin = pipe()
            self.kept.append(self._stdin)
        else:
            theirs, self._stdin = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), -1
        self.given.append(theirs)
        for _ in range(2):
            ours, theirs = pipe()
            self.kept.append(ours)
            self.given.append(theirs)

    def streams(self) -> PipeStreams:
        *_, stdout, stderr = self.kept
        self.kept.clear()
        return PipeStreams(self._stdin, Pipe(stdout, Stream.STDOUT), Pipe(stderr, Stream.STDERR))


class TerminalEnds(Ends):
    """The master side of a terminal, once the job has reported it."""

    def streams(self) -> PipeStreams:
        (master,) = self.kept
        self.kept.clear()
        return TerminalStreams(master)


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
    fds.clear()
