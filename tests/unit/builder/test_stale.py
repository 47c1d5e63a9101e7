"""Whether images are out of date, on fakes; and how answers of package managers are read."""

from __future__ import annotations

import pytest

from tests.unit.builder.fakes import HOUR, Bench, diff_id
from zonehost.builder.packages import Outdated, read_answer
from zonehost.builder.service import ImageBuilder
from zonehost.domain.image_config import ImageConfig
from zonehost.errors import InvalidParameter, NotFound
from zonehost.ports.provenance import Finding
from zonehost.ports.workshop import Base, Output, RunOrder

ANSWER = b"""noise
zonehost-package apt libc6 2.36-9 2.36-10
zonehost-package pip requests 2.0 2.1
zonehost-package broken
"""


async def stale(bench: Bench, fresh: str = "") -> list[Finding]:
    """What is out of date in the image that was built last."""
    image = bench.workshop.published[-1]
    identity = next(iter(bench.cache.notes))
    bench.workshop.known["built"] = Base(identity, ImageConfig(), image.layers, 0)
    return await ImageBuilder(bench.work).stale(["built"], fresh)


def kinds(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.kind, finding.subject) for finding in findings]


async def test_an_image_that_is_up_to_date() -> None:
    bench = Bench()
    await bench.build("FROM base\nRUN make")
    assert await stale(bench) == []


async def test_everything_that_can_be_out_of_date() -> None:
    bench = Bench()
    bench.workshop.known["registry.example/base:1"] = Base(diff_id("r"), ImageConfig(), (), 0, "sha256:old")
    bench.files.urls["http://x/f"] = b"one"
    bench.git.remotes["https://x/y.git"] = {"main": "1" * 40}
    await bench.build(
        "FROM registry.example/base:1\nCOPY --from=base / /b\nADD http://x/f /f\nADD https://x/y.git#main /y\n"
        "RUN apt-get update"
    )
    bench.workshop.remote["registry.example/base:1"] = "sha256:new"
    bench.workshop.add_image("base", ImageConfig(os="linux"))
    bench.workshop.known["base"] = Base(diff_id("other"), ImageConfig(), (), 0)
    bench.files.urls["http://x/f"] = b"two"
    bench.git.remotes["https://x/y.git"]["main"] = "2" * 40
    bench.clock.time += 3 * HOUR

    async def answer(order: RunOrder, output: Output) -> int:
        await output(ANSWER)
        return 0

    bench.workshop.command = answer
    found = await stale(bench, "2h")
    assert kinds(found) == [
        ("base", "registry.example/base:1"),
        ("base", "base"),
        ("url", "http://x/f"),
        ("git", "https://x/y.git#main"),
        ("step", "/bin/sh -c apt-get update"),
        ("package", "apt libc6"),
        ("package", "pip requests"),
    ]
    assert found[0].detail == "moved from sha256:old to sha256:new"
    assert found[4].detail == "asked apt-get update 3h ago, and may be 2h old"
    assert found[5].detail == "2.36-9 is installed, 2.36-10 is to be had"
    assert found[3].detail == f"moved from {'1' * 40} to {'2' * 40}"
    assert not any(finding.error for finding in found)
    assert bench.files.left == set()
    assert kinds(await stale(bench))[4] == ("package", "apt libc6"), "the build had no bound"


async def test_what_cannot_be_asked_is_said() -> None:
    bench = Bench()
    bench.workshop.known["registry.example/base:1"] = Base(diff_id("r"), ImageConfig(), (), 0, "sha256:old")
    await bench.build("FROM registry.example/base:1\nRUN x")

    async def fail(order: RunOrder, output: Output) -> int:
        raise InvalidParameter("no /bin/sh")

    bench.workshop.command = fail
    found = await stale(bench)
    assert [(finding.kind, finding.error) for finding in found] == [("base", True), ("package", True)]


async def test_what_is_not_here() -> None:
    bench = Bench()
    with pytest.raises(NotFound):
        await ImageBuilder(bench.work).stale(["nope"], "")
    with pytest.raises(InvalidParameter, match="is no duration"):
        await ImageBuilder(bench.work).stale([], "soon")


def test_reads_answers() -> None:
    assert read_answer(ANSWER.decode()) == [
        Outdated("apt", "libc6", "2.36-9", "2.36-10"),
        Outdated("pip", "requests", "2.0", "2.1"),
    ]


async def test_what_was_built_anew_is_not_out_of_date() -> None:
    bench = Bench()
    await bench.build("FROM base\nRUN apt-get update", arguments={"ZONEHOST_FRESH": "0s"})
    bench.clock.time += HOUR
    assert await stale(bench) == []
