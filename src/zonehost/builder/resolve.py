"""Where a step's files come from: stages, images, the context, caches. Each image of a build is asked for once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonehost.builder.configure import absolute
from zonehost.builder.repositories import Repositories
from zonehost.domain.blueprint import BindMount
from zonehost.domain.git_url import read_git_url
from zonehost.domain.image_config import ImageConfig
from zonehost.errors import InvalidParameter
from zonehost.ports.build_cache import CachedStep
from zonehost.ports.build_files import Placement, Selection
from zonehost.ports.workshop import Base, TreeMount

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
    from contextlib import AsyncExitStack

    from zonehost.builder.ledger import Ledger
    from zonehost.builder.mounts import RunMount
    from zonehost.builder.plan import Plan
    from zonehost.builder.state import StageState
    from zonehost.builder.steps import RunStep
    from zonehost.builder.work import Work
    from zonehost.domain.platform import Platform
    from zonehost.ports.build_listener import Voice
    from zonehost.ports.builder import NamedContext

_COPY = "/copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """A RUN's mounts: what can be said of them before it runs. `digests` are of what bind mounts show."""

    digests: tuple[str, ...]
    trees: tuple[TreeMount, ...]
    context: tuple[tuple[str, str], ...]
    """Of the context: a path in it, and its destination."""
    copies: tuple[tuple[Selection, str], ...]
    """What is mounted as a copy of its own, which may be written to, and its destination."""
    caches: tuple[tuple[RunMount, Selection | None], ...]
    """Caches, and what a new one begins with."""
    tmpfs: dict[str, str]
    lent: tuple[RunMount, ...]


class Resolver:
    """Finds what steps of one stage read."""

    def __init__(
        self,
        build: str,
        plan: Plan,
        work: Work,
        voice: Voice,
        stage_of: Callable[[int], Awaitable[StageState]],
        images: dict[tuple[str, Platform, bool], asyncio.Task[Base]],
        ledger: Ledger,
    ) -> None:
        self._ledger = ledger
        self._build = build
        self._plan = plan
        self._work = work
        self._voice = voice
        self._stage_of = stage_of
        self._images = images

    async def image(self, name: str, platform: Platform, *, pull: bool) -> Base:
        """An image of this host, or of a registry. Raises NotFound."""
        context = self._plan.context(name)
        if context is not None and context.image:
            name = context.image
        key = (name, platform, pull)
        if key not in self._images:
            finding = self._find(name, platform, pull) if context is None or context.image else self._given(context)
            self._images[key] = asyncio.create_task(finding)
        base = await asyncio.shield(self._images[key])
        if context is None or context.image:
            self._ledger.base(name, base)
        return base

    async def _find(self, name: str, platform: Platform, pull: bool) -> Base:
        logins = self._plan.request.client.login
        return await self._work.workshop.base(name, platform, pull=pull, logins=logins, tell=self._voice.pulling)

    async def _given(self, context: NamedContext) -> Base:
        """A tree of the client as an image, or what another build made."""
        if context.base is not None:
            return context.base
        if context.remote:
            return await self._take_in(await self._at_address(context.remote))
        assert context.archive is not None
        return await self._take_in(context.archive)

    async def _at_address(self, address: str) -> AsyncIterator[bytes]:
        """The archive of a git repository, or of a file alone."""
        url = read_git_url(address, bare=True)
        if url is not None:
            repositories = Repositories(self._build, self._work, self._plan.request.client)
            head = await repositories.find(url)
            self._ledger.repository(url, head.commit)
            return await repositories.archive(url, head, keep=bool(url.keep_git_dir))
        found = await self._work.files.fetch(self._build, address)
        self._ledger.url(address, found.digest)
        if not found.name:
            raise InvalidParameter(f"cannot determine filename for {address}")
        return self._copied(Selection(files=((found.file, found.name),)), "/")

    async def _take_in(self, archive: AsyncIterable[bytes]) -> Base:
        layer = await self._work.layers.unpack(archive)
        await self._work.layers.complete((layer.diff_id,))
        now = self._work.clock.now()
        # Steps stand on the layer, and it goes as theirs do.
        step = CachedStep(
            key=layer.diff_id, layer=layer.diff_id, instruction="context", made=now, used=now, size=layer.size
        )
        self._work.cache.put(step)
        host = self._plan.host
        config = ImageConfig(architecture=host.architecture, os=host.os, variant=host.variant)
        return Base(layer.diff_id, config, (layer.diff_id,), now)

    async def layers_of(self, origin: str, platform: Platform) -> tuple[str, ...]:
        """The layers of a stage or an image, by name."""
        stage = self._plan.graph.find(origin)
        if stage is not None:
            return (await self._stage_of(stage)).layers
        if origin.isdecimal():
            raise InvalidParameter(f"invalid from flag value {origin}: no such stage")
        return (await self.image(origin, platform, pull=self._plan.request.pull)).layers

    async def mounts(self, step: RunStep, state: StageState) -> Mounts:
        """The mounts of a RUN."""
        digests: list[str] = []
        trees: list[TreeMount] = []
        context: list[tuple[str, str]] = []
        copies: list[tuple[Selection, str]] = []
        caches: list[tuple[RunMount, Selection | None]] = []
        tmpfs: dict[str, str] = {}
        lent: list[RunMount] = []
        for mount in step.mounts:
            target = absolute(mount.target, step.workdir)
            if mount.type == "tmpfs":
                tmpfs[target] = f"size={mount.size}" if mount.size else ""
            elif mount.type == "cache" and not mount.origin:
                caches.append((mount, None))
            elif mount.type in ("bind", "cache"):
                layers = await self.layers_of(mount.origin, state.platform) if mount.origin else None
                source = absolute(mount.source, "/")
                selection = Selection(
                    trees=None if layers is None else self._work.layers.stack(layers),
                    paths=(source,),
                    ignore=self._plan.ignore if layers is None else (),
                )
                digests.append(await self._work.files.digest(self._build, selection))
                if mount.type == "cache":
                    caches.append((mount, selection))
                elif not mount.readonly:
                    copies.append((selection, target))
                elif layers is None:
                    context.append((source, target))
                else:
                    trees.append(TreeMount(layers=layers, destination=target, subpath=source.strip("/")))
            else:
                lent.append(mount)
        return Mounts(
            digests=tuple(digests),
            trees=tuple(trees),
            context=tuple(context),
            copies=tuple(copies),
            caches=tuple(caches),
            tmpfs=tmpfs,
            lent=tuple(lent),
        )

    async def folders(self, mounts: Mounts, stack: AsyncExitStack) -> list[BindMount]:
        """Host folders for the mounts, each cache folder locked or private as it asks, until `stack` is closed."""
        binds = []
        for source, target in mounts.context:
            path = await self._work.files.context_path(self._build, self._plan.ignore, source)
            binds.append(BindMount(source=path, destination=target, readonly=True))
        for selection, target in mounts.copies:
            path = await self._work.files.lay_out(self._build, self._copied(selection, _COPY))
            binds.append(BindMount(source=path + _COPY, destination=target))
        for mount, beginning in mounts.caches:
            name = mount.id or mount.target
            if beginning is not None:
                # As in BuildKit: what a cache begins with is a part of its identity.
                name = f"{name}\0{await self._work.files.digest(self._build, beginning)}"
            if mount.sharing == "private":
                name = await self._private(name, stack)
            elif mount.sharing == "locked":
                await stack.enter_async_context(self._work.folder_lock(name))
            mode = 0o755 if mount.mode is None else mount.mode
            archive = None if beginning is None else self._copied(beginning, "/")
            folder = await self._work.files.cache_folder(
                self._build, name, mode, mount.uid or 0, mount.gid or 0, archive
            )
            binds.append(BindMount(source=folder, destination=mount.target, readonly=mount.readonly))
        return binds

    async def script(self, step: RunStep) -> list[BindMount]:
        """The here-document that a RUN executes, as a mount."""
        if step.script is None:
            return []
        path = await self._work.files.write(self._build, step.script.text.encode(), 0o755)
        return [BindMount(source=path, destination=step.args[0], readonly=True)]

    def _copied(self, selection: Selection, destination: str) -> AsyncIterator[bytes]:
        placement = Placement(base=(), destination=destination, link=True)
        return self._work.files.copy(self._build, selection, placement)

    async def _private(self, name: str, stack: AsyncExitStack) -> str:
        number = 0
        while (lock := self._work.folder_lock(f"{name}#{number}")).locked():
            number += 1
        await stack.enter_async_context(lock)
        return f"{name}#{number}"
