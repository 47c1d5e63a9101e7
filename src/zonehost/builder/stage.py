"""Builds one stage: instruction after instruction, each from the cache or by doing it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from zonehost.builder import instructions as ins
from zonehost.builder.configure import configure
from zonehost.builder.draw import draw
from zonehost.builder.faults import SyntaxFault, excerpt
from zonehost.builder.freshness import bound_of
from zonehost.builder.parse import parse_trigger
from zonehost.builder.perform import Performer
from zonehost.builder.result import child_state, first_state, image_config, image_id
from zonehost.builder.scope import declare
from zonehost.builder.steps import FolderStep
from zonehost.domain.reference import parse_reference
from zonehost.errors import Forbidden, InvalidParameter, NotFound, Unauthorized, Unavailable, ZonehostError
from zonehost.ports.build_listener import StepShown
from zonehost.ports.builder import BuildFault, CommandFailed

if TYPE_CHECKING:
    from zonehost.builder.graph import Stage
    from zonehost.builder.plan import Plan
    from zonehost.builder.state import StageState
    from zonehost.ports.build_listener import Voice
    from zonehost.ports.clock import Clock
    from zonehost.ports.workshop import Base

_LONG = (ins.From, ins.Run, ins.Copy, ins.Add, ins.Workdir)
"""Instructions that take time."""


class StageBuilder:
    """One stage of one build."""

    def __init__(self, plan: Plan, stage: Stage, performer: Performer, voice: Voice, clock: Clock) -> None:
        self._plan = plan
        self._clock = clock
        self._stage = stage
        self._performer = performer
        self._voice = voice
        self._number = plan.first_number(stage.index)
        self._place = 0
        self._places = 1 + sum(isinstance(each, _LONG) for each in stage.source.instructions)

    async def run(self, parent: StageState | None) -> StageState:
        """The stage's last state; `parent` is that of the stage it stands on, if it stands on one.

        Raises:
            CommandFailed: a command ended with another code than 0. InvalidParameter: a step cannot be done.
        """
        try:
            return await self._run(parent)
        except ZonehostError as error:
            self._voice.failed(error)
            raise

    async def _run(self, parent: StageState | None) -> StageState:
        start = self._stage.source.start
        self._announce(start)
        if parent is not None:
            state, triggers = child_state(parent)
        else:
            state, triggers = first_state(await self._base(start), self._stage.platform)
        self._show(state)
        if triggers:
            self._voice.remark(f"# Executing {len(triggers)} build trigger{'s' if len(triggers) > 1 else ''}")
        for trigger in triggers:
            state = await self._carry_out(parse_trigger(trigger), state)
        for instruction in self._stage.source.instructions:
            self._announce(instruction)
            state = await self._carry_out(instruction, state)
        return state

    async def _base(self, start: ins.From) -> Base | None:
        name = self._stage.base
        assert isinstance(name, str)
        if name == "scratch":
            return None
        base = await self._performer.image(name, self._stage.platform, pull=self._plan.request.pull)
        bound = self._bound(start)
        if bound is None or self._plan.request.pull or self._clock.now() - base.added <= bound:
            return base
        try:
            return await self._performer.image(name, self._stage.platform, pull=True)
        except (NotFound, Unavailable, Unauthorized, Forbidden) as error:
            self._voice.remark(f" ---> {name} is older than it may be, and its registry could not be asked: {error}")
            return base

    async def _carry_out(self, instruction: ins.Instruction, state: StageState) -> StageState:
        try:
            if isinstance(instruction, ins.Arg):
                state = self._declare(instruction, state)
            elif changed := configure(instruction, state, self._plan.escape):
                state = self._performer.change(state, *changed)
            else:
                step = draw(instruction, state, self._plan.escape)
                state = await self._performer.perform(step, state, self._bound(instruction))
                if isinstance(step, FolderStep):
                    state = self._enter(step, state)
        except SyntaxFault as fault:
            raise instruction.statement.fault(fault.reason, fault.offset, self._plan.source) from fault
        except CommandFailed as error:
            place = self._located(error, instruction)
            raise CommandFailed(place, error.reason, instruction.statement.line, error.command, error.code) from error
        except BuildFault:
            raise
        except InvalidParameter as error:
            raise BuildFault(self._located(error, instruction), str(error), instruction.statement.line) from error
        self._show(state)
        return state

    def _declare(self, instruction: ins.Arg, state: StageState) -> StageState:
        found = declare(
            instruction,
            given=self._plan.request.arguments,
            inherited=self._plan.arguments,
            variables=state.variables,
            escape=self._plan.escape,
        )
        shown = " ".join(name if value is None else f"{name}={value}" for name, value in found.items())
        after = replace(state, arguments={**state.arguments, **found})
        return self._performer.change(state, after, f"ARG {shown}")

    def _enter(self, step: FolderStep, state: StageState) -> StageState:
        return replace(state, config=msgspec.structs.replace(state.config, working_dir=step.path))

    def _bound(self, instruction: ins.Instruction) -> int | None:
        try:
            return bound_of(instruction.statement, self._plan.fresh)
        except SyntaxFault as fault:
            raise instruction.statement.fault(fault.reason, 0, self._plan.source) from fault

    def _located(self, error: InvalidParameter, instruction: ins.Instruction) -> str:
        return f"{error}\n{excerpt(self._plan.source, instruction.statement.line, instruction.statement.origins[0][2])}"

    def _announce(self, instruction: ins.Instruction) -> None:
        long = isinstance(instruction, _LONG)
        self._place += long
        step = StepShown(
            text=instruction.original,
            number=self._number,
            total=self._plan.total,
            stage=self._stage.name,
            place=self._place if long else 0,
            places=self._places,
            image=self._image() if isinstance(instruction, ins.From) else "",
        )
        self._voice.begin(step)
        self._number += 1

    def _image(self) -> str:
        name = self._stage.base
        if isinstance(name, int) or name == "scratch" or self._plan.context(name):
            return ""
        with suppress(InvalidParameter):  # whoever looks for it says what is wrong
            return parse_reference(name).tagged().canonical
        return ""

    def _show(self, state: StageState) -> None:
        self._voice.made(image_id(image_config(state)) if state.layers or state.history else "")
