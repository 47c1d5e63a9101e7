"""Arguments in their scopes, and stages as a graph."""

from __future__ import annotations

import pytest

from zonehost.builder.graph import Graph, draw_graph
from zonehost.builder.parse import parse
from zonehost.builder.scope import global_arguments, platform_arguments
from zonehost.domain.platform import Platform
from zonehost.errors import InvalidParameter

HOST = Platform("linux", "amd64")


def graph(text: str, target: str = "", platform: Platform = HOST, **given: str) -> Graph:
    dockerfile = parse(text.encode())
    platforms = platform_arguments(platform, HOST)
    arguments = global_arguments(dockerfile.arguments, given=given, platforms=platforms, escape="\\")
    return draw_graph(dockerfile, arguments=arguments, target=target, platform=platform, host=HOST)


def test_global_arguments_name_bases() -> None:
    text = "ARG V=1 \nARG IMAGE=app:${V}\nFROM ${IMAGE}\n"
    assert graph(text).stages[0].base == "app:1"
    assert graph(text, V="2").stages[0].base == "app:2"
    assert graph(text, IMAGE="other").stages[0].base == "other"


def test_only_what_the_target_needs() -> None:
    text = """
        FROM a AS one
        FROM b AS two
        FROM one AS three
        COPY --from=two /x /y
        FROM d AS four
        RUN --mount=from=three,target=/m true
        FROM unused
    """
    found = graph(text, "four")
    assert [stage.base for stage in found.stages] == ["a", "b", 0, "d", "unused"]
    assert found.needed == {0, 1, 2, 3}
    assert found.stages[2].needs == {0, 1}
    assert graph(text).needed == {4}
    assert graph(text, "TWO").target == 1
    assert graph(text, "1").target == 1


def test_a_stage_may_read_a_later_one_but_not_in_a_circle() -> None:
    assert graph("FROM a AS x\nCOPY --from=y /f /\nFROM b AS y", "x").needed == {0, 1}
    with pytest.raises(InvalidParameter, match="line 3: circular dependency detected on stage: y"):
        graph("FROM a AS x\nCOPY --from=y /f /\nFROM x AS y")


def test_a_later_stage_of_the_same_name_hides_the_earlier() -> None:
    found = graph("FROM a AS x\nFROM b AS x\nFROM x")
    assert found.stages[2].base == 1


def test_platforms() -> None:
    text = "FROM --platform=$BUILDPLATFORM a AS tools\nFROM b\nFROM tools\nFROM --platform=linux/arm64 c"
    found = graph(text, platform=Platform("linux", "riscv64"))
    assert [str(stage.platform) for stage in found.stages] == [
        "linux/amd64",
        "linux/riscv64",
        "linux/amd64",
        "linux/arm64",
    ]


@pytest.mark.parametrize(
    ("text", "target", "reason"),
    [
        ("FROM $NOPE", "", "line 1: base name ($NOPE) should not be blank"),
        ("FROM ${X?say}", "", "X: say"),
        ("FROM a AS build", "biuld", 'target stage "biuld" could not be found (did you mean build?)'),
        ("FROM a", "7", "could not be found"),
        ("FROM --platform=$NOPE a", "", "empty platform value from expression $NOPE"),
        ("FROM --platform=a/b/c/d a", "", "cannot parse platform specifier"),
        ("FROM a\nRUN --mount=from=$X,target=/a y", "", "line 2: 'from' doesn't support variable expansion"),
    ],
)
def test_mistakes(text: str, target: str, reason: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        graph(text, target)
    assert reason in str(caught.value)


def test_stages_may_stand_on_each_other_by_thousands() -> None:
    chain = "".join(f"FROM s{number} AS s{number + 1}\n" for number in range(3000))
    assert graph("FROM scratch AS s0\n" + chain).needed == set(range(3001))


def test_a_stage_of_thousands_of_digits_is_no_stage() -> None:
    assert graph(f"FROM scratch\nCOPY --from={'9' * 5000} a b\n").needed == {0}
