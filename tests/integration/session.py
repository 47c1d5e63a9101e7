"""Sessions: shell transcripts that are run again and held against what they say.

Owns the format and the comparison. Knows nothing of zonehost; `python -m tests.integration.session FILE...` runs
transcripts against whatever DOCKER_HOST names, a real Docker too.

A line `$ command` is run by sh; the lines under it are what it must print: `! text` on standard error, `[exit N]` its
status where that is not 0, all else on standard output. In these lines `...` stands for any text, a line of `...` alone
for any number of lines, `<id>` for 64 hex digits, `<id12>` for 12, `<blank>` for an empty line. Lines that begin with
`# ` before a command are remarks.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 120
WILD = {"...": ".*", "<id>": "[0-9a-f]{64}", "<id12>": "[0-9a-f]{12}", "<blank>": ""}


@dataclass(slots=True)
class Step:
    """One command of a transcript and what it must do."""

    line: int
    command: str
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    status: int = 0


def parse(text: str) -> list[Step]:
    """The steps of a transcript. Raises ValueError for output before the first command."""
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("$ "):
            steps.append(Step(number, line[2:]))
        elif line.startswith("# ") or not line.strip():
            continue
        elif not steps:
            raise ValueError(f"line {number}: output before the first command")
        elif status := re.fullmatch(r"\[exit (\d+)\]", line):
            steps[-1].status = int(status[1])
        elif line.startswith("! "):
            steps[-1].err.append(line[2:])
        else:
            steps[-1].out.append(line)
    return steps


def invocations(steps: list[Step]) -> int:
    """How many times the steps call `docker`."""
    return sum(len(re.findall(r"\bdocker (?=[a-z-])", step.command)) for step in steps)


def matches(expected: list[str], text: str) -> bool:
    """Whether `text` is what the lines of a transcript allow."""
    pattern = ""
    for line in expected:
        if line == "...":
            pattern += r"(?:.*\n)*?"
            continue
        parts = re.split("(" + "|".join(map(re.escape, WILD)) + ")", line)
        pattern += "".join(WILD.get(part, re.escape(part)) for part in parts) + r"\n"
    ended = text if text.endswith("\n") or not text else text + "\n"
    return re.fullmatch(pattern, ended) is not None


def run(steps: list[Step], environment: Mapping[str, str], folder: Path) -> list[str]:
    """Run the steps one after the other in `folder`; a text for each one that did not do what it must."""
    failures = []
    for step in steps:
        done = subprocess.run(
            ["sh", "-c", step.command],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
        )
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if done.returncode != step.status or not matches(step.out, out) or not matches(step.err, err):
            wanted = _printed(step.out, step.err, step.status)
            got = _printed(out.splitlines(), err.splitlines(), done.returncode)
            failures.append(f"line {step.line}: $ {step.command}\n--- wanted\n{wanted}\n--- got\n{got}")
    return failures


def _printed(out: list[str], err: list[str], status: int) -> str:
    return "\n".join([*out, *(f"! {line}" for line in err), f"[exit {status}]"])


if __name__ == "__main__":
    failed = 0
    for name in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            found = run(parse(Path(name).read_text()), os.environ, Path(scratch))
        failed += len(found)
        print(f"{name}: {len(found)} failures", *found, sep="\n")
    sys.exit(failed > 0)
