"""One build from its first to its last step."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from zonehost.builder.carried import carried_steps
from zonehost.builder.perform import Performer
from zonehost.builder.plan import Plan
from zonehost.builder.resolve import Resolver
from zonehost.builder.result import image_config, image_id
from zonehost.builder.stage import StageBuilder
from zonehost.domain.failpoint import failpoint
from zonehost.domain.image_config import read_image_config
from zonehost.errors import InvalidParameter, NotFound
from zonehost.ports.build_files import Placement, Selection
from zonehost.ports.build_listener import StepShown
from zonehost.ports.workshop import Base, Finished

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from zonehost.builder.ledger import Ledger
    from zonehost.builder.state import StageState
    from zonehost.builder.work import Work
    from zonehost.domain.platform import Platform
    from zonehost.ports.build_listener import Listener, Voice


class Build:
    """A build that can begin. The ledger has what its context came from."""

    def __init__(self, build: str, plan: Plan, work: Work, ledger: Ledger) -> None:
        self._build = build
        self._plan = plan
        self._work = work
        self._ledger = ledger
        self._stages: dict[int, asyncio.Task[StageState]] = {}
        self._waiting: dict[int, set[int]] = {}
        """By stages: those that they wait for, or waited."""
        self._images: dict[tuple[str, Platform, bool], asyncio.Task[Base]] = {}

    @asynccontextmanager
    async def building(self, listener: Listener) -> AsyncIterator[Result]:
        """See `PreparedBuild.building`."""
        try:
            async with self._work.workshop.working():
                state = await self._run(listener)
                config = image_config(state)
                yield Result(image_id(config), self._plan.unused_arguments(), self, config, state)
        finally:
            tasks = (*self._stages.values(), *self._images.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._work.files.discard(self._build)

    async def publish(self, config: bytes, state: StageState, tags: Sequence[str]) -> None:
        """See `Built.publish`."""
        finished = Finished(config=config, layers=state.layers, tags=tuple(tags), parent="")
        image = await self._work.workshop.publish(finished)
        failpoint("build.published")
        # A bound of nothing has all done anew, once; it does not say how old the image may become.
        self._work.cache.note(self._ledger.closed(image, self._plan.fresh or self._work.fresh))

    def base(self, config: bytes, state: StageState) -> Base:
        """See `Built.base`."""
        return Base(image_id(config), read_image_config(config), state.layers, self._work.clock.now())

    def tree(self, state: StageState) -> AsyncIterator[bytes]:
        """See `Built.tree`."""
        whole = Selection(trees=self._work.layers.stack(state.layers), paths=("/",))
        placement = Placement(base=(), destination="/", link=True, epoch=self._plan.epoch)
        return self._work.files.copy(self._build, whole, placement)

    async def _run(self, listener: Listener) -> StageState:
        plan = self._plan
        self._take_carried()
        listener.begin(sorted(plan.graph.needed))
        for index in sorted(plan.graph.needed):
            self._stages[index] = asyncio.create_task(self._stage(index, listener))
        done, _ = await asyncio.wait(self._stages.values(), return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        state = self._stages[plan.graph.target].result()
        if not state.layers and not state.history:
            raise InvalidParameter("No image was generated. Is your Dockerfile empty?")
        return state

    def _take_carried(self) -> None:
        """Take the steps into the cache that the images carry which the client names; one that is not here has none."""
        cache, now = self._work.cache, self._work.clock.now()
        for name in self._plan.request.cache_from:
            try:
                image = self._work.workshop.find(name)
            except NotFound:
                continue
            for step in carried_steps(image, now):
                if cache.get(step.key) is None:
                    cache.put(step)

    async def _stage(self, index: int, listener: Listener) -> StageState:
        voice = listener.voice(index)

        async def state_of(other: int) -> StageState:
            return await self._state_of(other, index, listener)

        resolver = Resolver(self._build, self._plan, self._work, voice, state_of, self._images, self._ledger)
        stage = self._plan.graph.stages[index]
        request = self._plan.request
        cache = not (request.no_cache or stage.name in request.uncached)
        performer = Performer(self._build, self._plan, self._work, resolver, voice, self._ledger, cache=cache)
        parent = await state_of(stage.base) if isinstance(stage.base, int) else None
        try:
            state = await StageBuilder(self._plan, stage, performer, voice, self._work.clock).run(parent)
            return self._labelled(state, performer, voice) if index == self._plan.graph.target else state
        finally:
            voice.finish()

    async def _state_of(self, index: int, asking: int, listener: Listener) -> StageState:
        """The last state of a stage, for another one. Only a trigger of a base image asks for one that is not begun."""
        self._waiting.setdefault(asking, set()).add(index)
        if asking in self._waited_for(index):
            name = self._plan.graph.stages[index].name or index
            raise InvalidParameter(f"circular dependency detected on stage: {name}")
        if index not in self._stages:
            self._stages[index] = asyncio.create_task(self._stage(index, listener))
        return await asyncio.shield(self._stages[index])

    def _waited_for(self, index: int) -> set[int]:
        """A stage, and all that it waits for or needs."""
        found, left = set[int](), {index}
        while left:
            stage = left.pop()
            found.add(stage)
            left |= (self._plan.graph.stages[stage].needs | self._waiting.get(stage, set())) - found
        return found

    def _labelled(self, state: StageState, performer: Performer, voice: Voice) -> StageState:
        """With the labels that were asked for beside the Dockerfile, as one more step."""
        labels = self._plan.request.labels
        if not labels:
            return state
        words = "LABEL " + " ".join(f"{name}={value}" for name, value in sorted(labels.items()))
        voice.begin(StepShown(text=words, number=self._plan.total, total=self._plan.total))
        config = msgspec.structs.replace(state.config, labels={**(state.config.labels or {}), **labels})
        return performer.change(state, replace(state, config=config), words)


@dataclass(frozen=True, slots=True)
class Result:
    """The built port."""

    id: str
    unused: Sequence[str]
    _build: Build
    _config: bytes
    _state: StageState

    async def publish(self, tags: Sequence[str]) -> None:
        """See `Built.publish`."""
        await self._build.publish(self._config, self._state, tags)

    def base(self) -> Base:
        """See `Built.base`."""
        return self._build.base(self._config, self._state)

    def tree(self) -> AsyncIterator[bytes]:
        """See `Built.tree`."""
        return self._build.tree(self._state)
