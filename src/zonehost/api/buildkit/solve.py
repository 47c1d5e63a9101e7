"""One solve from its beginning to its end: the files that it needs from the client, the build, what is made of it.

A client asks for it twice: `Control.Solve` says what shall become of the result and lasts to the end, and the gateway's
`Solve` says what to build; `Return` tells that the client agrees. Owns how these come together.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from zonehost.api.buildkit import faults
from zonehost.api.buildkit.export import Export, read_export
from zonehost.api.buildkit.grpc import Refused
from zonehost.api.buildkit.messages import CacheEntry, Definition, SolveRequest, Status
from zonehost.api.buildkit.options import FRONTEND, Options, read_options
from zonehost.api.buildkit.progress import Progress
from zonehost.api.buildkit.references import reference_in
from zonehost.api.buildkit.session import Session, Sessions
from zonehost.domain.git_url import read_git_url
from zonehost.domain.path_patterns import read_ignore_file
from zonehost.errors import Conflict, InvalidParameter, NotFound, Unsupported, ZonehostError
from zonehost.ports.builder import Builder, BuildRequest, Built, NamedContext, PreparedBuild
from zonehost.ports.builder import Definition as Dockerfile

_IGNORE: Final = ".dockerignore"
_UPLOAD: Final = "http://buildkit-session/"
BEGIN_SECONDS: Final = 30.0
"""How long the parts of one solve may be apart."""


class Solve:
    """One solve. Its id is the client's."""

    def __init__(self, ref: str, builder: Builder, sessions: Sessions, others: Mapping[str, Built]) -> None:
        self.ref = ref
        self.progress = Progress(ref)
        self._builder = builder
        self._sessions = sessions
        self._others = others
        self._running: asyncio.Task[object] | None = None
        loop = asyncio.get_running_loop()
        self._order: asyncio.Future[Order] = loop.create_future()
        self._built: asyncio.Future[Built] = loop.create_future()
        self._agreed: asyncio.Future[Status | None] = loop.create_future()

    async def build(self, order: Order) -> Built:
        """Say what to build, and wait for it. Raises Refused, as the whole solve does."""
        if self._order.done():
            raise Conflict("a solve builds one thing")
        self._order.set_result(order)
        return await asyncio.shield(self._built)

    def cancel(self) -> None:
        """Give it up."""
        if self._running is not None:
            self._running.cancel()

    def agree(self, refusal: Status | None) -> None:
        """The client has seen what was built, and wants it; or it does not, or its own part failed."""
        if not self._agreed.done():
            self._agreed.set_result(refusal)

    async def run(self, request: SolveRequest, order: Order | None = None) -> dict[str, str]:
        """Carry it out; what clients are told of the result. `order` is what to build, where that is known already.

        Raises:
            Refused: the build failed, or the client does not want it. ZonehostError: it cannot be.
        """
        self._running = asyncio.current_task()
        try:
            exports = [read_export(index, exporter) for index, exporter in enumerate(request.exporters)]
            if request.source_policy:
                raise Unsupported("source policies are not supported")
            for entry in request.cache.exports if request.cache is not None else ():
                if entry.type != "inline":
                    raise Unsupported(f"the cache type {entry.type} is not supported")
            if request.frontend or (request.definition is not None and request.definition.definition):
                imports = request.cache.imports if request.cache is not None else ()
                order = Order(request.frontend, request.frontend_attrs, imports)
            if order is not None:
                self._order.set_result(order)
                self._agreed.set_result(None)
            wanted = await self._ordered()
            return {} if wanted is None else await self._carry_out(wanted, request.session, exports)
        except (Refused, ZonehostError) as error:
            self._fail(error)
            raise
        finally:
            self._built.cancel()
            self.progress.close()

    async def _ordered(self) -> Order | None:
        """What to build; nothing, if the client only wanted to know what can be asked. Raises Refused if it failed."""
        await asyncio.wait((self._order, self._agreed), return_when=asyncio.FIRST_COMPLETED)
        if self._order.done():
            return self._order.result()
        if (refusal := self._agreed.result()) is not None:
            raise Refused(refusal)
        return None

    async def _carry_out(self, order: Order, session: str, exports: list[Export]) -> dict[str, str]:
        if order.frontend != FRONTEND:
            raise Unsupported(f"the frontend {order.frontend or 'of operations (LLB)'} is not supported")
        options = read_options(order.attributes, order.imports)
        client = await self._sessions.find(session)
        sources = _Sources(client, self._sessions, options, order.context, self.progress)
        definition = await sources.definition()
        try:
            contexts = {name: await self._context(sources, order, value) for name, value in options.contexts.items()}
            request = _request(options, definition, client, contexts)
            prepared = await self._prepared(request, sources.context(definition))
            async with prepared.building(self.progress) as built:
                if unused := [name for name in built.unused if not name.startswith("BUILDKIT_")]:
                    with self.progress.internal("[internal] build arguments") as shown:
                        shown.warn(f"One or more build-args [{' '.join(unused)}] were not consumed")
                self._built.set_result(built)
                refusal = await self._agreed
                if refusal is not None:
                    raise Refused(refusal)
                response: dict[str, str] = {}
                for export in exports:
                    response |= await export.make(built, client, self.progress)
                return response
        except ZonehostError as error:
            text = b"" if definition is None else definition.dockerfile
            raise Refused(faults.located(error, options.filename, text)) from error

    async def _prepared(self, request: BuildRequest, context: AsyncIterator[bytes]) -> PreparedBuild:
        if not request.remote:
            return await self._builder.prepare(request, context)
        repository = read_git_url(request.remote, bare=True)
        what = f"git source {repository.shown}" if repository is not None else "remote build context"
        with self.progress.internal(f"[internal] load {what}"):
            return await self._builder.prepare(request, context)

    async def _context(self, sources: _Sources, order: Order, value: str) -> NamedContext:
        kind, _, rest = value.partition(":")
        if kind in ("http", "https") or read_git_url(value, bare=True) is not None:
            return NamedContext(remote=value)
        if kind == "docker-image":
            return NamedContext(image=rest.removeprefix("//"))
        if kind == "local":
            return NamedContext(archive=await sources.tree(rest))
        if kind == "input" and rest in order.inputs:
            reference = reference_in(order.inputs[rest])
            if reference not in self._others:
                raise NotFound(f"the input {rest} is of no build that goes on")
            return NamedContext(base=self._others[reference].base())
        raise Unsupported(f"the build context {value} is not supported")

    def _fail(self, error: Refused | ZonehostError) -> None:
        if not self._built.done():
            self._built.set_exception(error)
            # The client may not wait for it.
            self._built.exception()


class Order:
    """What to build."""

    def __init__(
        self,
        frontend: str,
        attributes: Mapping[str, str],
        imports: tuple[CacheEntry, ...] = (),
        inputs: Mapping[str, Definition] | None = None,
        context: AsyncIterator[bytes] | None = None,
    ) -> None:
        self.frontend = frontend
        self.attributes = attributes
        self.imports = imports
        self.inputs = inputs or {}
        self.context = context


class _Sources:
    """What a build reads of its client's files."""

    def __init__(
        self,
        client: Session,
        sessions: Sessions,
        options: Options,
        sent: AsyncIterator[bytes] | None,
        progress: Progress,
    ) -> None:
        self._sent = sent
        self._client = client
        self._sessions = sessions
        self._options = options
        self._progress = progress

    async def definition(self) -> Dockerfile | None:
        """The Dockerfile, and the ignore file: its own, or else the context's; None if an uploaded context has them."""
        name = self._options.filename
        if (self._options.context or self._sent is not None) and self._options.dockerfile_tree is None:
            return None
        tree = self._options.dockerfile_tree or "dockerfile"
        with self._progress.internal(f"[internal] load build definition from {name}") as shown:
            lower = name.removesuffix("Dockerfile") + "dockerfile"
            wanted = (name, f"{name}.dockerignore", *((lower,) if name.endswith("Dockerfile") else ()))
            found = await (await self._offering(tree)).small_files(tree, *wanted)
            data = found.get(name, found.get(lower))
            if data is None:
                raise InvalidParameter(f"failed to read dockerfile: open {name}: no such file or directory")
            shown.transfer("transferring dockerfile:", len(data), done=True)
        own = found.get(f"{name}.dockerignore")
        if own is not None:
            return Dockerfile(data, own)
        return Dockerfile(data, b"" if self._options.context or self._sent else await self._ignored("context"))

    async def context(self, definition: Dockerfile | None) -> AsyncIterator[bytes]:
        """The context's archive, without what is ignored."""
        with self._progress.internal("[internal] load build context") as shown:
            come = 0
            async for piece in await self._archive(definition):
                come += len(piece)
                shown.transfer("transferring context:", come)
                yield piece

    async def _archive(self, definition: Dockerfile | None) -> AsyncIterator[bytes]:
        if self._sent is not None:
            return self._sent
        if self._options.context.startswith(_UPLOAD):
            return self._client.upload(self._options.context)
        ignored = tuple(read_ignore_file(definition.ignore)) if definition is not None else ()
        return (await self._offering("context")).files("context", exclude_patterns=ignored)

    async def tree(self, name: str) -> AsyncIterator[bytes]:
        """The archive of another tree of the client, without what its ignore file says."""
        ignored = tuple(read_ignore_file(await self._ignored(name)))
        return (await self._offering(name)).files(name, exclude_patterns=ignored)

    async def _ignored(self, tree: str) -> bytes:
        with self._progress.internal(f"[internal] load {_IGNORE}") as shown:
            found = (await (await self._offering(tree)).small_files(tree, _IGNORE)).get(_IGNORE, b"")
            shown.transfer(f"transferring {tree}:", len(found), done=True)
        return found

    async def _offering(self, tree: str) -> Session:
        """The session that offers a tree: targets of one command share trees."""
        session = self._options.sessions.get(tree)
        return self._client if session is None else await self._sessions.find(session)


def _request(
    options: Options, definition: Dockerfile | None, client: Session, contexts: Mapping[str, NamedContext]
) -> BuildRequest:
    return BuildRequest(
        dockerfile=options.filename,
        remote="" if options.context.startswith(_UPLOAD) else options.context,
        definition=definition,
        target=options.target,
        platform=options.platform,
        arguments=options.arguments,
        labels=options.labels,
        no_cache=options.no_cache,
        uncached=options.uncached,
        pull=options.pull,
        network=options.network,
        host_config=options.host_config,
        cache_from=options.cache_from,
        client=client,
        contexts=contexts,
    )
