"""What a build says, as Docker's progress stream: one stage at a time, although several are built at once.

The first stage that is not done speaks at once; what later ones say is kept until it is their turn.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from zonehost.ports.builder import Tell


class Console:
    """The output of a build with these stages, in this order. A quiet one says nothing."""

    def __init__(self, tell: Tell, drain: Callable[[], Awaitable[None]], stages: Iterable[int], *, quiet: bool) -> None:
        self.drain = drain
        self._tell = tell
        self._order = list(stages)
        self._held: dict[int, list[dict[str, Any]]] = {stage: [] for stage in self._order}
        self._done: set[int] = set()
        self._quiet = quiet

    def voice(self, stage: int) -> Voice:
        """What a stage speaks with."""
        return Voice(self, stage)

    def say(self, stage: int, message: dict[str, Any]) -> None:
        """A message of a stage, now or later."""
        if not self._quiet:
            self._held[stage].append(message)
            self._flush()

    def finish(self, stage: int) -> None:
        """The stage has said all."""
        self._done.add(stage)
        self._flush()

    def _flush(self) -> None:
        while self._order:
            stage = self._order[0]
            held, self._held[stage] = self._held[stage], []
            for message in held:
                self._tell(message)
            if stage not in self._done:
                return
            self._order.pop(0)


class Voice:
    """One stage's part of the output."""

    def __init__(self, console: Console, stage: int) -> None:
        self._console = console
        self._stage = stage
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def line(self, text: str) -> None:
        """A line of text."""
        self._console.say(self._stage, {"stream": f"{text}\n"})

    async def output(self, data: bytes) -> None:
        """What a command wrote; characters may be cut between calls."""
        if text := self._decoder.decode(data):
            self._console.say(self._stage, {"stream": text})
            await self._console.drain()

    def message(self, message: dict[str, Any]) -> None:
        """A message as it is, such as a pull's progress."""
        self._console.say(self._stage, message)

    def finish(self) -> None:
        """The stage has said all."""
        self._console.finish(self._stage)
