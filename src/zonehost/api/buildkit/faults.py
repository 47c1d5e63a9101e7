"""Failures of builds in BuildKit's words, and as the status of a call, with the place in the Dockerfile."""

from __future__ import annotations

import base64
from typing import Final

import msgspec

from zonehost.api.buildkit import grpc
from zonehost.api.buildkit.messages import Any, Status
from zonehost.errors import (
    Blocked,
    Conflict,
    Forbidden,
    InvalidParameter,
    NotFound,
    Unauthorized,
    Unavailable,
    Unsupported,
    ZonehostError,
)
from zonehost.ports.builder import BuildFault, CommandFailed

_CODES: Final[dict[type[ZonehostError], int]] = {
    Unauthorized: 16,
    Forbidden: 7,
    NotFound: grpc.NOT_FOUND,
    Conflict: 6,
    Blocked: 9,
    Unsupported: grpc.UNIMPLEMENTED,
    Unavailable: grpc.UNAVAILABLE,
}
"""gRPC's codes (google/rpc/code.proto). Clients print the name of any code but UNKNOWN before the message."""

_SOURCE: Final = "github.com/moby/buildkit/errdefs.Source+json"


def words_of(error: ZonehostError) -> str:
    """What went wrong, without the place."""
    if isinstance(error, CommandFailed):
        return f'process "{error.command}" did not complete successfully: exit code: {error.code}'
    return error.reason if isinstance(error, BuildFault) else str(error)


def status_of(error: ZonehostError) -> Status:
    """The status that a call ends with."""
    if isinstance(error, InvalidParameter):
        return Status(code=grpc.UNKNOWN, message=words_of(error))
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.UNKNOWN)
    return Status(code=code, message=str(error))


def located(error: ZonehostError, dockerfile: str, text: bytes) -> Status:
    """The same for a build of this Dockerfile: with its text and the line, which clients show."""
    status = status_of(error)
    if not isinstance(error, BuildFault) or not error.line:
        return status
    place = {"line": error.line}
    source = {
        "info": {"filename": dockerfile, "data": base64.b64encode(text).decode(), "language": "Dockerfile"},
        "ranges": [{"start": place, "end": place}],
    }
    detail = Any(type_url=_SOURCE, value=msgspec.json.encode(source))
    return Status(code=status.code, message=status.message, details=(detail,))
