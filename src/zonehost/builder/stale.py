"""Whether images are out of date: their bases, the URLs and the packages in them, their steps' age."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zonehost.builder.faults import SyntaxFault
from zonehost.builder.freshness import age_of, read_bound
from zonehost.builder.packages import QUESTION, read_answer
from zonehost.builder.repositories import latest_commit
from zonehost.domain.host_config import HostConfig
from zonehost.domain.identity import new_id
from zonehost.errors import InvalidParameter, NotFound, ZonehostError
from zonehost.ports.provenance import Finding, Provenance
from zonehost.ports.workshop import RunOrder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from zonehost.builder.work import Work
    from zonehost.ports.provenance import BaseUsed, GitUsed, UrlUsed
    from zonehost.ports.workshop import Base


async def find_stale(work: Work, images: Sequence[str], fresh: str) -> list[Finding]:
    """What is out of date in images; `fresh` bounds the age of steps, an empty one takes the builds' own bounds.

    Raises:
        NotFound: there is no such image. InvalidParameter: `fresh` is no duration.
    """
    try:
        bound = read_bound(fresh) if fresh else None
    except SyntaxFault as fault:
        raise InvalidParameter(fault.reason) from fault
    return [finding for name in images for finding in await _image(work, name, bound)]


async def _image(work: Work, name: str, fresh: int | None) -> list[Finding]:
    image = work.workshop.find(name)
    known = work.cache.provenance(image.id) or Provenance()
    found = [finding for base in known.bases if (finding := await _base(work, name, base))]
    found += [finding for url in known.urls if (finding := await _url(work, name, url))]
    found += [finding for used in known.repositories if (finding := await _repository(work, name, used))]
    found += _steps(work, name, known, fresh)
    found += await _packages(work, name, image)
    return found


async def _base(work: Work, image: str, base: BaseUsed) -> Finding | None:
    if base.digest:
        try:
            latest = await work.workshop.latest(base.name)
        except ZonehostError as error:
            return Finding(image=image, kind="base", subject=base.name, detail=str(error), error=True)
        if latest == base.digest:
            return None
        return Finding(image=image, kind="base", subject=base.name, detail=f"moved from {base.digest} to {latest}")
    try:
        here = work.workshop.find(base.name).id
    except (NotFound, InvalidParameter):
        return None
    if here == base.image:
        return None
    return Finding(image=image, kind="base", subject=base.name, detail=f"is {here} here now, and was {base.image}")


async def _url(work: Work, image: str, used: UrlUsed) -> Finding | None:
    check = new_id()
    try:
        await work.files.receive(check, _nothing())
        found = await work.files.fetch(check, used.url)
    except ZonehostError as error:
        return Finding(image=image, kind="url", subject=used.url, detail=str(error), error=True)
    finally:
        await work.files.discard(check)
    if found.digest == used.digest:
        return None
    return Finding(image=image, kind="url", subject=used.url, detail=f"changed from {used.digest} to {found.digest}")


async def _repository(work: Work, image: str, used: GitUsed) -> Finding | None:
    try:
        commit = await latest_commit(work, used.url)
    except ZonehostError as error:
        return Finding(image=image, kind="git", subject=used.url, detail=str(error), error=True)
    if commit == used.commit:
        return None
    return Finding(image=image, kind="git", subject=used.url, detail=f"moved from {used.commit} to {commit}")


def _steps(work: Work, image: str, known: Provenance, fresh: int | None) -> list[Finding]:
    bound = known.fresh if fresh is None else fresh
    now = work.clock.now()
    if bound is None:
        return []
    return [
        Finding(
            image=image,
            kind="step",
            subject=step.instruction,
            detail=f"asked {', '.join(step.outside)} {age_of(now - step.made)} ago, and may be {age_of(bound)} old",
        )
        for step in known.steps
        if now - step.made > bound
    ]


async def _packages(work: Work, name: str, image: Base) -> list[Finding]:
    output = bytearray()

    async def take(data: bytes) -> None:
        output.extend(data)

    order = RunOrder(
        build=new_id(),
        layers=image.layers,
        args=("/bin/sh", "-c", QUESTION),
        env=image.config.run.env or (),
        user="0",
        workdir="/",
        network="bridge",
        host_config=HostConfig(),
        tmpfs={},
        keep=False,
    )
    try:
        async with work.workshop.working():
            await work.workshop.run(order, lambda _: None, take)
    except InvalidParameter as error:
        # An image without a shell has no package manager either.
        return [Finding(image=name, kind="package", subject="", detail=f"cannot be asked: {error}", error=True)]
    return [
        Finding(
            image=name,
            kind="package",
            subject=f"{package.manager} {package.name}",
            detail=f"{package.installed} is installed, {package.available} is to be had",
        )
        for package in read_answer(output.decode("utf-8", "replace"))
    ]


async def _nothing() -> AsyncIterator[bytes]:
    yield b""
