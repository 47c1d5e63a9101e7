"""Which HTTP status an error is answered with: the one table. Owns no words; they come with the error."""

from __future__ import annotations

from typing import Final

from zonehost.errors import (
    Blocked,
    Conflict,
    Forbidden,
    InvalidParameter,
    NotFound,
    NotModified,
    RangeNotSatisfiable,
    SystemFailure,
    Unauthorized,
    Unavailable,
    Unsupported,
    ZonehostError,
)


class RequestTimeout(ZonehostError):
    """The client takes too long to send its request: 408."""


class RequestTooLarge(ZonehostError):
    """The body of the request is larger than any sensible one: 413."""


STATUS: Final[dict[type[ZonehostError], int]] = {
    InvalidParameter: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    RequestTimeout: 408,
    Conflict: 409,
    RequestTooLarge: 413,
    RangeNotSatisfiable: 416,
    NotModified: 304,
    Unsupported: 501,
    Unavailable: 503,
    Blocked: 500,
    SystemFailure: 500,
    ZonehostError: 500,
}


def status_of(error: ZonehostError) -> int:
    """The status of the nearest class of the error that the table names."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
