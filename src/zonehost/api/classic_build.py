"""A build as the classic endpoint shows it: Docker's progress stream, one stage at a time, and logins from a header.

Several stages are built at once. The first that is not done speaks at once; what later ones say is kept until it is
their turn.
"""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from zonehost.domain.identity import short
from zonehost.errors import ZonehostError
from zonehost.ports.build_client import NoClient
from zonehost.ports.build_listener import StepShown
from zonehost.ports.builder import Built
from zonehost.ports.registry import Login

Tell = Callable[[dict[str, Any]], None]


class Console:
    """Implements `ports.build_listener` for one build. `drain` returns when the client has taken what it was told."""

    def __init__(self, tell: Tell, drain: Callable[[], Awaitable[None]], *, quiet: bool) -> None:
        self.drain = drain
        self._tell = tell
        self._order: list[int] = []
        self._held: dict[int, list[dict[str, Any]]] = {}
        self._done: set[int] = set()
        self._quiet = quiet
        self._target: int | None = None

    def begin(self, stages: Sequence[int]) -> None:
        """See `Listener.begin`."""
        self._order = list(stages)
        self._target = stages[-1]
        self._held = {stage: [] for stage in stages}

    def voice(self, stage: int) -> ConsoleVoice:
        """See `Listener.voice`."""
        if stage not in self._held:
            self._held[stage] = []
            self._order.append(stage)
        return ConsoleVoice(self, stage)

    def say(self, stage: int, message: dict[str, Any]) -> None:
        """A message of a stage, now or later."""
        if not self._quiet:
            self._held[stage].append(message)
            self._flush()

    def finish(self, stage: int, image: str) -> None:
        """The stage has said all, and this is its image, if it came to one; `built` tells that of the last stage."""
        if image and stage != self._target:
            self.say(stage, {"aux": {"ID": image}})
        self._done.add(stage)
        self._flush()

    def built(self, image: Built, tags: Sequence[str]) -> None:
        """The build is done, and its image has these names."""
        if self._quiet:
            self._tell({"stream": f"{image.id}\n"})
            return
        if image.unused:
            words = f"[Warning] One or more build-args [{' '.join(image.unused)}] were not consumed\n"
            self._tell({"stream": words})
        self._tell({"aux": {"ID": image.id}})
        self._tell({"stream": f"Successfully built {short(image.id)}\n"})
        for tag in tags:
            self._tell({"stream": f"Successfully tagged {tag}\n"})

    def _flush(self) -> None:
        while self._order:
            stage = self._order[0]
            held, self._held[stage] = self._held[stage], []
            for message in held:
                self._tell(message)
            if stage not in self._done:
                return
            self._order.pop(0)


class ConsoleVoice:
    """One stage's part of the output."""

    def __init__(self, console: Console, stage: int) -> None:
        self._console = console
        self._stage = stage
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._image = ""

    def begin(self, step: StepShown) -> None:
        """See `Voice.begin`."""
        self.remark(f"Step {step.number}/{step.total} : {step.text}")

    def cached(self, reason: str) -> None:
        """See `Voice.cached`."""
        self.remark(" ---> Using cache")
        if reason:
            self.remark(f"      {reason}")

    def aged(self, reason: str) -> None:
        """See `Voice.aged`."""
        self.remark(f" ---> Not using cache: {reason}")

    def running(self, container: str) -> None:
        """See `Voice.running`."""
        self.remark(f" ---> Running in {short(container)}")

    async def output(self, data: bytes) -> None:
        """See `Voice.output`."""
        if text := self._decoder.decode(data):
            self._console.say(self._stage, {"stream": text})
            await self._console.drain()

    def removed(self, container: str) -> None:
        """See `Voice.removed`."""
        self.remark(f"Removing intermediate container {short(container)}")

    def pulling(self, message: dict[str, Any]) -> None:
        """See `Voice.pulling`."""
        self._console.say(self._stage, message)

    def remark(self, text: str) -> None:
        """See `Voice.remark`."""
        self._console.say(self._stage, {"stream": f"{text}\n"})

    def made(self, image: str) -> None:
        """See `Voice.made`."""
        if image:
            self._image = image
            self.remark(f" ---> {short(image)}")

    def failed(self, error: ZonehostError) -> None:
        """The last message of the stream tells it (`progress.failure`)."""
        self._image = ""

    def finish(self) -> None:
        """See `Voice.finish`."""
        self._console.finish(self._stage, self._image)


class HeaderClient(NoClient):
    """A client that sent its logins along, and can be asked nothing more."""

    def __init__(self, logins: Mapping[str, Login]) -> None:
        self._logins = logins

    async def login(self, registry: str) -> Login | None:
        """See `BuildClient.login`. The client's configuration file names the Hub by its old address."""
        names = (registry, f"https://{registry}", "https://index.docker.io/v1/")
        known = names if registry == "docker.io" else names[:2]
        return next((self._logins[name] for name in known if name in self._logins), None)
