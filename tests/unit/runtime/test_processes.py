"""`docker top`: the output of ps, cut down."""

from __future__ import annotations

import pytest

from zonehost.drivers.runtime.processes import check_arguments, cut_down, of_these
from zonehost.errors import InvalidParameter, SystemFailure

_OUTPUT = """UID   PID  CMD
root    1  init with  two spaces
root   20  sh -c sleep
root   21  sleep 100
"""


def test_only_the_zones_processes_are_kept() -> None:
    table = cut_down(_OUTPUT, {20, 1})
    assert table.titles == ("UID", "PID", "CMD")
    assert table.rows == (("root", "1", "init with  two spaces"), ("root", "20", "sh -c sleep"))


def test_threads_follow_their_process() -> None:
    table = cut_down("PID LWP CMD\n1 - a\n- 1 -\n2 - b\n- 2 -\n", {2})
    assert table.rows == (("2", "-", "b"), ("-", "2", "-"))


def test_output_without_a_pid_is_refused() -> None:
    with pytest.raises(SystemFailure, match="Couldn't find PID field in ps output"):
        cut_down("UID CMD\nroot init\n", {1})


@pytest.mark.parametrize("arguments", ["-o uid=PID", "-o pid,  ppid=PID"])
def test_no_other_column_may_be_called_pid(arguments: str) -> None:
    with pytest.raises(InvalidParameter, match="is not allowed"):
        check_arguments(arguments)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["-ef"], ["-f", "-q1,9,20"]),
        (["-e", "-o", "pid"], ["-o", "pid", "-q1,9,20"]),
        (["-eo", "pid,comm"], ["-o", "pid,comm", "-q1,9,20"]),
        (["aux"], ["u", "-q1,9,20"]),
        (["axo", "pid"], ["axo", "pid", "-q1,9,20"]),
        ([], ["-q1,9,20"]),
    ],
)
def test_ps_looks_at_the_zones_processes_alone(words: list[str], asked: list[str]) -> None:
    assert of_these(words, {20, 9, 1}) == asked


def test_arguments_are_words() -> None:
    assert check_arguments(" -e -o  pid=PID,cmd ") == ["-e", "-o", "pid=PID,cmd"]
