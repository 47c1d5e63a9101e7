"""Carries out one step, or takes its layer from the cache."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import msgspec

from zonehost.builder.carried import comment_of
from zonehost.builder.freshness import judge
from zonehost.builder.keys import change_key, copy_key, folder_key, repository_content, run_key
from zonehost.builder.lent import Lender
from zonehost.builder.outside import asks_outside
from zonehost.builder.repositories import Repositories
from zonehost.builder.resolve import Resolver
from zonehost.builder.steps import CopyStep, FolderStep, RunStep
from zonehost.domain.image_config import rfc3339
from zonehost.errors import InvalidParameter
from zonehost.ports.build_cache import CachedStep
from zonehost.ports.build_files import Placement, Selection
from zonehost.ports.builder import CommandFailed
from zonehost.ports.workshop import RunOrder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from zonehost.builder.ledger import Ledger
    from zonehost.builder.plan import Plan
    from zonehost.builder.state import StageState
    from zonehost.builder.steps import Step
    from zonehost.builder.work import Work
    from zonehost.domain.git_url import GitUrl
    from zonehost.domain.platform import Platform
    from zonehost.ports.build_files import Fetched
    from zonehost.ports.build_listener import Voice
    from zonehost.ports.git import GitHead
    from zonehost.ports.workshop import Base


class Performer:
    """Does the steps of one stage."""

    def __init__(
        self, build: str, plan: Plan, work: Work, resolver: Resolver, voice: Voice, ledger: Ledger, *, cache: bool
    ) -> None:
        self._ledger = ledger
        self._build = build
        self._plan = plan
        self._work = work
        self._resolver = resolver
        self._repositories = Repositories(build, work, plan.request.client)
        self._voice = voice
        self._cache = cache

    async def image(self, name: str, platform: Platform, *, pull: bool) -> Base:
        """An image to build on. Raises NotFound."""
        return await self._resolver.image(name, platform, pull=pull)

    async def perform(self, step: Step, state: StageState, bound: int | None) -> StageState:
        """The state after the step; `bound` is how old it may be in the cache, in nanoseconds.

        Raises:
            CommandFailed: the command failed. InvalidParameter: it cannot be done.
        """
        if isinstance(step, RunStep):
            return await self._run(step, state, bound)
        if isinstance(step, CopyStep):
            return await self._copy(step, state, bound)
        return await self._folder(step, state, bound)

    async def _run(self, step: RunStep, state: StageState, bound: int | None) -> StageState:
        network = self._network(step)
        mounts = await self._resolver.mounts(step, state)
        key = run_key(
            step,
            parent=state.layers,
            platform=state.platform,
            settings=self._plan.settings,
            mounts=mounts.digests,
            epoch=self._plan.epoch,
        )
        words = step.shown
        cached = self._cached(key, bound)
        if cached is not None:
            return self._after(state, words, cached)
        container = ""

        def started(name: str) -> None:
            nonlocal container
            container = name
            self._voice.running(name)

        async with AsyncExitStack() as stack:
            binds = await self._resolver.folders(mounts, stack)
            script = await self._resolver.script(step)
            lender = Lender(self._build, self._plan.request.client, self._work.files)
            lent = await lender.lend(mounts.lent, step.workdir, stack)
            order = RunOrder(
                build=self._build,
                layers=state.layers,
                args=step.args,
                env=(*step.env, *lent.env, *self._missing_proxies(step)),
                user=step.user,
                workdir=step.workdir,
                network=network,
                host_config=self._plan.request.host_config,
                secrets=lent.secrets,
                binds=(*binds, *script, *lent.binds),
                covered=lent.covered,
                trees=mounts.trees,
                tmpfs=mounts.tmpfs,
                epoch=self._plan.epoch,
            )
            await stack.enter_async_context(self._work.running)
            began = time.monotonic()
            ran = await self._work.workshop.run(order, started, self._voice.output)
        if ran.code != 0:
            command = " ".join(step.args)
            message = f"The command '{command}' returned a non-zero code: {ran.code}"
            raise CommandFailed(message, message, 0, command, ran.code)
        outside = () if network == "none" else (*asks_outside(step.args), *ran.addresses)
        self._voice.removed(container)
        made = self._remember(key, words, ran.layer, ran.size, time.monotonic() - began, outside)
        return self._after(state, words, made)

    def change(self, before: StageState, after: StageState, words: str) -> StageState:
        """The state after a step that only changed the configuration; what was done before is as old as it was then."""
        words = f"/bin/sh -c #(nop)  {words}"
        key = change_key(before.chain_after(words), epoch=self._plan.epoch)
        cached = self._cached(key, None) or self._remember(key, words, "", 0, 0.0, ())
        return self._after(after, words, cached)

    def _after(self, state: StageState, words: str, step: CachedStep) -> StageState:
        self._ledger.step(step)
        created = self._plan.created if self._plan.epoch is not None else rfc3339(step.made)
        return state.with_history(words, created, layer=step.layer, comment=comment_of(step) if step.layer else "")

    def _network(self, step: RunStep) -> str:
        asked = self._plan.request.network
        if step.network == "host" and asked != "host":
            raise InvalidParameter("RUN --network=host is not allowed: build with --network host")
        if step.network == "none":
            return "none"
        return "bridge" if asked in ("", "default") else asked

    def _missing_proxies(self, step: RunStep) -> tuple[str, ...]:
        names = {variable.partition("=")[0] for variable in step.env}
        return tuple(variable for variable in self._plan.proxies() if variable.partition("=")[0] not in names)

    async def _copy(self, step: CopyStep, state: StageState, bound: int | None) -> StageState:
        layers = await self._resolver.layers_of(step.origin, state.platform) if step.origin else None
        selection = Selection(
            trees=None if layers is None else self._work.layers.stack(layers),
            paths=step.sources,
            ignore=self._plan.ignore if layers is None else (),
            exclude=step.exclude,
            parents=step.parents,
        )
        fetched = [] if step.checksum else await self._fetch(step)
        repositories = [(url, await self._find(url)) for url in step.repositories]
        content = [await self._work.files.digest(self._build, selection)] if step.sources else []
        content += [step.checksum] if step.checksum else [f"{file.name} {file.digest}" for file in fetched]
        content += [repository_content(url, head, step.exclude) for url, head in repositories]
        key = copy_key(step, parent=state.layers, platform=state.platform, content=content, epoch=self._plan.epoch)
        words = f"/bin/sh -c #(nop) {step.name} multi:{key} in {step.destination} "
        cached = self._cached(key, bound)
        if cached is not None:
            return self._after(state, words, cached)
        began = time.monotonic()
        if step.checksum:
            fetched = await self._fetch(step)
        keeping = [(url, head, bool(url.keep_git_dir)) for url, head in repositories]
        folders = [await self._repositories.check_out(url, head, keep=keep) for url, head, keep in keeping]
        files = [(file.file, file.name) for file in fetched]
        for name, text in step.contents:
            files.append((await self._work.files.write(self._build, text.encode(), 0o644), name))
        placement = Placement(
            base=self._work.layers.stack(state.layers),
            destination=step.destination,
            owner=step.owner,
            mode=step.mode,
            link=step.link,
            unpack=step.name == "ADD" and step.unpack is not False,
            unpack_files=bool(step.unpack),
            epoch=self._plan.epoch,
        )
        whole = msgspec.structs.replace(selection, folders=tuple(folders), files=tuple(files))
        layer, size = await self._take_in(self._work.files.copy(self._build, whole, placement), state)
        made = self._remember(key, words, layer, size, time.monotonic() - began, ())
        return self._after(state, words, made)

    async def _fetch(self, step: CopyStep) -> list[Fetched]:
        found = []
        for url in step.urls:
            file = await self._work.files.fetch(self._build, url)
            if step.checksum and file.digest != step.checksum:
                raise InvalidParameter(f"digest mismatch for {url}: {file.digest} (expected: {step.checksum})")
            if not file.name and step.destination.endswith("/"):
                raise InvalidParameter(f"cannot determine filename for source {url}")
            if not step.checksum:
                self._ledger.url(url, file.digest)
            found.append(file)
        return found

    async def _find(self, url: GitUrl) -> GitHead:
        head = await self._repositories.find(url)
        self._ledger.repository(url, head.commit)
        return head

    async def _folder(self, step: FolderStep, state: StageState, bound: int | None) -> StageState:
        key = folder_key(step, parent=state.layers, platform=state.platform, epoch=self._plan.epoch)
        words = f"/bin/sh -c #(nop) WORKDIR {step.path}"
        cached = self._cached(key, bound)
        if cached is not None:
            return self._after(state, words, cached)
        base = self._work.layers.stack(state.layers)
        archive = await self._work.files.make_folder(base, step.path, self._plan.epoch)
        layer, size = await self._take_in(_once(archive), state) if archive is not None else ("", 0)
        return self._after(state, words, self._remember(key, words, layer, size, 0.0, ()))

    async def _take_in(self, archive: AsyncIterator[bytes], state: StageState) -> tuple[str, int]:
        layer = await self._work.layers.unpack(archive)
        await self._work.layers.complete((*state.layers, layer.diff_id))
        return layer.diff_id, layer.size

    def _cached(self, key: str, bound: int | None) -> CachedStep | None:
        if not self._cache:
            return None
        step = self._work.cache.get(key)
        if step is None or (step.layer and self._work.layers.get(step.layer) is None):
            return None
        verdict = judge(step, self._work.clock.now(), bound)
        if not verdict.reuse:
            self._voice.aged(verdict.reason)
            return None
        self._voice.cached(verdict.reason if step.layer else "")
        self._work.cache.put(msgspec.structs.replace(step, used=self._work.clock.now()))
        return step

    def _remember(
        self, key: str, instruction: str, layer: str, size: int, seconds: float, outside: tuple[str, ...]
    ) -> CachedStep:
        now = self._work.clock.now()
        step = CachedStep(
            key=key,
            layer=layer,
            instruction=instruction,
            made=now,
            used=now,
            size=size,
            seconds=round(seconds, 3),
            outside=outside,
        )
        self._work.cache.put(step)
        return step


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
