"""Files from http and https servers, for ADD."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import aiohttp

from zonehost.errors import Unavailable
from zonehost.web import WebClient, address

_CHUNK: Final = 256 << 10
_FILE_NAME: Final = re.compile(r"filename=\"?([^\";]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Download:
    """What came, the digest and the size; the name is the address's last part, or else what the server says."""

    name: str
    digest: str
    size: int


async def download(url: str, path: str, web: WebClient) -> Download:
    """Get a file. Its time is what the server says of its last change, or the epoch.

    Raises:
        InvalidParameter: the address cannot be. Unavailable: the server does not give it.
    """
    asked = address(url)
    digest = hashlib.sha256()
    size = 0
    try:
        async with web.session() as session, session.get(asked) as response:
            if response.status != 200:
                raise Unavailable(f"error downloading {url}: {response.status} {response.reason}")
            with Path(path).open("wb") as file:
                async for chunk in response.content.iter_chunked(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
            time = _time(response.headers.get("Last-Modified", ""))
            name = posixpath.basename(asked.path) or _name(response)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"error downloading {url}: {error}") from error
    Path(path).chmod(0o600)
    os.utime(path, (time, time))
    return Download(name, f"sha256:{digest.hexdigest()}", size)


def _name(response: aiohttp.ClientResponse) -> str:
    match = _FILE_NAME.search(response.headers.get("Content-Disposition", ""))
    name = match[1] if match else unquote(response.url.path)
    return posixpath.basename(name)


def _time(text: str) -> float:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return 0.0
