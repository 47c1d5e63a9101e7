"""`docker top`: the host's ps(1), its output cut down to one zone's processes (moby, daemon/top_unix.go)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from zonehost.errors import InvalidParameter, SystemFailure
from zonehost.ports.runtime import ProcessTable

_RENAMED: Final = re.compile(r"\s+(\S*)=\s*(PID\S*)")


def check_arguments(ps_args: str) -> list[str]:
    """The words of `ps_args`.

    Raises:
        InvalidParameter: another column would be called PID.
    """
    for renamed in _RENAMED.finditer(ps_args):
        if renamed[1] != "pid":
            raise InvalidParameter(f'specifying "{renamed[1]}={renamed[2]}" is not allowed')
    return ps_args.split()


def of_these(words: Sequence[str], pids: Collection[int]) -> list[str]:
    """The words by which ps looks at these processes alone, in their order; it refuses some others beside -q.

    `-e` and `aux` ask for all there are, which are these.
    """
    kept = (f"-{word[2:]}" if word.startswith("-e") else "u" if word == "aux" else word for word in words)
    return [*(word for word in kept if word != "-"), "-q" + ",".join(map(str, sorted(pids)))]


def cut_down(output: str, pids: Collection[int]) -> ProcessTable:
    """The titles, and the rows of these processes; the last column may hold spaces.

    Raises:
        SystemFailure: the output has no PID column.
    """
    first, *lines = output.splitlines() or [""]
    titles = first.split()
    if "PID" not in titles:
        raise SystemFailure("Couldn't find PID field in ps output")
    column = titles.index("PID")
    rows: list[Sequence[str]] = []
    kept = False
    for line in lines:
        fields = line.split(None, len(titles) - 1)
        if len(fields) <= column:
            continue
        if fields[column] == "-":  # a thread, below its process
            keep = kept
        elif fields[column].isdigit():
            keep = kept = int(fields[column]) in pids
        else:
            raise SystemFailure(f"Unexpected pid '{fields[column]}'")
        if keep:
            rows.append([field.rstrip() for field in fields])
    return ProcessTable(tuple(titles), tuple(map(tuple, rows)))
