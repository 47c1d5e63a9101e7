"""Instructions without a build: `docker commit --change`, `docker import --change`.

Source: BuildFromConfig() in Docker's builder/dockerfile, which says which instructions may stand there. They are read
and expanded as in a Dockerfile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from zonehost.builder import instructions as ins
from zonehost.builder.configure import absolute, configure
from zonehost.builder.faults import SyntaxFault
from zonehost.builder.grammar import read_instruction
from zonehost.builder.lines import read_source
from zonehost.builder.state import StageState
from zonehost.builder.words import Style, expand
from zonehost.domain.config_check import check_config
from zonehost.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zonehost.domain.config import Config
    from zonehost.domain.platform import Platform

_ALLOWED: Final = frozenset(
    ("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")
)


def apply_changes(config: Config, changes: Sequence[str], platform: Platform) -> Config:
    """`ports.changes.ApplyChanges`."""
    lines = [change for change in changes if change.strip()]
    if not lines:
        return config
    source = read_source("\n".join(lines).encode())
    for statement in source.statements:
        name = statement.text.split(maxsplit=1)[0]
        if name.upper() not in _ALLOWED:
            raise InvalidParameter(f"{name} is not a valid change command")
    state = StageState(platform=platform, config=config)
    try:
        for statement in source.statements:
            state = _after(read_instruction(statement, source.escape), state, source.escape)
    except SyntaxFault as fault:
        raise InvalidParameter(fault.reason) from fault
    check_config(state.config)
    return state.config


def _after(instruction: ins.Instruction, state: StageState, escape: str) -> StageState:
    if isinstance(instruction, ins.Workdir):
        path = absolute(expand(instruction.path, state.variables, Style(escape=escape)).text, state.workdir)
        return replace(state, config=msgspec.structs.replace(state.config, working_dir=path))
    changed = configure(instruction, state, escape)
    assert changed is not None, "an instruction that configures"
    return changed[0]
