"""How a build tells what it does: which step of which stage, and what comes of it. How that looks, the API knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from zonehost.errors import ZonehostError


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """A step that begins. `number` of `total` counts the instructions of the whole build.

    `place` of `places` counts those steps of the stage that take time: FROM, RUN, COPY, ADD, WORKDIR; it is 0 for the
    others.
    """

    text: str
    number: int
    total: int
    stage: str = ""
    place: int = 0
    places: int = 0
    image: str = ""
    """Of a FROM, the whole name of the image, if it is one of a registry."""


class Voice(Protocol):
    """Hears of one stage. Steps come one after the other; each but the last ends with `made`."""

    def begin(self, step: StepShown) -> None:
        """A step begins."""

    def cached(self, reason: str) -> None:
        """It was done before; the reason is why that is good enough, empty where it made no layer."""

    def aged(self, reason: str) -> None:
        """It was done before, too long ago."""

    def running(self, container: str) -> None:
        """Its command runs in this container."""

    async def output(self, data: bytes) -> None:
        """What the command wrote; characters may be cut between calls. Returns when there is room for more."""

    def removed(self, container: str) -> None:
        """The command is done, its container goes."""

    def pulling(self, message: dict[str, Any]) -> None:
        """A message of a pull's progress stream."""

    def remark(self, text: str) -> None:
        """Something else that is worth a line."""

    def made(self, image: str) -> None:
        """The step is done; `image` is the id of what is built so far, empty if that is nothing yet."""

    def failed(self, error: ZonehostError) -> None:
        """The step cannot be done."""

    def finish(self) -> None:
        """The stage is done, or given up."""


class Listener(Protocol):
    """Hears of a build."""

    def begin(self, stages: Sequence[int]) -> None:
        """These stages will be built, some of them at the same time; others may turn out to be needed."""

    def voice(self, stage: int) -> Voice:
        """What hears of one stage."""
