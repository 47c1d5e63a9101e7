"""One blob, from a registry to a stream of verified bytes: resumed where it broke, refused where it differs."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING

import aiohttp

from zonehost.errors import InvalidParameter, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from zonehost.drivers.registry.transport import Access, Transport
    from zonehost.ports.registry import Descriptor

_CHUNK = 256 << 10
_TRIES = 5
"""Attempts without a byte of progress before a download is given up."""


async def download(
    transport: Transport, access: Access, blob: Descriptor, *, pause: float = 1.0
) -> AsyncIterator[bytes]:
    """The bytes of a blob; `pause` is the seconds to wait before the second attempt, and grows.

    Raises:
        InvalidParameter: size or digest are not the descriptor's. The last chunk is not yielded before that is known.
        Unavailable: the connection breaks again and again.
    """
    digest = hashlib.sha256()
    received = 0
    tries = 0
    held = b""
    while received < blob.size:
        failure: object = "it ended early"
        try:
            headers = {"Range": f"bytes={received}-"} if received else {}
            path = f"{access.repository.path}/blobs/{blob.digest}"
            async with transport.request(access, "GET", path, accept=(200, 206), headers=headers) as response:
                skip = received - _start(response)
                if not 0 <= skip <= received:
                    raise InvalidParameter(f"the registry resumed blob {blob.digest} at the wrong place")
                async for part in response.content.iter_chunked(_CHUNK):
                    chunk = part[skip:] if skip else part
                    skip = max(skip - len(part), 0)
                    if not chunk:
                        continue
                    received += len(chunk)
                    if received > blob.size:
                        raise InvalidParameter(f"blob {blob.digest} is larger than the {blob.size} bytes promised")
                    digest.update(chunk)
                    tries = 0
                    if held:
                        yield held
                    held = chunk
        except (aiohttp.ClientError, TimeoutError, Unavailable) as error:
            failure = error
        if received < blob.size:
            tries += 1
            if tries == _TRIES:
                raise Unavailable(f"blob {blob.digest} broke off after {received} of {blob.size} bytes: {failure}")
            await asyncio.sleep(pause * tries)
    if f"sha256:{digest.hexdigest()}" != blob.digest:
        raise InvalidParameter(f"filesystem layer verification failed for digest {blob.digest}")
    if held:
        yield held


def _start(response: aiohttp.ClientResponse) -> int:
    """Where in the blob the answer begins: 0 where the registry ignores Range (RFC 9110 section 14.4)."""
    if response.status != 206:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1
