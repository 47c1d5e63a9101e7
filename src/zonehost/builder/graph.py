"""The stages of a Dockerfile as a graph: which stage stands on which, and which of them a target needs."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from zonehost.builder import instructions as ins
from zonehost.builder.faults import SyntaxFault
from zonehost.builder.mounts import mount_origin
from zonehost.builder.words import Style, expand
from zonehost.domain.platform import parse_platform
from zonehost.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonehost.builder.parse import Dockerfile, StageSource
    from zonehost.domain.platform import Platform

_NUMBER: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `base` is the index of another stage, or the name of an image; `scratch` is a name too.

    `needs` are the indexes of all stages that it reads, its base among them.
    """

    index: int
    name: str
    source: StageSource
    base: int | str
    platform: Platform
    needs: frozenset[int]


@dataclass(frozen=True, slots=True)
class Graph:
    """All stages, the target's index, and the indexes of the stages that it needs, itself among them.

    `named` are the indexes by name: of several stages of one name, the last.
    """

    stages: tuple[Stage, ...]
    named: Mapping[str, int]
    target: int
    needed: frozenset[int]

    def find(self, name: str) -> int | None:
        """The index of a stage by name or number."""
        return _find(name, len(self.stages), self.named)


def draw_graph(
    dockerfile: Dockerfile, *, arguments: Mapping[str, str], target: str, platform: Platform, host: Platform
) -> Graph:
    """The graph of a Dockerfile; `arguments` are the global ones.

    Raises:
        InvalidParameter: a base cannot be named, the target is unknown, or stages need each other in a circle.
    """
    stages: list[Stage] = []
    named: dict[str, int] = {}
    for index, source in enumerate(dockerfile.stages):
        stages.append(_stage(index, source, stages, named, dockerfile, arguments, platform, host))
        if source.start.name:
            named[source.start.name] = index
    found = _find(target, len(stages), named) if target else len(stages) - 1
    if found is None:
        names = [stage.name for stage in stages if stage.name]
        close = difflib.get_close_matches(target.lower(), names, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise InvalidParameter(f'target stage "{target}" could not be found{hint}')
    resolved = tuple(_resolve(stage, len(stages), named, dockerfile) for stage in stages)
    return Graph(resolved, named, found, _reach(resolved, found, dockerfile))


def _stage(
    index: int,
    source: StageSource,
    before: list[Stage],
    named: Mapping[str, int],
    dockerfile: Dockerfile,
    arguments: Mapping[str, str],
    platform: Platform,
    host: Platform,
) -> Stage:
    start = source.start
    style = Style(escape=dockerfile.source.escape)
    try:
        base = expand(start.base, arguments, style).text
        asked = expand(start.platform, arguments, style).text
    except SyntaxFault as fault:
        raise start.statement.fault(fault.reason, None, dockerfile.source.text) from fault
    if not base:
        reason = f"base name ({start.base}) should not be blank"
        raise start.statement.fault(reason, start.statement.text.find(start.base), dockerfile.source.text)
    if start.platform and not asked:
        reason = f"empty platform value from expression {start.platform}"
        raise start.statement.fault(reason, start.statement.text.find(start.platform), dockerfile.source.text)
    # Only an earlier stage can be a base; a later one of the same name leaves the name to an image.
    earlier = named.get(base.lower())
    chosen = parse_platform(asked, host) if asked else platform
    if earlier is not None and not asked:
        chosen = before[earlier].platform
    return Stage(index, start.name, source, base if earlier is None else earlier, chosen, frozenset())


def _resolve(stage: Stage, count: int, named: Mapping[str, int], dockerfile: Dockerfile) -> Stage:
    needs = {stage.base} if isinstance(stage.base, int) else set()
    for origin in _origins(stage.source, dockerfile):
        found = _find(origin, count, named)
        if found is not None:
            needs.add(found)
    return Stage(stage.index, stage.name, stage.source, stage.base, stage.platform, frozenset(needs))


def _origins(source: StageSource, dockerfile: Dockerfile) -> list[str]:
    found: list[str] = []
    for instruction in source.instructions:
        if isinstance(instruction, ins.Copy) and instruction.origin:
            found.append(instruction.origin)
        elif isinstance(instruction, ins.Run):
            try:
                found += filter(None, map(mount_origin, instruction.mounts))
            except SyntaxFault as fault:
                raise instruction.statement.fault(fault.reason, fault.offset, dockerfile.source.text) from fault
    return found


def _find(name: str, count: int, named: Mapping[str, int]) -> int | None:
    if _NUMBER.fullmatch(name):
        return int(name) if int(name) < count else None
    return named.get(name.lower())


def _reach(stages: tuple[Stage, ...], target: int, dockerfile: Dockerfile) -> frozenset[int]:
    """A stage with all that it needs; without calls in calls, since stages may stand on each other by thousands."""
    done: set[int] = set()
    path = {target: iter(sorted(stages[target].needs))}
    while path:
        index = next(reversed(path))
        need = next(path[index], None)
        if need is None:
            path.popitem()
            done.add(index)
        elif need in path:
            start = stages[need].source.start
            label = stages[need].name or str(need)
            raise start.statement.fault(f"circular dependency detected on stage: {label}", 0, dockerfile.source.text)
        elif need not in done:
            path[need] = iter(sorted(stages[need].needs))
    return frozenset(done)
