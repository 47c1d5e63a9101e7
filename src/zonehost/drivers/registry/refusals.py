"""What registries and token servers say when they refuse, as errors of ours in their words.

Source: the error format of the OCI distribution specification, and how Docker's client of it reads it
(`registry/client/errors.go` of the distribution project).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zonehost.errors import Forbidden, InvalidParameter, NotFound, Unauthorized, Unavailable, ZonehostError

if TYPE_CHECKING:
    import aiohttp


class _Error(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    errors: tuple[_Error, ...] = ()
    details: str = ""
    """Of the Hub's token server."""


def refusal(response: aiohttp.ClientResponse, body: bytes) -> ZonehostError:
    """The error that an answer is, by its status and in the words of its body."""
    try:
        told = msgspec.json.decode(body, type=_Refusal)
    except msgspec.MsgspecError:
        told = _Refusal()
    kind = "UNAUTHORIZED" if response.status == 401 else "UNKNOWN"
    words = "; ".join(f"{(one.code or kind).lower().replace('_', ' ')}: {one.message}" for one in told.errors)
    reason = words or told.details or f"{response.method} {response.url}: {response.status} {response.reason}"
    if response.status == 401:
        return Unauthorized(words or f"unauthorized: {told.details or 'authentication required'}")
    if response.status == 403:
        return Forbidden(reason)
    if response.status == 404:
        return NotFound(reason)
    if response.status in (407, 429) or response.status >= 500:
        return Unavailable(reason)
    return InvalidParameter(reason)
