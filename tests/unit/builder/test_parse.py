"""Reading Dockerfiles: lines, here-documents, each instruction's grammar, and how mistakes are told."""

from __future__ import annotations

from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonehost.builder import instructions as ins
from zonehost.builder.faults import DockerfileError
from zonehost.builder.parse import parse, parse_trigger
from zonehost.domain.config import Healthcheck
from zonehost.errors import InvalidParameter

T = TypeVar("T", bound=ins.Instruction)


def only(kind: type[T], text: str) -> T:
    stage = parse(f"FROM scratch\n{text}".encode()).stages[0]
    assert len(stage.instructions) == 1
    found = stage.instructions[0]
    assert isinstance(found, kind)
    return found


def fault(text: str) -> str:
    with pytest.raises(InvalidParameter) as caught:
        parse(text.encode())
    return str(caught.value)


def test_continues_lines_over_comments_and_blanks() -> None:
    run = only(ins.Run, "RUN one \\\n# a comment\n\n   # another\n  two \\  \n three")
    assert run.command == ins.CommandLine(("one   two  three",), True)


def test_an_escaped_escape_does_not_continue() -> None:
    stage = parse(b"FROM scratch\nRUN a\\\\\nRUN b").stages[0]
    assert [run.command.words[0] for run in stage.instructions if isinstance(run, ins.Run)] == ["a\\\\", "b"]


def test_the_escape_directive_changes_continuation_and_escapes() -> None:
    found = parse(b"# syntax=docker/dockerfile:1\n# escape=`\nFROM scratch\nENV a=C:\\x` y b=2\nRUN dir `\n c:\\")
    assert found.source.escape == "`"
    env, run = found.stages[0].instructions
    assert isinstance(env, ins.Env)
    assert env.pairs == (("a", "C:\\x` y"), ("b", "2"))
    assert isinstance(run, ins.Run)
    assert run.command.words == ("dir  c:\\",)


def test_a_directive_after_a_comment_is_a_comment() -> None:
    assert parse(b"# hello\n# escape=`\nFROM scratch").source.escape == "\\"


def test_instructions_and_as_have_no_case() -> None:
    found = parse(b'\xef\xbb\xbf  from busybox aS Base\r\n  cMd ["a"]\r\n')
    assert found.stages[0].start.name == "base"
    assert found.stages[0].start.base == "busybox"


def test_arguments_before_the_first_stage() -> None:
    found = parse(b"ARG A=1 B\nFROM x:$A\nARG A\n")
    assert found.arguments[0].arguments == (("A", "1"), ("B", None))


@pytest.mark.parametrize(
    ("text", "words", "shell"),
    [
        ('CMD ["a", "b c"]', ("a", "b c"), False),
        ("CMD a b", ("a b",), True),
        ("CMD ['a']", ("['a']",), True),
        ("CMD []", (), False),
        ("CMD", (), True),
        ('CMD ["a"] && x', ('["a"] && x',), True),
    ],
)
def test_json_and_shell_forms(text: str, words: tuple[str, ...], shell: bool) -> None:
    assert only(ins.Cmd, text).command == ins.CommandLine(words, shell)


def test_flags_of_run() -> None:
    run = only(ins.Run, "RUN --mount=type=cache,target=/a --mount=type=tmpfs,target=/b --network=none  make all")
    assert run.mounts == ("type=cache,target=/a", "type=tmpfs,target=/b")
    assert (run.network, run.command.words) == ("none", ("make all",))


def test_flags_end_at_a_double_dash() -> None:
    assert only(ins.Run, "RUN -- --not-a-flag").command.words == ("--not-a-flag",)


def test_copy_and_add() -> None:
    text = "COPY --from=base --chown=a:b --chmod=0755 --link --parents --exclude=*.o --exclude=x a b /dst/"
    copy = only(ins.Copy, text)
    assert copy.origin == "base"
    assert copy.transfer.sources == ("a", "b")
    assert copy.transfer.exclude == ("*.o", "x")
    assert copy.transfer.link
    assert copy.transfer.parents
    add = only(ins.Add, 'ADD --checksum=sha256:00 --unpack=false ["a b", "/d d/"]')
    assert add.transfer.sources == ("a b",)
    assert (add.transfer.destination, add.unpack, add.checksum) == ("/d d/", False, "sha256:00")


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("ENV a=1 b='x y' c=\"p q\" d=e\\ f", (("a", "1"), ("b", "'x y'"), ("c", '"p q"'), ("d", "e\\ f"))),
        ("ENV a  b c", (("a", "b c"),)),
        ("ENV a=", (("a", ""),)),
    ],
)
def test_pairs(text: str, pairs: tuple[tuple[str, str], ...]) -> None:
    assert only(ins.Env, text).pairs == pairs


def test_healthcheck() -> None:
    check = only(ins.HealthCheck, "HEALTHCHECK --interval=1m30s --retries=3 --start-interval=1.5s CMD curl -f x").check
    assert check == Healthcheck(
        test=("CMD-SHELL", "curl -f x"), interval=90 * 10**9, retries=3, start_interval=1_500_000_000
    )
    assert only(ins.HealthCheck, 'HEALTHCHECK\tcmd\t["a", "b"]').check.test == ("CMD", "a", "b")
    assert only(ins.HealthCheck, "HEALTHCHECK NONE").check.test == ("NONE",)


def test_here_documents() -> None:
    run = only(ins.Run, "RUN <<EOF\necho $a\n# kept\n\nEOF")
    assert run.command.words == ("<<EOF",)
    assert run.heredocs[0].content == "echo $a\n# kept\n\n"
    assert run.heredocs[0].expand
    copy = only(ins.Copy, "COPY <<-'A' <<B x /d/\n\tone\n\tA\ntwo\nB")
    assert copy.transfer.sources == ("x",)
    first, second = copy.transfer.contents
    assert (first.text, first.expand) == ("one\n", False)
    assert (second.text, second.expand) == ("two\n", True)


@pytest.mark.parametrize(
    "text", ["RUN echo $((1<<2))", 'RUN ["cat", "<<EOF"]', "RUN cat <<<word", "RUN echo 'it <<EOF", "CMD <<EOF"]
)
def test_no_here_documents(text: str) -> None:
    assert only(ins.Instruction, text).statement.heredocs == ()


def test_onbuild_keeps_its_text_with_here_documents() -> None:
    found = only(ins.OnBuild, "ONBUILD  RUN cat <<EOF\nhello\nEOF")
    assert found.trigger == "RUN cat <<EOF\nhello\nEOF"
    again = parse_trigger(found.trigger)
    assert isinstance(again, ins.Run)
    assert again.heredocs[0].content == "hello\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "file with no instructions"),
        ("# only\n", "file with no instructions"),
        ("RUN x\nFROM a", "line 1: no build stage in current context"),
        ("ARG a", "has no FROM"),
        ("FROM a\nRUNN x", "line 2: unknown instruction: RUNN (did you mean RUN?)"),
        ("FROM", "FROM requires either one or three arguments"),
        ("FROM a AS 1x", "invalid name for build stage"),
        ("FROM a\nCOPY --chwon=x a b", "unknown flag: --chwon (did you mean --chown?)"),
        ("FROM a\nCOPY --from a b", "missing a value on flag: --from"),
        ("FROM a\nCOPY --link=maybe a b", "expecting boolean value for flag --link, not: maybe"),
        ("FROM a\nRUN --network=none --network=host x", "duplicate flag specified: --network"),
        ("FROM a\nCOPY a", "COPY requires at least two arguments"),
        ("FROM a\nENV a", "ENV must have two arguments"),
        ("FROM a\nENV a=1 b", 'can\'t find = in "b"'),
        ("FROM a\nENV =1", "ENV names can not be blank"),
        ('FROM a\nCMD ["a", 1]', "arrays must be comprised of strings only"),
        ("FROM a\nSHELL bash -c", "SHELL requires the arguments to be in JSON form"),
        ("FROM a\nONBUILD ONBUILD RUN x", "Chaining ONBUILD"),
        ("FROM a\nONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("FROM a\nONBUILD RUNN x", "unknown instruction: RUNN"),
        ("FROM a\nHEALTHCHECK --interval=1 CMD x", "invalid duration"),
        ("FROM a\nHEALTHCHECK --interval=1us CMD x", "cannot be less than 1ms"),
        ("FROM a\nHEALTHCHECK FOO", 'Unknown type "FOO"'),
        ("FROM a\nHEALTHCHECK NONE x", "HEALTHCHECK NONE takes no arguments"),
        ("FROM a\nHEALTHCHECK CMD", "Missing command after HEALTHCHECK CMD"),
        ("FROM a\nRUN <<EOF\nx", "line 2: unterminated heredoc EOF"),
        ("FROM a\nCOPY a <<EOF\nx\nEOF", "COPY cannot accept a heredoc as a destination"),
        ("# escape=x\nFROM a", "invalid escape token 'x'"),
        ("# escape=`\n# escape=`\nFROM a", "only one escape parser directive"),
        ("FROM a\nVOLUME", "VOLUME requires at least one argument"),
        ("FROM a\nUSER", "USER requires exactly one argument"),
        ("FROM a\nRUN --network=bad x", "invalid network mode: bad"),
    ],
)
def test_mistakes(text: str, reason: str) -> None:
    assert reason in fault(text)


def test_a_mistake_shows_its_line_with_a_caret() -> None:
    message = fault("FROM a\nCOPY x \\\n  --y \\\n\t z\nRUN --netwrok=none x\n")
    assert message.splitlines() == [
        "dockerfile parse error on line 5: unknown flag: --netwrok (did you mean --network?)",
        " 4 | \t z",
        " 5 | RUN --netwrok=none x",
        "   |     ^",
    ]


def test_a_caret_finds_its_place_on_a_continued_line() -> None:
    with pytest.raises(DockerfileError) as caught:
        parse(b"FROM a\nCOPY --link \\\n   --bad=1 \\\n   a b")
    assert (caught.value.line, caught.value.column) == (3, 3)


@given(st.text(alphabet="FROMRUNCPYEV abc=\"'\\$<-[]{}\n#,\t", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(f"FROM scratch\n{text}".encode())
    except InvalidParameter:
        return


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        parse(data)
    except InvalidParameter:
        return


def test_lists_in_lists_without_end_are_a_shell_command() -> None:
    lists = "[" * 100_000
    assert only(ins.Run, f"RUN {lists}").command == ins.CommandLine((lists,), True)
