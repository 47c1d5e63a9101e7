"""A session: a client that can be asked for files, secrets, logins and its ssh agent while it waits for a build.

On its connection we make the calls. Source: BuildKit v0.25, session/. Knows nothing of builds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote_plus, urlsplit

from zonehost.api.buildkit import fsutil, grpc
from zonehost.api.buildkit.grpc import Caller, OwnCall, Refused
from zonehost.api.buildkit.http2 import Connection, StreamLost, Wire
from zonehost.api.buildkit.members import members
from zonehost.api.buildkit.messages import (
    AgentRequest,
    BytesMessage,
    CredentialsRequest,
    CredentialsResponse,
    Empty,
    SecretRequest,
)
from zonehost.errors import Conflict, InvalidParameter, NotFound, Unavailable
from zonehost.ports.registry import Login
from zonehost.tar import entry

_CREDENTIALS: Final = "/moby.filesync.v1.Auth/Credentials"
_FILES: Final = "/moby.filesync.v1.FileSync/DiffCopy"
_TAKE: Final = "/moby.filesync.v1.FileSend/DiffCopy"
_SECRET: Final = "/moby.buildkit.secrets.v1.Secrets/GetSecret"
_AGENT: Final = "/moby.sshforward.v1.SSH/CheckAgent"
_FORWARD: Final = "/moby.sshforward.v1.SSH/ForwardAgent"
_PULL: Final = "/moby.upload.v1.Upload/Pull"

_HUB: Final = "registry-1.docker.io"
"""Under this name clients look their login for docker.io up (BuildKit, authprovider.go)."""
_NONE: Final = (grpc.NOT_FOUND, grpc.UNIMPLEMENTED)
_SMALL: Final = 16 << 20
_CHUNK: Final = 1 << 20
SESSION_SECONDS: Final = 30.0
"""How long a build waits for the session that it names."""


class Session:
    """One client. Implements `ports.build_client`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def login(self, registry: str) -> Login | None:
        """See `BuildClient.login`."""
        request = CredentialsRequest(host=_HUB if registry == "docker.io" else registry)
        try:
            found = await self._caller.ask(_CREDENTIALS, request, CredentialsResponse)
        except Refused as refused:
            _check_none(refused)
            return None
        if not found.secret:
            return None
        if not found.username:
            return Login(identitytoken=found.secret)
        return Login(username=found.username, password=found.secret)

    async def secret(self, name: str) -> bytes | None:
        """See `BuildClient.secret`."""
        try:
            return (await self._caller.ask(_SECRET, SecretRequest(id=name), BytesMessage)).data
        except Refused as refused:
            _check_none(refused)
            return None

    async def has_agent(self, name: str) -> bool:
        """See `BuildClient.has_agent`."""
        try:
            await self._caller.ask(_AGENT, AgentRequest(id=name or "default"), Empty)
        except Refused:
            # The client's answer to an agent that it does not have is an unclassified error.
            return False
        return True

    @asynccontextmanager
    async def agent(self, name: str, path: str) -> AsyncIterator[None]:
        """See `BuildClient.agent`."""
        if not await self.has_agent(name):
            raise NotFound(f"the client lends no ssh agent {name}")
        joined: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, end: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            joined.add(task)
            with suppress(ConnectionError):
                call = await self._caller.open(_FORWARD, {"buildkit.ssh.id": (name or "default",)})
                await _join(call, reader, end)
            joined.discard(task)

        server = await asyncio.start_unix_server(connected, path)
        try:
            yield
        finally:
            server.close()
            for task in joined:
                task.cancel()
            await asyncio.gather(*joined, return_exceptions=True)
            Path(path).unlink(missing_ok=True)

    async def files(self, tree: str, **patterns: tuple[str, ...]) -> AsyncIterator[bytes]:
        """The archive of a tree that the client offers: `exclude_patterns`, `include_patterns`, `followpaths`.

        Raises:
            InvalidParameter: the client cannot read it. Unavailable: the client is gone.
        """
        metadata = {"dir-name": (tree,), **{name.replace("_", "-"): values for name, values in patterns.items()}}
        call = None
        try:
            call = await self._caller.open(_FILES, _encoded(metadata))
            async for piece in fsutil.receive(call):
                yield piece
            await call.end()
            await call.finished()
        except Refused as refused:
            raise InvalidParameter(str(refused)) from refused
        except StreamLost as error:
            raise Unavailable(f"the client is gone: {error}") from error
        finally:
            if call is not None:
                await call.give_up()

    async def small_files(self, tree: str, *names: str) -> dict[str, bytes]:
        """Files of a tree, as far as they are there. Raises as `files`."""
        found = {}
        async for member, content in members(self.files(tree, followpaths=names)):
            if member.kind == entry.REGULAR:
                if member.size > _SMALL:
                    raise InvalidParameter(f"{entry.shown(member.name)} is larger than {_SMALL} bytes")
                found[member.name.decode("utf-8", "surrogateescape")] = b"".join([piece async for piece in content])
        return found

    async def upload(self, url: str) -> AsyncIterator[bytes]:
        """What the client keeps under an address of its own: an archive that it reads from its input."""
        parts = urlsplit(url)
        try:
            call = await self._caller.open(_PULL, {"urlpath": (parts.path,), "urlhost": (parts.netloc,)})
            while (message := await call.receive(BytesMessage)) is not None:
                yield message.data
            await call.finished()
        except Refused as refused:
            raise InvalidParameter(str(refused)) from refused
        except StreamLost as error:
            raise Unavailable(f"the client is gone: {error}") from error

    async def take_file(self, exporter: int, data: AsyncIterator[bytes]) -> None:
        """Give the client a file, which it keeps for this exporter. Raises as `files`."""
        async with self._taking(exporter) as call:
            async for piece in data:
                for start in range(0, len(piece), _CHUNK):
                    await call.send(BytesMessage(data=piece[start : start + _CHUNK]))

    async def take_tree(self, exporter: int, archive: AsyncIterator[bytes]) -> None:
        """Give the client a tree, which it keeps for this exporter. Raises as `files`."""
        async with self._taking(exporter) as call:
            await fsutil.send(call, archive)

    @asynccontextmanager
    async def _taking(self, exporter: int) -> AsyncIterator[OwnCall]:
        try:
            call = await self._caller.open(_TAKE, {"buildkit-attachable-exporter-id": (str(exporter),)})
            yield call
            await call.end()
            await call.finished()
        except Refused as refused:
            raise InvalidParameter(str(refused)) from refused
        except StreamLost as error:
            raise Unavailable(f"the client is gone: {error}") from error


class Sessions:
    """The sessions of the daemon, by the ids that clients give them."""

    def __init__(self) -> None:
        self._known: dict[str, Session] = {}
        self._waiting: dict[str, asyncio.Future[Session]] = {}

    def check(self, name: str) -> None:
        """Raises Conflict if a session of this id is here."""
        if name in self._known:
            raise Conflict(f"session {name} already exists")

    async def hold(self, name: str, wire: Wire) -> None:
        """Let builds ask a client, until it goes."""
        connection = Connection(wire)
        session = self._known[name] = Session(Caller(connection))
        waiting = self._waiting.pop(name, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(session)
        try:
            await connection.run()
        finally:
            self._known.pop(name)

    async def find(self, name: str) -> Session:
        """A session, which may still be on its way. Raises NotFound."""
        if name in self._known:
            return self._known[name]
        waiting = self._waiting.setdefault(name, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(SESSION_SECONDS):
                return await asyncio.shield(waiting)
        except TimeoutError:
            self._waiting.pop(name, None)
            raise NotFound(f"no active session for {name}") from None


def _check_none(refused: Refused) -> None:
    """Raises InvalidParameter if the client says more than that it has nothing."""
    if refused.status.code not in _NONE:
        raise InvalidParameter(str(refused)) from refused


def _encoded(metadata: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Values that are not ASCII are written as in queries, and marked (BuildKit, filesync.go)."""
    found: dict[str, tuple[str, ...]] = {}
    for name, values in metadata.items():
        if all(value.isascii() for value in values):
            found[name] = values
        else:
            found[name] = tuple(quote_plus(value, errors="surrogateescape") for value in values)
            found[f"{name}-encoded"] = ("1",)
    return found


async def _join(call: OwnCall, reader: asyncio.StreamReader, end: asyncio.StreamWriter) -> None:
    """Carry bytes between a process's socket and the client's agent until either ends."""

    async def outward() -> None:
        while data := await reader.read(1 << 15):
            await call.send(BytesMessage(data=data))
        await call.end()

    sending = asyncio.create_task(outward())
    try:
        while (message := await call.receive(BytesMessage)) is not None:
            end.write(message.data)
            await end.drain()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        end.close()
        await call.give_up()
