"""One blob, from a stream to a registry: found there, mounted from a sister repository, or sent in chunks.

Source: OCI distribution specification 1.1, "Pushing blobs". A chunk that breaks is resumed where the registry says.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from zonehost.drivers.registry.manifests import DOCKER_GZIP_LAYER, digest_of
from zonehost.errors import InvalidParameter, NotFound, Unavailable
from zonehost.ports.registry import Descriptor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from zonehost.drivers.registry.transport import Access, Transport
    from zonehost.ports.registry import Repository

_CHUNK = 5 << 20
"""Bytes that are kept until the registry has them, to be sent again if the connection breaks; some take no less."""
_TRIES = 5


async def exists(transport: Transport, access: Access, digest: str) -> bool:
    """Whether the repository has the blob."""
    try:
        async with transport.request(access, "HEAD", f"{access.repository.path}/blobs/{digest}"):
            return True
    except NotFound:
        return False


async def mount(transport: Transport, access: Access, digest: str, origin: Repository) -> bool:
    """Have the registry take the blob over from another of its repositories; false if it will not."""
    query = {"mount": digest, "from": origin.path}
    path = f"{access.repository.path}/blobs/uploads/"
    async with transport.request(access, "POST", path, accept=(201, 202), params=query) as response:
        if response.status == 201:
            return True
        location = _location(response)
    async with transport.request(access, "DELETE", location, accept=(200, 202, 204, 404, 405)):
        return False


async def send_bytes(transport: Transport, access: Access, data: bytes) -> None:
    """Send a small blob in one piece, if the repository has it not."""
    digest = digest_of(data)
    if await exists(transport, access, digest):
        return
    upload = await _begin(transport, access)
    await _finish(transport, access, upload.location, digest, data)


async def send_layer(transport: Transport, access: Access, blob: Callable[[], AsyncIterator[bytes]]) -> Descriptor:
    """Send a layer in gzip while it is made; anew where the registry lost the upload."""
    for _ in range(_TRIES - 1):
        try:
            return await _send_whole(transport, access, blob())
        except _UploadLost:
            continue
    try:
        return await _send_whole(transport, access, blob())
    except _UploadLost as error:
        raise Unavailable(str(error)) from error


async def _send_whole(transport: Transport, access: Access, blob: AsyncIterator[bytes]) -> Descriptor:
    upload = await _begin(transport, access)
    digest = hashlib.sha256()
    async for chunk in _chunks(blob):
        await asyncio.to_thread(digest.update, chunk)
        await _send_chunk(transport, access, upload, chunk)
    name = f"sha256:{digest.hexdigest()}"
    await _finish(transport, access, upload.location, name, b"")
    return Descriptor(DOCKER_GZIP_LAYER, name, upload.sent)


class _UploadLost(Exception):
    """The registry no longer knows an upload, or knows less of it than is kept here."""


@dataclass(slots=True)
class _Upload:
    """An upload under way: where to send on, and how many bytes the registry has."""

    location: str
    sent: int = 0


async def _chunks(blob: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The blob in chunks as large as a registry takes them; the last may be smaller."""
    pieces: list[bytes] = []
    size = 0
    async for piece in blob:
        pieces.append(piece)
        size += len(piece)
        if size >= _CHUNK:
            chunk = b"".join(pieces)
            pieces.clear()
            size = 0
            yield chunk
    if pieces:
        yield b"".join(pieces)


async def _begin(transport: Transport, access: Access) -> _Upload:
    async with transport.request(access, "POST", f"{access.repository.path}/blobs/uploads/", accept=(202,)) as response:
        return _Upload(_location(response))


async def _send_chunk(transport: Transport, access: Access, upload: _Upload, chunk: bytes) -> None:
    begin = upload.sent
    end = begin + len(chunk)
    tries = 0
    while upload.sent < end:
        part = chunk[upload.sent - begin :]
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Range": f"{upload.sent}-{end - 1}",
        }
        try:
            async with transport.request(
                access, "PATCH", upload.location, accept=(202, 204), headers=headers, data=part
            ) as response:
                upload.location = _location(response)
                upload.sent = end
        except (aiohttp.ClientError, TimeoutError, Unavailable) as error:
            tries += 1
            if tries == _TRIES:
                raise Unavailable(f"the upload broke off after {upload.sent} bytes: {error}") from error
            await asyncio.sleep(tries)
            await _ask_progress(transport, access, upload, begin, end)


async def _ask_progress(transport: Transport, access: Access, upload: _Upload, begin: int, end: int) -> None:
    """Find out how far the upload is. Raises _UploadLost."""
    try:
        async with transport.request(access, "GET", upload.location, accept=(202, 204)) as response:
            match = re.match(r"(?:bytes=)?0-(\d+)", response.headers.get("Range", ""))
            upload.location = _location(response)
    except (NotFound, InvalidParameter) as error:
        # Debian's registry forgets an upload of which it wrote a part of a chunk.
        raise _UploadLost(f"the registry lost an upload: {error}") from error
    # An upload without a byte says 0-0, as one of a single byte would; a chunk never ends there.
    last = int(match[1]) if match else 0
    upload.sent = last + 1 if last else 0
    if not begin <= upload.sent <= end:
        raise _UploadLost(f"the registry lost an upload after {upload.sent} bytes")


async def _finish(transport: Transport, access: Access, location: str, digest: str, data: bytes) -> None:
    joint = "&" if "?" in location else "?"
    path = f"{location}{joint}digest={digest}"
    headers = {"Content-Type": "application/octet-stream"}
    async with transport.request(access, "PUT", path, accept=(201, 204), headers=headers, data=data):
        pass


def _location(response: aiohttp.ClientResponse) -> str:
    """The absolute address to go on with. A registry behind a proxy may give a relative one."""
    location = response.headers.get("Location", "")
    if not location:
        raise Unavailable(f"the registry gave no address to upload to: {response.url}")
    return str(response.url.join(URL(location, encoded=True)))
