"""Whole builds on fakes: what is run, what is taken from the cache, what is said, what the image says of itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.builder.fakes import HOUR, Bench, nothing
from zonehost.builder.service import ImageBuilder
from zonehost.domain.config import Config
from zonehost.domain.identity import short
from zonehost.domain.image_config import HistoryStep, ImageConfig, read_image_config
from zonehost.errors import InvalidParameter, NotFound, Unavailable
from zonehost.ports.builder import BuildRequest, CommandFailed
from zonehost.ports.workshop import Base, Output, RunOrder


@pytest.fixture
def bench() -> Bench:
    return Bench(a=b"1", b=b"2")


async def test_an_image_of_many_instructions(bench: Bench) -> None:
    history = (HistoryStep(created_by="base"),)
    config = Config(env=("PATH=/bin", "OLD=1"), cmd=("old",))
    bench.workshop.add_image("base", ImageConfig(config=config, history=history))
    image = await bench.build(
        "FROM base\nARG V=2\nENV NEW=$V OLD=\nRUN echo $NEW\nWORKDIR /app\nCOPY a .\nUSER me\nENTRYPOINT x\n",
        labels={"l": "1"},
        tags=("t:1",),
    )
    run = image.run
    assert run.env == ("PATH=/bin", "OLD=", "NEW=2")
    assert (run.working_dir, run.user, run.cmd, run.labels) == ("/app", "me", None, {"l": "1"})
    assert run.entrypoint == ("/bin/sh", "-c", "x")
    steps = image.history or ()
    assert [step.created_by for step in steps][:5] == [
        "base",
        "/bin/sh -c #(nop)  ARG V=2",
        "/bin/sh -c #(nop)  ENV NEW=2 OLD=",
        "|1 V=2 /bin/sh -c echo $NEW",
        "/bin/sh -c #(nop) WORKDIR /app",
    ]
    assert len(image.rootfs.diff_ids or ()) == 4
    assert sum(not step.empty_layer for step in steps) == 4
    order = bench.workshop.orders[0]
    assert order.env == ("V=2", "PATH=/bin", "OLD=", "NEW=2")
    assert (order.workdir, order.user) == ("/", "")
    assert bench.workshop.published[0].tags == ("t:1",)


async def test_what_the_client_sees(bench: Bench) -> None:
    async def echo(order: RunOrder, output: Output) -> int:
        await output("hällo".encode()[:2])
        await output("hällo".encode()[2:] + b"\n")
        return 0

    bench.workshop.command = echo
    await bench.build("FROM base\nRUN echo", tags=("a:latest",))
    lines = bench.text.splitlines()
    assert lines[0] == "Step 1/2 : FROM base"
    assert lines[1].startswith(" ---> ")
    assert lines[2:5] == ["Step 2/2 : RUN echo", " ---> Running in cccccccccccc", "hällo"]
    assert lines[-2].startswith("Successfully built ")
    assert lines[-1] == "Successfully tagged a:latest"
    assert next(message["aux"] for message in bench.said if "aux" in message)["ID"].startswith("sha256:")
    bench.said.clear()
    await bench.build("FROM base\nRUN echo", quiet=True)
    assert len(bench.said) == 1
    assert bench.text.startswith("sha256:")


async def test_the_client_is_told_the_image_of_each_stage(bench: Bench) -> None:
    await bench.build("FROM base AS one\nRUN a\nFROM base AS two\nCOPY --from=one a /\nFROM two\nRUN b")
    told = [message["aux"]["ID"] for message in bench.said if "aux" in message]
    assert len(set(told)) == 3
    assert bench.text.splitlines()[-1] == f"Successfully built {short(told[-1])}"
    assert bench.said.index({"aux": {"ID": told[0]}}) < bench.said.index({"stream": "Step 3/6 : FROM base AS two\n"})


async def test_a_second_build_runs_nothing(bench: Bench) -> None:
    dockerfile = "FROM base\nRUN one\nCOPY a /x/\nWORKDIR /w\nRUN two"
    first = await bench.build(dockerfile)
    second = await bench.build(dockerfile)
    assert bench.ran == ["one", "two"]
    assert second.rootfs == first.rootfs
    assert bench.text.count(" ---> Using cache\n") == 4
    await bench.build(dockerfile, no_cache=True)
    assert bench.ran == ["one", "two"] * 2
    await bench.build(dockerfile)
    assert len(bench.ran) == 4, "a build without the cache still feeds it"


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ("RUN x", "RUN y", ["y"]),
        ("ENV A=1\nRUN x", "ENV A=2\nRUN x", ["x"]),
        ("ARG A=1\nRUN x", "ARG A=2\nRUN x", ["x"]),
        ("LABEL A=1\nRUN x", "LABEL A=2\nRUN x", []),
        ("EXPOSE 1\nRUN x", "EXPOSE 2\nRUN x", []),
        ("RUN x\nENV A=1", "RUN x\nENV A=2", []),
        ("RUN one\nRUN two", "RUN one\nRUN three", ["three"]),
        ("USER a\nRUN x", "USER b\nRUN x", ["x"]),
        ("WORKDIR /a\nRUN x", "WORKDIR /b\nRUN x", ["x"]),
        ('SHELL ["/bin/bash", "-c"]\nRUN x', "RUN x", ["x"]),
        ("COPY a /\nRUN x", "COPY b /\nRUN x", ["x"]),
        ("COPY a /\nRUN x", "COPY --chown=1 a /\nRUN x", ["x"]),
        ("RUN --network=none x", "RUN x", ["x"]),
        ("RUN --mount=type=bind,source=a,target=/m x", "RUN --mount=type=bind,source=b,target=/m x", ["x"]),
        ("RUN --mount=type=cache,target=/c x", "RUN --mount=type=cache,target=/d x", ["x"]),
        ("# a comment\nRUN x", "RUN  x", []),
        ("RUN <<E\nx\nE", "RUN <<E\ny\nE", ["y\n"]),
        ("COPY <<E /f\nx\nE\nRUN x", "COPY <<E /f\ny\nE\nRUN x", ["x"]),
    ],
)
async def test_a_change_runs_what_it_touches_and_no_more(
    bench: Bench, before: str, after: str, again: list[str]
) -> None:
    await bench.build(f"FROM base\n{before}")
    count = len(bench.ran)
    await bench.build(f"FROM base\n{after}")
    assert bench.ran[count:] == again


async def test_a_change_of_the_context_is_seen(bench: Bench) -> None:
    dockerfile = "FROM base\nCOPY a /x\nRUN x"
    await bench.build(dockerfile)
    bench.files.context["b"] = b"other"
    await bench.build(dockerfile)
    assert bench.ran == ["x"]
    bench.files.context["a"] = b"other"
    await bench.build(dockerfile)
    assert bench.ran == ["x", "x"]


async def test_a_layer_that_is_gone_is_made_again(bench: Bench) -> None:
    await bench.build("FROM base\nRUN x")
    for step in bench.cache.steps():
        del bench.layers.known[step.layer]
    await bench.build("FROM base\nRUN x")
    assert bench.ran == ["x", "x"]


async def test_arguments_that_no_arg_asks_for_are_named_without_a_value_too(bench: Bench) -> None:
    valueless = frozenset({"NOTHING", "KNOWN"})
    await bench.build("FROM base\nARG KNOWN\nRUN x", arguments={"UNUSED": "1"}, valueless=valueless)
    assert "One or more build-args [NOTHING UNUSED] were not consumed" in bench.text


async def test_proxies_reach_commands_and_no_key(bench: Bench) -> None:
    await bench.build("FROM base\nRUN x", arguments={"http_proxy": "p1", "UNUSED": "1"})
    assert "http_proxy=p1" in bench.workshop.orders[0].env
    assert "One or more build-args [UNUSED] were not consumed" in bench.text
    image = await bench.build("FROM base\nRUN x", arguments={"http_proxy": "p2"})
    assert bench.ran == ["x"]
    assert "proxy" not in str(image.history)


async def test_what_asked_outside_ages(bench: Bench) -> None:
    dockerfile = "FROM base\nRUN apt-get update && apt-get install -y x\nRUN make"
    await bench.build(dockerfile)
    bench.clock.time += 30 * HOUR
    await bench.build(dockerfile)
    assert "made 30h ago; it asked outside (apt-get update, apt-get install), and no age is too old" in bench.text
    await bench.build(dockerfile, arguments={"ZONEHOST_FRESH": "48h"})
    assert len(bench.ran) == 2
    await bench.build(dockerfile, arguments={"ZONEHOST_FRESH": "24h"})
    assert "Not using cache: made 30h ago; it asked outside" in bench.text
    assert len(bench.ran) == 4, "what stands on it is made again too"
    bench.work.fresh = HOUR
    bench.clock.time += 2 * HOUR
    await bench.build(dockerfile, arguments={"ZONEHOST_FRESH": "forever"})
    assert len(bench.ran) == 4
    await bench.build(dockerfile.replace("RUN apt", "# zonehost: fresh=7d\nRUN apt"))
    assert len(bench.ran) == 4
    await bench.build(dockerfile)
    assert len(bench.ran) == 6


async def test_addresses_that_a_command_spoke_to_make_it_age(bench: Bench) -> None:
    bench.workshop.addresses = ("192.0.2.1:443",)
    await bench.build("FROM base\nRUN ./fetch")
    bench.clock.time += 3 * HOUR
    await bench.build("FROM base\nRUN ./fetch", arguments={"ZONEHOST_FRESH": "1h"})
    assert bench.ran == ["./fetch", "./fetch"]
    assert "192.0.2.1:443" in bench.text


async def test_a_bound_on_the_base_pulls(bench: Bench) -> None:
    await bench.build("# zonehost: fresh=1h\nFROM base\nRUN x")
    assert bench.workshop.pulled == [("base", False), ("base", True)]
    await bench.build("FROM base\nRUN x", pull=True)
    assert bench.workshop.pulled[-1] == ("base", True)


async def test_stages_wait_for_what_they_read_and_else_run_at_once(bench: Bench) -> None:
    running: set[str] = set()
    most: list[int] = []

    async def work(order: RunOrder, output: Output) -> int:
        running.add(order.args[-1])
        for _ in range(20):
            await asyncio.sleep(0)
        most.append(len(running))
        running.discard(order.args[-1])
        await output(f"did {order.args[-1]}\n".encode())
        return 0

    bench.workshop.command = work
    dockerfile = """
        FROM base AS one
        RUN a
        FROM base AS two
        RUN b
        FROM base
        COPY --from=one /x /x
        COPY --from=two /y /y
        RUN --mount=from=one,target=/m c
        FROM base AS unused
        RUN never
    """
    await bench.build(dockerfile, target="2")
    assert max(most) == 2
    assert bench.ran[-1] == "c"
    assert "never" not in bench.ran
    text = bench.text
    assert text.index("RUN a") < text.index("did a") < text.index("RUN b") < text.index("did b") < text.index("did c")
    assert bench.workshop.orders[-1].trees[0].destination == "/m"


async def test_a_stage_on_a_stage(bench: Bench) -> None:
    image = await bench.build("FROM base AS one\nARG A=1\nENV B=2\nRUN x\nFROM one\nRUN echo $A")
    assert image.run.env is not None
    assert "B=2" in image.run.env
    assert len(image.rootfs.diff_ids or ()) == 3
    assert not any(variable.startswith("A=") for variable in bench.workshop.orders[1].env)


async def test_triggers_of_a_stage(bench: Bench) -> None:
    dockerfile = (
        "FROM base AS one\nONBUILD RUN triggered\nONBUILD ENV A=1\nFROM one AS two\nRUN after\nFROM two\nRUN end"
    )
    built = await bench.build(dockerfile)
    assert "# Executing 2 build triggers" in bench.text
    assert bench.ran == ["triggered", "after", "end"]
    assert built.run.env is not None and "A=1" in built.run.env
    assert built.run.on_build is None


async def test_triggers_of_a_base_image(bench: Bench) -> None:
    await bench.build("FROM base\nONBUILD ARG A=1\nONBUILD RUN triggered $A\nONBUILD COPY a /x")
    made = bench.workshop.published[-1]
    image = await bench.build("FROM scratch\nCOPY a /\n")
    assert image.run.on_build is None
    bench.workshop.add_image("parent", read_image_config(made.config))
    image = await bench.build("FROM parent\nRUN after")
    assert "# Executing 3 build triggers" in bench.text
    assert bench.ran[-2:] == ["triggered $A", "after"]
    assert image.run.on_build is None


async def test_a_command_that_fails(bench: Bench) -> None:
    async def fail(order: RunOrder, output: Output) -> int:
        return 3

    bench.workshop.command = fail
    with pytest.raises(CommandFailed) as caught:
        await bench.build("FROM base\n\nRUN exit 3\nRUN never")
    assert caught.value.code == 3
    assert str(caught.value).splitlines() == [
        "The command '/bin/sh -c exit 3' returned a non-zero code: 3",
        " 2 | ",
        " 3 | RUN exit 3",
        "   | ^",
        " 4 | RUN never",
    ]
    assert bench.workshop.published == []
    bench.workshop.command = None
    await bench.build("FROM base\n\nRUN exit 3\nRUN never")
    assert bench.ran == ["exit 3", "exit 3", "never"], "what failed is not in the cache"


async def test_a_failing_stage_stops_the_others(bench: Bench) -> None:
    ended: list[str] = []

    async def work(order: RunOrder, output: Output) -> int:
        if order.args[-1] == "bad":
            return 1
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("long")
        return 0

    bench.workshop.command = work
    with pytest.raises(CommandFailed):
        await bench.build(
            "FROM base AS a\nRUN long\nFROM base AS b\nRUN bad\nFROM base\nCOPY --from=a / /\nCOPY --from=b / /"
        )
    assert ended == ["long"]


async def test_a_build_that_is_cancelled_leaves_nothing(bench: Bench) -> None:
    began = asyncio.Event()
    ended: list[bool] = []

    async def work(order: RunOrder, output: Output) -> int:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)
        return 0

    bench.workshop.command = work
    task = asyncio.create_task(bench.build("FROM base\nRUN x"))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert bench.files.left == set()


async def test_urls_are_asked_and_checked(bench: Bench) -> None:
    bench.files.urls["http://x/f.tar"] = b"one"
    await bench.build("FROM base\nADD http://x/f.tar /d/\nRUN x")
    await bench.build("FROM base\nADD http://x/f.tar /d/\nRUN x")
    assert bench.ran == ["x"]
    bench.files.urls["http://x/f.tar"] = b"two"
    await bench.build("FROM base\nADD http://x/f.tar /d/\nRUN x")
    assert bench.ran == ["x", "x"]
    good = "sha256:3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"
    await bench.build(f"FROM base\nADD --checksum={good} http://x/f.tar /d/")
    count = len(bench.files.fetched)
    await bench.build(f"FROM base\nADD --checksum={good} http://x/f.tar /d/")
    assert len(bench.files.fetched) == count, "a checksum says enough"
    with pytest.raises(InvalidParameter, match="digest mismatch for http://x/f"):
        await bench.build(f"FROM base\nADD --checksum={good.replace('3f', '00')} http://x/f.tar /d/")


async def test_an_epoch_gives_the_same_image_everywhere(bench: Bench) -> None:
    other = Bench(a=b"1", b=b"2")
    other.clock.time += 99 * HOUR
    arguments = {"SOURCE_DATE_EPOCH": "1700000000"}
    first = await bench.build("FROM base\nCOPY a /\nENV X=1", arguments=arguments)
    second = await other.build("FROM base\nCOPY a /\nENV X=1", arguments=arguments)
    assert bench.workshop.published[-1].config == other.workshop.published[-1].config
    assert first.created == second.created == "2023-11-14T22:13:20.000000000Z"


async def test_mounts_of_commands(bench: Bench) -> None:
    await bench.build(
        "FROM base\nARG T=/t\nRUN --mount=type=cache,id=i,target=/c --mount=source=a,target=m"
        " --mount=type=tmpfs,target=$T,size=1m --mount=type=secret,id=s cmd"
    )
    order = bench.workshop.orders[0]
    assert [(bind.source, bind.destination, bind.readonly) for bind in order.binds] == [
        ("/context/a", "/m", True),
        ("/cache/i", "/c", False),
    ]
    assert order.tmpfs == {"/t": "size=1048576"}


async def test_a_context_at_an_address(bench: Bench) -> None:
    bench.files.urls["https://h/c.tar"] = b"archive"
    image = await bench.build("FROM base\nCOPY a /x", remote="https://h/c.tar")
    assert image.rootfs.diff_ids
    assert bench.files.fetched == ["https://h/c.tar"]
    (noted,) = bench.cache.notes.values()
    assert [url.url for url in noted.urls] == ["https://h/c.tar"], "so that `stale` can ask for it again"


async def test_mounts_that_a_command_may_write_to(bench: Bench) -> None:
    dockerfile = (
        "FROM base AS low\nRUN low\nFROM base\nRUN --mount=source=a,target=/m,rw"
        " --mount=type=cache,from=low,source=/x,target=/c cmd"
    )
    await bench.build(dockerfile)
    assert [(bind.source, bind.destination, bind.readonly) for bind in bench.workshop.orders[-1].binds] == [
        ("/laid-out/1/copy", "/m", False),
        ("/cache/begun-/c", "/c", False),
    ]
    bench.files.context["a"] = b"other"
    await bench.build(dockerfile)
    assert bench.ran == ["low", "cmd", "cmd"]


async def test_scripts_in_here_documents(bench: Bench) -> None:
    await bench.build("FROM base\nRUN <<E\n#!/usr/bin/python3\nprint(1)\nE\nRUN python3 - <<E\nprint(2)\nE")
    script, piped = bench.workshop.orders
    assert script.args == ("/dev/pipes/E",)
    assert script.binds[0].destination == "/dev/pipes/E"
    assert bench.files.written == [b"#!/usr/bin/python3\nprint(1)\n"]
    assert piped.args == ("/bin/sh", "-c", "python3 - <<E\nprint(2)\nE")


@pytest.mark.parametrize(
    ("dockerfile", "request_", "error", "reason"),
    [
        ("", {}, InvalidParameter, "cannot be empty"),
        ("FROM base\n#" + "x" * (2 << 20), {}, InvalidParameter, "larger than 2097152 bytes"),
        ("FROM base", {"dockerfile": "Other"}, InvalidParameter, "Cannot locate specified Dockerfile: Other"),
        ("FROM nope", {}, NotFound, "no such image: nope"),
        ("FROM scratch", {}, InvalidParameter, "No image was generated"),
        ("FROM base\nRUN x", {"target": "none"}, InvalidParameter, 'target stage "none" could not be found'),
        ("FROM base\nRUN x", {"platform": "a/b/c/d"}, InvalidParameter, "cannot parse platform specifier"),
        ("FROM base\nCOPY nope /x", {}, InvalidParameter, "line 2|nope"),
        ("FROM base\nCOPY a b /x", {}, InvalidParameter, "line 2: When using COPY with more than one source file"),
        ("FROM base\nRUN --mount=type=secret,id=s,required x", {}, InvalidParameter, "secret s: not found"),
        ("FROM base\nRUN --network=host x", {}, InvalidParameter, "RUN --network=host is not allowed"),
        ("FROM base\nRUN --security=insecure x", {}, InvalidParameter, "is not allowed"),
        ("FROM base\nADD --checksum=sha256:1 https://x/y /", {}, InvalidParameter, "is not sha256: and 64 digits"),
        ("FROM base\nADD --checksum=sha256:1 a /x", {}, InvalidParameter, "for local sources"),
        ("FROM base\nADD https://x/y.git /x", {}, Unavailable, "git repository https://x/y.git"),
        ("FROM base\nADD --checksum=x https://x/y.git /x", {}, InvalidParameter, "invalid checksum 'x'"),
        ("FROM base\nADD https://x/y.git?z=1 /x", {}, InvalidParameter, 'unexpected query "z"'),
        ("FROM base\nENV A=\nVOLUME /b $A", {}, InvalidParameter, "VOLUME specified can not be an empty string"),
        ("FROM base\nENV A=${B?none}", {}, InvalidParameter, "line 2: B: none"),
        ("FROM base\nCOPY --from=7 a /x", {}, InvalidParameter, "invalid from flag value 7"),
        ("FROM base\n# zonehost: fresh=soon\nRUN x", {}, InvalidParameter, "is no duration"),
        ("FROM base\nRUN x", {"arguments": {"ZONEHOST_FRESH": "soon"}}, InvalidParameter, "is no duration"),
        ("FROM base\nRUN x", {"arguments": {"SOURCE_DATE_EPOCH": "soon"}}, InvalidParameter, "SOURCE_DATE_EPOCH"),
        ("FROM base\nCOPY --chmod=9 a /x", {}, InvalidParameter, "invalid chmod parameter"),
    ],
)
async def test_mistakes(
    bench: Bench, dockerfile: str, request_: dict[str, Any], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error) as caught:
        await bench.build(dockerfile, **request_)
    assert any(part in str(caught.value) for part in reason.split("|"))


async def test_a_dockerfile_may_be_called_in_small_letters(bench: Bench) -> None:
    await bench.build("FROM base\nCOPY a /x", called="dockerfile")
    assert "COPY a /x" in bench.text
    with pytest.raises(InvalidParameter, match="Cannot locate specified Dockerfile: Other"):
        await bench.build("FROM base", called="other", dockerfile="Other")


async def test_an_image_carries_its_steps(bench: Bench) -> None:
    dockerfile = "FROM base\nRUN apt-get update\nCOPY a /x\nRUN make"
    image = await bench.build(dockerfile)
    other = Bench(a=b"1", b=b"2")
    for layer in image.rootfs.diff_ids or ():
        other.layers.add(layer)
    made = other.clock.time - HOUR
    other.workshop.known["came"] = Base("sha256:1", image, image.rootfs.diff_ids or (), made)
    await other.build(dockerfile, cache_from=("came", "not-here"))
    assert other.ran == []
    assert other.text.count("Using cache") == 3
    assert "it asked outside (apt-get update)" in other.text
    await other.build(dockerfile, arguments={"ZONEHOST_FRESH": "0s"})
    assert other.ran == ["apt-get update"], "it made the same as before, so what stands on it need not be done again"


async def test_others_have_their_turn_while_a_large_dockerfile_is_read() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    bench = Bench()
    bench.files.context["Dockerfile"] = b"FROM base\n" * 50_000 + b"NONSENSE"
    waiting = asyncio.create_task(others())
    with pytest.raises(InvalidParameter, match="unknown instruction: NONSENSE"):
        await ImageBuilder(bench.work).prepare(BuildRequest(), nothing())
    waiting.cancel()
    assert turns > 20
