"""Bodies of requests: JSON into structs, and streams of bytes. Owns the limits in size and time.

Knows nothing of what a body means. A JSON body is small and comes at once; an archive has no limit here, and may come
as slowly as its client likes.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, TypeVar, cast

import msgspec
from aiohttp import web

from zonehost.api.bounds import check_values
from zonehost.api.connection import Connection
from zonehost.api.errors import RequestTimeout, RequestTooLarge
from zonehost.api.fields import fit_for
from zonehost.api.json_fault import fault
from zonehost.errors import InvalidParameter

JSON_BYTES: Final = 8 << 20
JSON_SECONDS: Final = 60.0

_WRONG: Final = re.compile(
    r"(?:Expected `(?P<due>[^`]*)`, got `(?P<got>[^`]*)`|(?P<other>.*?))(?: - at `(?P<at>[^`]*)`)?"
)
_WORDS: Final = {"str": "string", "int": "number", "float": "number"}

S = TypeVar("S", bound=msgspec.Struct)


async def read_json(
    request: web.BaseRequest,
    kind: type[S],
    prepare: Callable[[dict[str, Any]], None] | None = None,
    *,
    seconds: float = JSON_SECONDS,
) -> S | None:
    """The body as `kind`, or None if there is none (or only null).

    `prepare` may rewrite the decoded object before its types are checked.

    Raises:
        InvalidParameter: it is no JSON, or not of this kind; names the field.
        RequestTooLarge, RequestTimeout: it has more than JSON_BYTES, or is not here after so many seconds.
    """
    data = await _read(request, seconds)
    content_type = request.headers.get("Content-Type", "")
    if content_type or data:
        _check_content_type(content_type)
    return None if data.strip() in (b"", b"null") else decode(data, kind, prepare)


def decode(data: bytes, kind: type[S], prepare: Callable[[dict[str, Any]], None] | None = None) -> S:
    """The JSON text as `kind`. Raises InvalidParameter, in words that name the field."""
    try:
        raw = msgspec.json.decode(data)
        check_values(data, raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(f"invalid JSON: {fault(data, error)}") from None
    fitted = fit_for(kind)(raw, "")
    if prepare is not None and isinstance(fitted, dict):
        prepare(fitted)
    try:
        return msgspec.convert(fitted, kind)
    except msgspec.ValidationError as error:
        raise InvalidParameter(_words_of(error)) from None


async def chunks(request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The body as it comes. Raises ConnectionError if the client disappears before its end."""
    if (held := cast(Connection, request.protocol).held) is not None:
        held.release()
    try:
        async for chunk in request.content.iter_any():
            yield chunk
    except web.RequestPayloadError as error:
        raise ConnectionError(f"the request ended early: {error}") from error


async def _read(request: web.BaseRequest, seconds: float) -> bytes:
    if not request.can_read_body:
        return b""
    if (request.content_length or 0) > JSON_BYTES:
        raise RequestTooLarge(f"request body too large: the limit is {JSON_BYTES} bytes")
    data = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks(request):
                data += chunk
                if len(data) > JSON_BYTES:
                    raise RequestTooLarge(f"request body too large: the limit is {JSON_BYTES} bytes")
    except TimeoutError:
        raise RequestTimeout(f"the request body did not arrive within {seconds:g} seconds") from None
    return bytes(data)


def _check_content_type(content_type: str) -> None:
    media, _, _ = content_type.partition(";")
    if media.strip().lower() != "application/json":
        raise InvalidParameter(f"unsupported Content-Type header ({content_type}): must be 'application/json'")


def _words_of(error: msgspec.ValidationError) -> str:
    """In the manner of Go's decoder: what came, and which field is of which type."""
    found = _WRONG.fullmatch(str(error))
    assert found is not None
    place = (found["at"] or "").removeprefix("$").removeprefix(".")
    if found["due"] is None:
        return f"invalid JSON: {found['other']}" + (f": field {place}" if place else "")
    due = " or ".join(_WORDS.get(word, word) for word in found["due"].split(" | ") if word != "null")
    got = _WORDS.get(found["got"], found["got"])
    what = f"field {place} of type {due}" if place else f"a value of type {due}"
    return f"invalid JSON: cannot unmarshal {got} into {what}"
