"""A build as BuildKit shows it: vertices with their logs and transfers, in the order in which they happen.

Implements `ports.build_listener`. Several stages speak at once; clients sort that out.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from zonehost.api.buildkit.faults import words_of
from zonehost.api.buildkit.messages import StatusResponse, Timestamp, Vertex, VertexLog, VertexStatus, VertexWarning
from zonehost.errors import ZonehostError
from zonehost.ports.build_listener import StepShown

MOST: Final = 1 << 16
"""So many messages are kept for a client that does not read; later ones are lost."""
FEW: Final = 64
_OUT: Final = 1
_SECOND: Final = 10**9
_PULLED: Final = ("Pull complete", "Already exists")
CANCELED: Final = "context canceled"


class Progress:
    """What one build tells. One client reads it."""

    def __init__(self, build: str) -> None:
        self._build = build
        self._messages: asyncio.Queue[StatusResponse | None] = asyncio.Queue()
        self._few = asyncio.Event()
        self._few.set()
        self._read = False
        self.was_read = False
        self._stages = 1

    def begin(self, stages: Sequence[int]) -> None:
        """See `Listener.begin`."""
        self._stages = len(stages)

    def voice(self, stage: int) -> StepVoice:
        """See `Listener.voice`."""
        return StepVoice(self, stage, several=self._stages > 1)

    @contextmanager
    def internal(self, name: str) -> Iterator[Shown]:
        """Something that is done beside the steps."""
        shown = Shown(self, name, name)
        try:
            yield shown
        except ZonehostError as error:
            shown.close(words_of(error))
            raise
        except BaseException:
            shown.close(CANCELED)
            raise
        shown.close()

    def digest(self, *parts: object) -> str:
        """The name of a vertex on the wire."""
        return f"sha256:{hashlib.sha256(repr((self._build, *parts)).encode()).hexdigest()}"

    def tell(self, message: StatusResponse) -> None:
        """Tell something."""
        if self._messages.qsize() < MOST:
            self._messages.put_nowait(message)
        if self._messages.qsize() > FEW:
            self._few.clear()

    async def drain(self) -> None:
        """Wait while the client is slow to read; nobody waits for one that does not listen."""
        if self._read:
            await self._few.wait()

    def close(self) -> None:
        """There will be nothing more."""
        self._messages.put_nowait(None)

    async def messages(self) -> AsyncGenerator[StatusResponse, None]:
        """All messages, to the end."""
        self._read = self.was_read = True
        try:
            while (message := await self._messages.get()) is not None:
                if self._messages.qsize() <= FEW:
                    self._few.set()
                yield message
        finally:
            self._read = False
            self._few.set()


class Shown:
    """A vertex that has begun."""

    def __init__(self, progress: Progress, name: str, *identity: object) -> None:
        self._progress = progress
        self._name = name
        self._digest = progress.digest(*identity)
        self._started = now()
        self._transfers: dict[str, VertexStatus] = {}
        self.cached = False
        self._tell()

    def log(self, data: bytes) -> None:
        """Output."""
        log = VertexLog(vertex=self._digest, timestamp=now(), stream=_OUT, msg=data)
        self._progress.tell(StatusResponse(logs=(log,)))

    def warn(self, text: str) -> None:
        """Something that the client shows at the end."""
        warning = VertexWarning(vertex=self._digest, level=1, short=text.encode())
        self._progress.tell(StatusResponse(warnings=(warning,)))

    def transfer(self, name: str, current: int = 0, total: int = 0, *, done: bool = False) -> None:
        """How far something has come."""
        before = self._transfers.get(name)
        at = now()
        status = VertexStatus(
            id=name,
            vertex=self._digest,
            current=current,
            total=total,
            timestamp=at,
            started=before.started if before is not None else at,
            completed=at if done else None,
        )
        self._transfers[name] = status
        self._progress.tell(StatusResponse(statuses=(status,)))

    def close(self, error: str = "") -> None:
        """It is done, or cannot be done."""
        for name, status in self._transfers.items():
            if status.completed is None:
                self.transfer(name, status.current, status.total, done=True)
        self._tell(completed=now(), error=error)

    def _tell(self, *, completed: Timestamp | None = None, error: str = "") -> None:
        vertex = Vertex(
            digest=self._digest,
            name=self._name,
            cached=self.cached,
            started=self._started,
            completed=completed,
            error=error,
        )
        self._progress.tell(StatusResponse(vertexes=(vertex,)))


class StepVoice:
    """One stage: each step that takes time is a vertex; of the others only their mistakes are told."""

    def __init__(self, progress: Progress, stage: int, *, several: bool) -> None:
        self._progress = progress
        self._stage = stage
        self._several = several
        self._shown: Shown | None = None

    def begin(self, step: StepShown) -> None:
        """See `Voice.begin`."""
        if step.place:
            stage = step.stage or (f"stage-{self._stage}" if self._several else "")
            width = 1 + int(math.log10(step.places))
            place = f"[{stage}{' ' if stage else ''}{step.place:>{width}}/{step.places}]"
            words = f"FROM {step.image}" if step.image else step.text
            self._shown = Shown(self._progress, f"{place} {words}", self._stage, step.place)

    def cached(self, reason: str) -> None:
        """See `Voice.cached`."""
        if self._shown is not None:
            self._shown.cached = True
            self.remark(reason)

    def aged(self, reason: str) -> None:
        """See `Voice.aged`."""
        self.remark(f"not from the cache: {reason}")

    def running(self, container: str) -> None:
        """Which container it is, BuildKit's clients have no place for."""

    async def output(self, data: bytes) -> None:
        """See `Voice.output`."""
        if self._shown is not None:
            self._shown.log(data)
            await self._progress.drain()

    def removed(self, container: str) -> None:
        """See `running`."""

    def pulling(self, message: dict[str, Any]) -> None:
        """See `Voice.pulling`."""
        name, detail = message.get("id"), message.get("progressDetail") or {}
        if self._shown is not None and name and (detail or message.get("status") in _PULLED):
            done = message.get("status") in _PULLED
            self._shown.transfer(name, detail.get("current", 0), detail.get("total", 0), done=done)

    def remark(self, text: str) -> None:
        """See `Voice.remark`."""
        if self._shown is not None and text:
            self._shown.log(f"{text}\n".encode())

    def made(self, image: str) -> None:
        """See `Voice.made`."""
        self._close()

    def failed(self, error: ZonehostError) -> None:
        """See `Voice.failed`."""
        self._close(words_of(error))

    def finish(self) -> None:
        """See `Voice.finish`."""
        self._close(CANCELED)

    def _close(self, error: str = "") -> None:
        if self._shown is not None:
            self._shown.close(error)
            self._shown = None


def now() -> Timestamp:
    """This moment."""
    seconds, nanos = divmod(time.time_ns(), _SECOND)
    return Timestamp(seconds=seconds, nanos=nanos)
