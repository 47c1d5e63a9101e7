"""From a Dockerfile's bytes to stages of instructions. The grammar of each instruction is `grammar`'s."""

from __future__ import annotations

from dataclasses import dataclass

from zonehost.builder import instructions as ins
from zonehost.builder.faults import SyntaxFault
from zonehost.builder.grammar import read_instruction
from zonehost.builder.lines import SourceText, Statement, read_source


@dataclass(frozen=True, slots=True)
class StageSource:
    """One FROM and the instructions under it."""

    start: ins.From
    instructions: tuple[ins.Instruction, ...]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A whole Dockerfile. `arguments` are the ARGs before the first FROM."""

    source: SourceText
    arguments: tuple[ins.Arg, ...]
    stages: tuple[StageSource, ...]


def parse(data: bytes) -> Dockerfile:
    """Read a Dockerfile. Raises InvalidParameter; a DockerfileError where a line is to blame."""
    source = read_source(data)
    arguments: list[ins.Arg] = []
    stages: list[tuple[ins.From, list[ins.Instruction]]] = []
    for statement in source.statements:
        instruction = parse_statement(statement, source)
        if isinstance(instruction, ins.From):
            stages.append((instruction, []))
        elif stages:
            stages[-1][1].append(instruction)
        elif isinstance(instruction, ins.Arg):
            arguments.append(instruction)
        else:
            raise statement.fault("no build stage in current context", 0, source.text)
    if not stages:
        last = source.statements[-1]
        raise last.fault("no build stage in the file: it has no FROM", 0, source.text)
    return Dockerfile(source, tuple(arguments), tuple(StageSource(start, tuple(rest)) for start, rest in stages))


def parse_statement(statement: Statement, source: SourceText) -> ins.Instruction:
    """One statement as an instruction. Raises DockerfileError."""
    try:
        return read_instruction(statement, source.escape)
    except SyntaxFault as fault:
        raise statement.fault(fault.reason, fault.offset, source.text) from fault


def parse_trigger(text: str) -> ins.Instruction:
    """An ONBUILD trigger of a base image. Raises InvalidParameter."""
    source = read_source(text.encode())
    return parse_statement(source.statements[0], source)
