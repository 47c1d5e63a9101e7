"""What can go wrong, in the words of the API: each class is one answer that a client can act on.

A driver turns foreign errors (OSError, a tool's exit status) into these in one place; `api.errors` turns these
into HTTP statuses in one table. The message is one clear sentence, in Docker's words where Docker has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ZonehostError(Exception):
    """Any error that zonehost raises on purpose."""


class InvalidParameter(ZonehostError):
    """The request cannot be right, whatever the state: 400."""


class Unauthorized(ZonehostError):
    """Credentials are missing or wrong: 401."""


class Forbidden(ZonehostError):
    """The request is well formed, and policy denies it: 403."""


class NotFound(ZonehostError):
    """The thing that the request names does not exist: 404."""


class Conflict(ZonehostError):
    """The thing exists, but its state does not allow the request: 409."""


class NotModified(ZonehostError):
    """The thing is already as the request wants it: 304."""


class RangeNotSatisfiable(ZonehostError):
    """The request asks for a part that is not there: 416."""


class Unsupported(ZonehostError):
    """zonehost knows what is meant, and does not do it; the message names the option: 501."""


class Unavailable(ZonehostError):
    """Something that zonehost needs cannot be reached now: 503."""


class Blocked(ZonehostError):
    """A process cannot be ended by anyone; the message says which, and what holds it: 500."""


class SystemFailure(ZonehostError):
    """The kernel or a tool failed in a way that no request could have caused: 500."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Put `what: ` in front of the words of an error of ours that is raised inside; its kind stays."""
    try:
        yield
    except ZonehostError as error:
        raise type(error)(f"{what}: {error}") from error
