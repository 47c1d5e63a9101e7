"""From a request and its context to a build that can begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonehost.builder.build import Build
from zonehost.builder.ledger import Ledger
from zonehost.builder.parse import parse
from zonehost.builder.plan import draw_plan
from zonehost.builder.remote import receive_remote
from zonehost.domain.failpoint import failpoint
from zonehost.domain.identity import new_id
from zonehost.domain.path_patterns import PatternList, read_ignore_file
from zonehost.errors import InvalidParameter
from zonehost.ports.builder import Definition

if TYPE_CHECKING:
    from collections.abc import AsyncIterable

    from zonehost.builder.work import Work
    from zonehost.ports.builder import BuildRequest


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
        ignore = tuple(read_ignore_file(definition.ignore))
        PatternList(ignore)
        plan = draw_plan(
            request,
            parse(definition.dockerfile),
            ignore=ignore,
            host=work.host,
            now=work.clock.now(),
            fresh=work.fresh,
        )
    except BaseException:
        await files.discard(build)
        raise
    return Build(build, plan, work, ledger)


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
