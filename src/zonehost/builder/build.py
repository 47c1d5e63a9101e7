"""One build from its first to its last step, and the service that prepares builds."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from zonehost.builder.carried import carried_steps
from zonehost.builder.console import Console, Voice
from zonehost.builder.faults import SyntaxFault
from zonehost.builder.freshness import read_bound
from zonehost.builder.ledger import Ledger
from zonehost.builder.parse import parse
from zonehost.builder.perform import Performer
from zonehost.builder.plan import Plan, draw_plan
from zonehost.builder.resolve import Resolver
from zonehost.builder.result import image_config
from zonehost.builder.stage import StageBuilder
from zonehost.builder.stale import find_stale
from zonehost.domain.failpoint import failpoint
from zonehost.domain.identity import new_id, short
from zonehost.domain.path_patterns import PatternList, read_ignore_file
from zonehost.errors import InvalidParameter, NotFound
from zonehost.ports.workshop import Finished

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Sequence

    from zonehost.builder.state import StageState
    from zonehost.builder.work import Work
    from zonehost.domain.platform import Platform
    from zonehost.ports.builder import BuildRequest, Tell
    from zonehost.ports.provenance import Finding
    from zonehost.ports.workshop import Base


class ImageBuilder:
    """The builder port."""

    def __init__(self, work: Work) -> None:
        self._work = work

    async def settle(self) -> None:
        """See `Builder.settle`."""
        await self._work.workshop.abandon()
        for build in await self._work.files.survey():
            await self._work.files.discard(build)
        self._work.cache.keep_provenance(self._work.workshop.images())

    async def stale(self, images: Sequence[str], fresh: str) -> list[Finding]:
        """See `Builder.stale`."""
        try:
            bound = read_bound(fresh) if fresh else None
        except SyntaxFault as fault:
            raise InvalidParameter(fault.reason) from fault
        return [finding for name in images for finding in await find_stale(self._work, name, bound)]

    async def prepare(self, request: BuildRequest, context: AsyncIterable[bytes]) -> Build:
        """See `Builder.prepare`."""
        build = new_id()
        files = self._work.files
        try:
            await files.receive(build, context)
            failpoint("build.received")
            ignore = await self._ignored(build, request.dockerfile)
            data = await files.read(build, request.dockerfile)
            if data is None:
                raise InvalidParameter(f"Cannot locate specified Dockerfile: {request.dockerfile}")
            if not data.strip():
                raise InvalidParameter(f"the Dockerfile ({request.dockerfile}) cannot be empty")
            plan = draw_plan(
                request,
                parse(data),
                ignore=ignore,
                host=self._work.host,
                now=self._work.clock.now(),
                fresh=self._work.fresh,
            )
        except BaseException:
            await files.discard(build)
            raise
        return Build(build, plan, self._work)

    async def _ignored(self, build: str, dockerfile: str) -> tuple[str, ...]:
        """The patterns of the Dockerfile's own ignore file, or else of the context's."""
        for name in (f"{dockerfile}.dockerignore", ".dockerignore"):
            data = await self._work.files.read(build, name)
            if data is not None:
                patterns = tuple(read_ignore_file(data))
                PatternList(patterns)
                return patterns
        return ()


class Build:
    """A build that can begin."""

    def __init__(self, build: str, plan: Plan, work: Work) -> None:
        self._build = build
        self._plan = plan
        self._work = work
        self._ledger = Ledger()
        self._stages: dict[int, asyncio.Task[StageState]] = {}
        self._images: dict[tuple[str, Platform, bool], asyncio.Task[Base]] = {}

    async def run(self, tell: Tell, drain: Callable[[], Awaitable[None]]) -> str:
        """See `PreparedBuild.run`."""
        try:
            async with self._work.workshop.working():
                return await self._run(tell, drain)
        finally:
            tasks = (*self._stages.values(), *self._images.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._work.files.discard(self._build)

    async def _run(self, tell: Tell, drain: Callable[[], Awaitable[None]]) -> str:
        plan = self._plan
        self._take_carried()
        console = Console(tell, drain, sorted(plan.graph.needed), quiet=plan.request.quiet)
        for index in sorted(plan.graph.needed):
            self._stages[index] = asyncio.create_task(self._stage(index, console.voice(index)))
        done, _ = await asyncio.wait(self._stages.values(), return_when=asyncio.FIRST_EXCEPTION)
        for task in done:
            task.result()
        state = self._stages[plan.graph.target].result()
        if not state.layers and not state.history:
            raise InvalidParameter("No image was generated. Is your Dockerfile empty?")
        return await self._publish(state, tell)

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

    async def _stage(self, index: int, voice: Voice) -> StageState:
        resolver = Resolver(self._build, self._plan, self._work, voice, self._state_of, self._images, self._ledger)
        performer = Performer(self._build, self._plan, self._work, resolver, voice, self._ledger)
        stage = self._plan.graph.stages[index]
        parent = await self._state_of(stage.base) if isinstance(stage.base, int) else None
        try:
            state = await StageBuilder(self._plan, stage, performer, voice, self._work.clock).run(parent)
            return self._labelled(state, performer, voice) if index == self._plan.graph.target else state
        finally:
            voice.finish()

    async def _state_of(self, index: int) -> StageState:
        return await asyncio.shield(self._stages[index])

    def _labelled(self, state: StageState, performer: Performer, voice: Voice) -> StageState:
        """With the labels that were asked for beside the Dockerfile, as one more step."""
        labels = self._plan.request.labels
        if not labels:
            return state
        words = "LABEL " + " ".join(f"{name}={value}" for name, value in sorted(labels.items()))
        voice.line(f"Step {self._plan.total}/{self._plan.total} : {words}")
        config = msgspec.structs.replace(state.config, labels={**(state.config.labels or {}), **labels})
        return performer.change(state, replace(state, config=config), words)

    async def _publish(self, state: StageState, tell: Tell) -> str:
        request = self._plan.request
        finished = Finished(config=image_config(state), layers=state.layers, tags=request.tags, parent="")
        image = await self._work.workshop.publish(finished)
        failpoint("build.published")
        self._work.cache.note(self._ledger.closed(image, self._plan.fresh))
        if request.quiet:
            tell({"stream": f"{image}\n"})
            return image
        if unused := self._plan.unused_arguments():
            tell({"stream": f"[Warning] One or more build-args [{' '.join(unused)}] were not consumed\n"})
        tell({"aux": {"ID": image}})
        tell({"stream": f"Successfully built {short(image)}\n"})
        for tag in request.tags:
            tell({"stream": f"Successfully tagged {tag}\n"})
        return image
