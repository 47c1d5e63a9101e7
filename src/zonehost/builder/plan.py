"""A whole build as data: what was asked, the Dockerfile, the graph of its stages, and what all steps share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zonehost.builder import instructions as ins
from zonehost.builder.faults import SyntaxFault
from zonehost.builder.freshness import FRESH_ARGUMENT, read_bound
from zonehost.builder.graph import Graph, draw_graph
from zonehost.builder.scope import PROXIES, global_arguments, platform_arguments
from zonehost.builder.steps import Settings
from zonehost.domain.image_config import rfc3339
from zonehost.domain.platform import Platform, parse_platform
from zonehost.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zonehost.builder.parse import Dockerfile, StageSource
    from zonehost.ports.builder import BuildRequest, NamedContext

EPOCH_ARGUMENT = "SOURCE_DATE_EPOCH"
KEEP_GIT_ARGUMENT = "BUILDKIT_CONTEXT_KEEP_GIT_DIR"
_SECOND = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A build. `created` is the time that its image and history bear; `fresh` is nanoseconds, None is no bound."""

    request: BuildRequest
    dockerfile: Dockerfile
    graph: Graph
    arguments: Mapping[str, str]
    ignore: tuple[str, ...]
    host: Platform
    created: str
    epoch: int | None
    fresh: int | None
    settings: Settings

    @property
    def source(self) -> str:
        """The Dockerfile's text."""
        return self.dockerfile.source.text

    @property
    def escape(self) -> str:
        """The Dockerfile's escape character."""
        return self.dockerfile.source.escape

    def context(self, name: str) -> NamedContext | None:
        """What the client gave under the name of an image; `latest` goes without saying."""
        contexts = self.request.contexts
        return contexts.get(name) or contexts.get(name.removesuffix(":latest")) if contexts else None

    @property
    def total(self) -> int:
        """How many steps will be announced."""
        return sum(self._steps(index) for index in self.graph.needed) + bool(self.request.labels)

    def first_number(self, stage: int) -> int:
        """The number of a stage's first step."""
        return 1 + sum(self._steps(index) for index in self.graph.needed if index < stage)

    def proxies(self) -> tuple[str, ...]:
        """Variables that RUN gets without an ARG."""
        return tuple(f"{name}={value}" for name, value in self.request.arguments.items() if name in PROXIES)

    def unused_arguments(self) -> list[str]:
        """Build arguments that no ARG asks for, sorted; those without a value too."""
        known = {FRESH_ARGUMENT, EPOCH_ARGUMENT, KEEP_GIT_ARGUMENT, *PROXIES}
        for argument in self.dockerfile.arguments:
            known.update(name for name, _ in argument.arguments)
        for stage in self.dockerfile.stages:
            for instruction in stage.instructions:
                if isinstance(instruction, ins.Arg):
                    known.update(name for name, _ in instruction.arguments)
        return sorted((self.request.arguments.keys() | self.request.valueless) - known)

    def _steps(self, stage: int) -> int:
        return 1 + len(self.graph.stages[stage].source.instructions)


def draw_plan(
    request: BuildRequest,
    dockerfile: Dockerfile,
    *,
    ignore: tuple[str, ...],
    host: Platform,
    now: int,
    fresh: int | None,
) -> Plan:
    """The plan of a build; `fresh` is the daemon's default bound.

    Raises:
        InvalidParameter: the Dockerfile, the platform, the target or an argument cannot be.
    """
    target = parse_platform(request.platform, host) if request.platform else host
    dockerfile = replace(dockerfile, stages=tuple(_given_stage(stage, request.contexts) for stage in dockerfile.stages))
    arguments = request.arguments
    try:
        values = global_arguments(
            dockerfile.arguments,
            given=arguments,
            platforms={**platform_arguments(target, host), **_given_platforms(arguments)},
            escape=dockerfile.source.escape,
        )
        bound = read_bound(arguments[FRESH_ARGUMENT]) if FRESH_ARGUMENT in arguments else fresh
    except SyntaxFault as fault:
        raise InvalidParameter(fault.reason) from fault
    epoch = _epoch(arguments.get(EPOCH_ARGUMENT, ""))
    limits = {
        name: getattr(request.host_config, name)
        for name in ("shm_size", "ulimits", "memory", "memory_swap", "cpuset_cpus", "cpuset_mems", "cpu_quota")
    }
    return Plan(
        request=request,
        dockerfile=dockerfile,
        graph=draw_graph(dockerfile, arguments=values, target=request.target, platform=target, host=host),
        arguments=values,
        ignore=ignore,
        host=host,
        created=rfc3339(now if epoch is None else epoch * _SECOND),
        epoch=epoch,
        fresh=bound,
        settings=Settings(request.network, request.host_config.extra_hosts or (), limits),
    )


def _given_stage(stage: StageSource, contexts: Mapping[str, NamedContext]) -> StageSource:
    """A stage that the client gave another tree for is that tree."""
    if stage.start.name not in contexts or not stage.start.name:
        return stage
    return replace(stage, start=replace(stage.start, base=stage.start.name, platform=""), instructions=())


def _given_platforms(arguments: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in arguments.items() if name.startswith(("TARGET", "BUILD"))}


def _epoch(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        raise InvalidParameter(f"invalid {EPOCH_ARGUMENT}: {text}")
    return int(text)
