"""From a request and its context to a build that can begin."""

from __future__ import annotations

from asyncio import to_thread
from typing import TYPE_CHECKING, Final

from zonehost.builder.build import Build
from zonehost.builder.ledger import Ledger
from zonehost.builder.parse import parse
from zonehost.builder.plan import draw_plan
from zonehost.builder.remote import receive_remote
from zonehost.domain.failpoint import failpoint
from zonehost.domain.identity import new_id
from zonehost.domain.path_patterns import PatternList, read_ignore_file
from zonehost.errors import InvalidParameter
from zonehost.ports.build_files import LARGEST_DOCKERFILE
from zonehost.ports.builder import Definition

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from zonehost.builder.plan import Plan
    from zonehost.builder.work import Work
    from zonehost.ports.builder import BuildRequest

_LARGE: Final = 32 << 10
"""Bytes of a Dockerfile that take some 30 ms to read."""


async def prepare(work: Work, request: BuildRequest, context: AsyncIterable[bytes]) -> Build:
    """Take in the context, and plan what its Dockerfile says; see `Builder.prepare`."""
    build = new_id()
    ledger = Ledger()
    files = work.files
    try:
        if request.remote:
            await receive_remote(work, build, request, ledger)
        else:
            await files.receive(build, context)
        failpoint("build.received")
        definition = request.definition or await _definition(work, build, request.dockerfile)
        if not definition.dockerfile:
            raise InvalidParameter(f"the Dockerfile ({request.dockerfile}) cannot be empty")
        size = max(len(definition.dockerfile), len(definition.ignore))
        if size > LARGEST_DOCKERFILE:
            raise InvalidParameter(f"the Dockerfile or its ignore file is larger than {LARGEST_DOCKERFILE} bytes")
        # A thread is slower than what it takes to read a usual one; a large one would hold up everybody else.
        plan = (
            _planned(work, request, definition)
            if size < _LARGE
            else await to_thread(_planned, work, request, definition)
        )
    except BaseException:
        await files.discard(build)
        raise
    return Build(build, plan, work, ledger)


def _planned(work: Work, request: BuildRequest, definition: Definition) -> Plan:
    ignore = tuple(read_ignore_file(definition.ignore))
    PatternList(ignore)
    return draw_plan(
        request,
        parse(definition.dockerfile),
        ignore=ignore,
        host=work.host,
        now=work.clock.now(),
        fresh=work.fresh,
    )


async def _definition(work: Work, build: str, dockerfile: str) -> Definition:
    """The Dockerfile in the context, with its own ignore file, or else the context's.

    One that is not asked for by another name may be called `dockerfile`, as in Docker.
    """
    names = (dockerfile, "dockerfile") if dockerfile == "Dockerfile" else (dockerfile,)
    owns = {name: f"{name}.dockerignore" for name in names}
    found = await work.files.read(build, *names, *owns.values(), ".dockerignore")
    for name, own in owns.items():
        if name in found:
            return Definition(found[name], found.get(own, found.get(".dockerignore", b"")))
    raise InvalidParameter(f"Cannot locate specified Dockerfile: {dockerfile}")
