"""The job's side of `linux.jobs`: a function made a job that answers, and the stream that the daemon sends it.

It runs in the fork server's children, so it knows nothing of asyncio: what the server has loaded, each fork copies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from zonehost import errors
from zonehost.linux.ahead import ahead
from zonehost.linux.chunked import ChunkedBody, reading

CHUNK: Final = 1 << 20
"""Bytes that one read takes from a pipe at the most."""
_AHEAD: Final = 4

Job = Callable[[Any, list[int]], Any]


class Answer(msgspec.Struct, frozen=True):
    """What a job says at its end, as JSON: what it returned, or the name of a class in `errors` and a message."""

    value: Any = None
    error: str = ""
    message: str = ""


def answering(function: Job) -> Callable[[Any, list[int]], int]:
    """A job that sends what the function returns, or the ZonehostError or OSError that it raises, to its caller.

    The function gets the arguments, and the descriptors that `jobs.run` and `jobs.stream` name.
    """

    def job(arguments: Any, fds: list[int]) -> int:
        answer, *rest = fds
        try:
            told = Answer(value=function(arguments, rest))
        except errors.ZonehostError as error:
            told = Answer(error=type(error).__name__, message=str(error))
        except BrokenPipeError:
            return 1  # nobody wants the stream any more
        except OSError as error:
            where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
            told = Answer(error="SystemFailure", message=f"{where}: {error.strerror}".removeprefix(": "))
        with os.fdopen(answer, "wb") as file:
            file.write(msgspec.json.encode(told))
        return 0

    return job


def incoming(fds: Sequence[int]) -> Iterator[bytes]:
    """The stream that the job was given: what comes through the first descriptor, up to its end.

    Where there is a second one, that is the connection of a request (`linux.arriving`), and the first has only the
    beginning of its body. That is read some megabytes ahead, since nobody else empties the connection meanwhile.

    Raises:
        InvalidParameter: the request's body is damaged or cut off.
    """
    through = iter(partial(os.read, fds[0], CHUNK), b"")
    if len(fds) == 1:
        return through
    return ahead(ChunkedBody(b"".join(through), reading(fds[1])), _AHEAD)
