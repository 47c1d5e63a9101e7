"""Transcripts are read and compared as their format says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.session import Step, invocations, matches, parse, run


def test_parses_commands_with_their_output_and_status() -> None:
    steps = parse("# remark\n$ docker ps\nout\n! err\n[exit 3]\n\n$ docker a | docker b\n")
    assert steps == [Step(2, "docker ps", ["out"], ["err"], 3), Step(7, "docker a | docker b")]
    assert invocations(steps) == 3


def test_output_before_a_command_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1"):
        parse("lost\n$ true\n")


@pytest.mark.parametrize(
    ("expected", "text", "answer"),
    [
        ([], "", True),
        ([], "x\n", False),
        (["x"], "x", True),
        (["x"], "x\n", True),
        (["a...z"], "a to z\n", True),
        (["a...z"], "a\nz\n", False),
        (["a", "...", "z"], "a\n1\n2\nz\n", True),
        (["a", "...", "z"], "a\nz\n", True),
        (["a.c"], "abc\n", False),
        (["<id>"], "0" * 64, True),
        (["<id>"], "0" * 63, False),
        (["a", "<blank>", "b"], "a\n\nb\n", True),
    ],
)
def test_matches(expected: list[str], text: str, answer: bool) -> None:
    assert matches(expected, text) is answer


def test_a_step_that_fails_is_shown_with_both_sides(tmp_path: Path) -> None:
    (failure,) = run(parse("$ echo a; echo b >&2; exit 2\nx\n"), os.environ, tmp_path)
    assert failure == "line 1: $ echo a; echo b >&2; exit 2\n--- wanted\nx\n[exit 0]\n--- got\na\n! b\n[exit 2]"


def test_steps_share_a_folder(tmp_path: Path) -> None:
    assert run(parse("$ echo a >f\n$ cat f\na\n"), os.environ, tmp_path) == []
