"""Solves asked for by `POST /build?version=2`, as docker 20.10 does: parameters in a query, files by a session.

The answer is Docker's progress stream, with BuildKit's messages in it. A context that the client reads from its input
comes as the body of another request. Source: docker 20.10, cli/command/image/build_buildkit.go, and moby's
builder/builder-next/builder.go.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from zonehost.api.buildkit.grpc import Refused
from zonehost.api.buildkit.messages import Exporter, SolveRequest
from zonehost.api.buildkit.options import FRONTEND
from zonehost.api.buildkit.progress import CANCELED
from zonehost.api.buildkit.solve import BEGIN_SECONDS, Order, Solve
from zonehost.errors import InvalidParameter, NotFound

_TRACE: Final = "moby.buildkit.trace"
_IMAGE: Final = "moby.image.id"
_DIGEST: Final = "containerimage.digest"

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What the query asks for; `attributes` are those of the frontend, `upload` is the id of a context that is sent."""

    ref: str
    session: str
    attributes: Mapping[str, str]
    exporters: tuple[Exporter, ...]
    upload: str = ""
    quiet: bool = False


class Uploads:
    """Contexts on their way from one request to another."""

    def __init__(self) -> None:
        self._known: dict[str, _Upload] = {}

    async def give(self, name: str, archive: AsyncIterator[bytes]) -> None:
        """Offer a context, and wait until it was taken. Raises NotFound if nobody wants it."""
        upload = self._known.setdefault(name, _Upload())
        upload.archive.set_result(archive)
        try:
            async with asyncio.timeout(BEGIN_SECONDS) as patience:
                await upload.begun.wait()
                patience.reschedule(None)
                await upload.taken.wait()
        except TimeoutError:
            raise NotFound(f"no build asks for the context {name}") from None
        finally:
            self._known.pop(name, None)

    async def take(self, name: str) -> AsyncIterator[bytes]:
        """The context of this id, when it comes. Raises NotFound if it does not."""
        upload = self._known.setdefault(name, _Upload())
        try:
            async with asyncio.timeout(BEGIN_SECONDS):
                archive = await upload.archive
        except TimeoutError:
            self._known.pop(name, None)
            raise NotFound(f"the context {name} was not sent") from None
        upload.begun.set()
        try:
            async for piece in archive:
                yield piece
        finally:
            upload.taken.set()


@dataclass(frozen=True, slots=True)
class _Upload:
    archive: asyncio.Future[AsyncIterator[bytes]] = field(default_factory=asyncio.Future)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    taken: asyncio.Event = field(default_factory=asyncio.Event)


async def carry_out(solve: Solve, posted: Posted, uploads: Uploads, tell: Tell) -> None:
    """Build, and tell how it goes. Raises InvalidParameter in the words of what went wrong."""
    context = uploads.take(posted.upload) if posted.upload else None
    request = SolveRequest(ref=posted.ref, session=posted.session, exporters=posted.exporters)
    solving = asyncio.create_task(solve.run(request, Order(FRONTEND, posted.attributes, context=context)))
    try:
        async for message in solve.progress.messages():
            if not posted.quiet:
                tell({"id": _TRACE, "aux": base64.b64encode(message.encode()).decode()})
        await asyncio.wait((solving,))
        if solving.cancelled():
            raise InvalidParameter(CANCELED)
        response = solving.result()
    except Refused as refused:
        raise InvalidParameter(str(refused)) from refused
    finally:
        solving.cancel()
        await asyncio.gather(solving, return_exceptions=True)
    if image := response.get(_DIGEST):
        tell({"stream": f"{image}\n"} if posted.quiet else {"id": _IMAGE, "aux": {"ID": image}})
