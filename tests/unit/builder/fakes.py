"""The ports that builds use, in memory. A layer's diff id tells what made it, so that trees can be compared as text."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Container, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from zonehost.api.classic_build import Console
from zonehost.builder.service import ImageBuilder
from zonehost.builder.work import Work
from zonehost.domain.git_url import GitUrl
from zonehost.domain.image import Layer
from zonehost.domain.image_config import ImageConfig, read_image_config
from zonehost.domain.platform import Platform
from zonehost.errors import InvalidParameter, NotFound, Unavailable
from zonehost.ports.build_cache import CachedStep
from zonehost.ports.build_files import Fetched, Placement, Selection
from zonehost.ports.builder import BuildRequest
from zonehost.ports.git import GitAccess, GitHead
from zonehost.ports.provenance import Provenance
from zonehost.ports.workshop import Base, Finished, Logins, Output, Ran, RunOrder, Tell

HOST = Platform("linux", "amd64")
HOUR = 3600 * 10**9


def diff_id(*parts: object) -> str:
    return f"sha256:{hashlib.sha256(repr(parts).encode()).hexdigest()}"


class FakeClock:
    def __init__(self) -> None:
        self.time = 1000 * HOUR

    def now(self) -> int:
        self.time += 1
        return self.time

    def uptime(self) -> int:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += int(seconds * 10**9)


class FakeCache:
    def __init__(self) -> None:
        self.known: dict[str, CachedStep] = {}
        self.notes: dict[str, Provenance] = {}

    def get(self, key: str) -> CachedStep | None:
        return self.known.get(key)

    def put(self, step: CachedStep) -> None:
        self.known[step.key] = step

    def steps(self) -> Iterable[CachedStep]:
        return tuple(self.known.values())

    def layers(self) -> frozenset[str]:
        return frozenset(step.layer for step in self.known.values() if step.layer)

    def remove(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.known.pop(key, None)

    def note(self, provenance: Provenance) -> None:
        self.notes[provenance.image] = provenance

    def provenance(self, image: str) -> Provenance | None:
        return self.notes.get(image)

    def forget(self, image: str) -> None:
        self.notes.pop(image, None)

    def keep_provenance(self, images: Container[str]) -> None:
        self.notes = {image: note for image, note in self.notes.items() if image in images}


class FakeLayers:
    def __init__(self) -> None:
        self.known: dict[str, Layer] = {}

    def add(self, identity: str) -> Layer:
        return self.known.setdefault(identity, Layer(diff_id=identity, size=1, archive_size=1))

    def get(self, diff_id: str) -> Layer | None:
        return self.known.get(diff_id)

    def stack(self, diff_ids: Sequence[str]) -> tuple[str, ...]:
        return tuple(diff_ids)

    async def complete(self, diff_ids: Sequence[str]) -> None:
        assert all(one in self.known for one in diff_ids)

    async def unpack(self, archive: AsyncIterable[bytes], *, diff_id: str | None = None) -> Layer:
        data = b"".join([part async for part in archive])
        return self.add(f"sha256:{hashlib.sha256(data).hexdigest()}")


class FakeFiles:
    """`context` maps names to content; a selection's digest is of the names and contents that begin with its paths."""

    def __init__(self, context: dict[str, bytes]) -> None:
        self.context = context
        self.left: set[str] = set()
        self.urls: dict[str, bytes] = {}
        self.fetched: list[str] = []
        self.written: list[bytes] = []

    async def receive(self, build: str, archive: AsyncIterable[bytes]) -> None:
        self.left.add(build)

    async def read(self, build: str, *paths: str) -> dict[str, bytes]:
        return {path: self.context[path] for path in paths if path in self.context}

    async def digest(self, build: str, selection: Selection) -> str:
        return diff_id(selection.trees, selection.paths, selection.ignore, selection.exclude, self._chosen(selection))

    def copy(self, build: str, selection: Selection, placement: Placement) -> AsyncIterator[bytes]:
        chosen = self._chosen(selection)

        async def archive() -> AsyncIterator[bytes]:
            yield repr((chosen, selection.trees, selection.folders, selection.files, placement)).encode()

        return archive()

    async def make_folder(self, base: tuple[str, ...], path: str, epoch: int | None) -> bytes | None:
        return None if path == "/" else f"folder {path}".encode()

    async def tidy(self, upper: str, covered: tuple[str, ...]) -> None:
        raise NotImplementedError

    async def vacancy(self, build: str) -> str:
        return "/vacancy"

    async def write(self, build: str, data: bytes, mode: int) -> str:
        self.written.append(data)
        return f"/written/{len(self.written)}"

    async def conceal(self, build: str, data: bytes, mode: int, uid: int, gid: int) -> str:
        self.written.append(data)
        return f"/secret/{len(self.written)}"

    async def socket(self, build: str) -> str:
        return "/socket"

    async def own(self, path: str, mode: int, uid: int, gid: int) -> None:
        return

    async def fetch(self, build: str, url: str) -> Fetched:
        self.fetched.append(url)
        data = self.urls[url]
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return Fetched(f"/fetched/{digest}", url.rpartition("/")[2], digest, len(data))

    def as_context(self, file: str, dockerfile: str) -> AsyncIterator[bytes]:
        async def archive() -> AsyncIterator[bytes]:
            yield file.encode()

        return archive()

    async def context_path(self, build: str, ignore: tuple[str, ...], path: str) -> str:
        return f"/context{path}"

    async def lay_out(self, build: str, archive: AsyncIterator[bytes]) -> str:
        self.written.append(b"".join([piece async for piece in archive]))
        return f"/laid-out/{len(self.written)}"

    async def cache_folder(
        self, build: str, name: str, mode: int, uid: int, gid: int, beginning: AsyncIterator[bytes] | None = None
    ) -> str:
        return f"/cache/{name}" if beginning is None else f"/cache/begun-{name.partition(chr(0))[0]}"

    async def discard(self, build: str) -> None:
        self.left.discard(build)

    async def survey(self) -> frozenset[str]:
        return frozenset(self.left)

    def _chosen(self, selection: Selection) -> list[tuple[str, bytes]]:
        if selection.trees is not None or not selection.paths:
            return []
        wanted = tuple(path.strip("/.") for path in selection.paths)
        found = [(name, data) for name, data in sorted(self.context.items()) if name.startswith(wanted)]
        if not found:
            raise InvalidParameter(f"COPY failed: {selection.paths}: file does not exist")
        return found


class FakeGit:
    """Repositories by their remote: the commits of their refs. A folder is called by what is checked out in it."""

    def __init__(self) -> None:
        self.remotes: dict[str, dict[str, str]] = {}
        self.checked_out: list[str] = []
        self.access: list[GitAccess] = []

    async def find(self, url: GitUrl, access: GitAccess) -> GitHead:
        self.access.append(access)
        if url.remote not in self.remotes:
            raise Unavailable(f"git repository {url.remote}: nobody there")
        refs = self.remotes[url.remote]
        name = url.ref or "HEAD"
        if name not in refs:
            raise InvalidParameter(f"repository {url.remote} does not contain ref {name}")
        return GitHead(refs[name], name)

    async def check_out(self, url: GitUrl, head: GitHead, folder: str, access: GitAccess, *, keep: bool) -> str:
        self.access.append(access)
        place = f"{head.commit}:{url.subdir}{' with .git' if keep else ''}"
        self.checked_out.append(place)
        return place


@dataclass
class FakeWorkshop:
    """Runs nothing: `command` decides how a run ends, and gets the order."""

    layers: FakeLayers
    known: dict[str, Base] = field(default_factory=dict)
    orders: list[RunOrder] = field(default_factory=list)
    pulled: list[tuple[str, bool]] = field(default_factory=list)
    published: list[Finished] = field(default_factory=list)
    addresses: tuple[str, ...] = ()
    remote: dict[str, str] = field(default_factory=dict)
    command: Callable[[RunOrder, Output], Any] | None = None
    runs: int = 0

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        yield

    def add_image(self, name: str, config: ImageConfig, *, added: int = 0) -> None:
        layer = self.layers.add(diff_id("image", name))
        self.known[name] = Base(diff_id("id", name), config, (layer.diff_id,), added)

    async def base(self, name: str, platform: Platform, *, pull: bool, logins: Logins, tell: Tell) -> Base:
        self.pulled.append((name, pull))
        if name not in self.known:
            raise NotFound(f"no such image: {name}")
        return self.known[name]

    async def run(self, order: RunOrder, started: Callable[[str], None], output: Output) -> Ran:
        self.orders.append(order)
        started("c" * 64)
        code = 0
        if self.command is not None:
            code = await self.command(order, output)
        if code:
            return Ran(code, "", 0)
        # Two runs of one command never make the same layer: times differ.
        self.runs += 1
        layer = self.layers.add(diff_id("run", order.layers, order.args, self.runs))
        return Ran(0, layer.diff_id, 1, self.addresses)

    async def abandon(self) -> None:
        return

    def find(self, name: str) -> Base:
        if name not in self.known:
            raise NotFound(f"no such image: {name}")
        return self.known[name]

    def images(self) -> frozenset[str]:
        return frozenset(base.id for base in self.known.values())

    async def latest(self, name: str) -> str:
        if name not in self.remote:
            raise Unavailable(f"no registry for {name}")
        return self.remote[name]

    async def publish(self, image: Finished) -> str:
        self.published.append(image)
        return f"sha256:{hashlib.sha256(image.config).hexdigest()}"


class Bench:
    """A builder with all fakes, and what it said."""

    def __init__(self, **context: bytes) -> None:
        self.clock = FakeClock()
        self.cache = FakeCache()
        self.layers = FakeLayers()
        self.files = FakeFiles(dict(context))
        self.git = FakeGit()
        self.workshop = FakeWorkshop(self.layers)
        self.workshop.add_image("base", ImageConfig(architecture="amd64", os="linux"))
        self.said: list[dict[str, Any]] = []
        self.work = Work(
            workshop=self.workshop,
            files=self.files,
            git=self.git,
            cache=self.cache,
            layers=self.layers,  # type: ignore[arg-type]
            clock=self.clock,
            host=HOST,
        )

    async def build(self, text: str, *, called: str = "Dockerfile", **request: Any) -> ImageConfig:
        """Build what a Dockerfile of this name in the context says; the configuration of the image."""
        self.said.clear()
        self.files.context[called] = text.encode()
        tags, console = request.pop("tags", ()), Console(self.said.append, _drained, quiet=request.pop("quiet", False))
        prepared = await ImageBuilder(self.work).prepare(BuildRequest(**request), nothing())
        try:
            async with prepared.building(console) as built:
                await built.publish(tags)
                console.built(built, tags)
        finally:
            assert self.files.left == set(), "a build leaves nothing"
        return read_image_config(self.workshop.published[-1].config)

    @property
    def text(self) -> str:
        """What was said, as the client prints it."""
        return "".join(message.get("stream", "") for message in self.said)

    @property
    def ran(self) -> list[str]:
        """The last words of the commands that were run."""
        return [order.args[-1] for order in self.workshop.orders]


async def nothing() -> AsyncIterator[bytes]:
    """A context without anything in it."""
    yield b""


async def _drained() -> None:
    await asyncio.sleep(0)
