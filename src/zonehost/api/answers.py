"""How answers look on the wire: the headers that all have, JSON to Docker's letter, streams.

Content-Type is exactly `application/json`: with a charset behind it, the docker command prints the JSON of an error
instead of its message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from zonehost import __version__
from zonehost.api.errors import status_of
from zonehost.api.version import MAXIMUM
from zonehost.errors import ZonehostError

JSON: Final = "application/json"
RAW: Final = "application/vnd.docker.raw-stream"
MULTIPLEXED: Final = "application/vnd.docker.multiplexed-stream"
TAR: Final = "application/x-tar"

BASE: Final = CIMultiDict(
    {
        "Api-Version": str(MAXIMUM),
        "Docker-Experimental": "false",
        "Ostype": "linux",
        "Server": f"zonehost/{__version__} (linux)",
    }
)
_JSON_BASE: Final = CIMultiDict({**BASE, "Content-Type": JSON})

encode: Final = msgspec.json.Encoder().encode


def document(value: Any, status: int = 200) -> web.Response:
    """A JSON answer; like Go's encoder, it ends in a newline."""
    return encoded(encode(value), status)


def encoded(body: bytes, status: int = 200) -> web.Response:
    """A JSON answer whose body is there already."""
    return web.Response(status=status, body=body + b"\n", headers=_JSON_BASE)


def empty(status: int = 204) -> web.Response:
    """An answer without a body."""
    return web.Response(status=status, headers=BASE)


def refusal(error: ZonehostError) -> web.Response:
    """The answer to a request that failed."""
    return message(status_of(error), str(error))


def message(status: int, words: str) -> web.Response:
    """Docker's error: one sentence in JSON. Not Modified has no body (RFC 9110, section 15.4.5)."""
    return empty(304) if status == 304 else document({"message": words}, status)


async def stream(
    request: web.BaseRequest, content_type: str, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """An answer whose head is sent now and whose body is written bit by bit."""
    response = web.StreamResponse(headers=BASE)
    response.headers["Content-Type"] = content_type
    if headers is not None:
        response.headers.update(headers)
    await response.prepare(request)
    return response


def head(status_line: str, headers: Mapping[str, str]) -> bytes:
    """The head of an answer for a connection that is taken over, in bytes."""
    lines = [f"HTTP/1.1 {status_line}", *(f"{name}: {value}" for name, value in {**headers, **BASE}.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
