"""The instructions that change a configuration and run nothing: ENV, LABEL, CMD, EXPOSE and their like. Pure.

Each gives the next state and the words under which history keeps it, in the classic builder's form.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from zonehost.builder import instructions as ins
from zonehost.builder.words import Style, expand
from zonehost.domain.port_spec import parse_ports
from zonehost.domain.signals import parse_signal
from zonehost.errors import InvalidParameter

if TYPE_CHECKING:
    from collections.abc import Callable

    from zonehost.builder.state import StageState

Changed = tuple["StageState", str]


def configure(instruction: ins.Instruction, state: StageState, escape: str) -> Changed | None:
    """The state after such an instruction, and its history; None for any other instruction.

    Raises:
        SyntaxFault: a variable cannot be expanded.
        InvalidParameter: a value cannot be (a port, a signal).
    """
    handler = _HANDLERS.get(type(instruction))
    return handler(instruction, state, Style(escape=escape)) if handler else None


def absolute(path: str, workdir: str) -> str:
    """A path of an image, normal, from the working directory."""
    joined = posixpath.normpath(posixpath.join(workdir, path))
    # POSIX keeps two leading slashes apart; a Dockerfile does not.
    return "/" + joined.lstrip("/")


def merge_environment(env: tuple[str, ...], pairs: dict[str, str]) -> tuple[str, ...]:
    """The environment with these variables set, each at its place."""
    names = [variable.partition("=")[0] for variable in env]
    merged = [f"{name}={pairs[name]}" if name in pairs else old for name, old in zip(names, env, strict=True)]
    return (*merged, *(f"{name}={value}" for name, value in pairs.items() if name not in names))


def _set(state: StageState, **values: Any) -> StageState:
    return replace(state, config=msgspec.structs.replace(state.config, **values))


def _expand_pairs(pairs: tuple[tuple[str, str], ...], state: StageState, style: Style) -> dict[str, str]:
    variables = state.variables
    return {expand(name, variables, style).text: expand(value, variables, style).text for name, value in pairs}


def _quoted(words: tuple[str, ...]) -> str:
    return "[" + " ".join(msgspec.json.encode(word).decode() for word in words) + "]"


def _env(instruction: ins.Env, state: StageState, style: Style) -> Changed:
    pairs = _expand_pairs(instruction.pairs, state, style)
    shown = " ".join(f"{name}={value}" for name, value in pairs.items())
    return _set(state, env=merge_environment(state.config.env or (), pairs)), f"ENV {shown}"


def _label(instruction: ins.Label, state: StageState, style: Style) -> Changed:
    pairs = _expand_pairs(instruction.pairs, state, style)
    shown = " ".join(f"{name}={value}" for name, value in pairs.items())
    return _set(state, labels={**(state.config.labels or {}), **pairs}), f"LABEL {shown}"


def _command(line: ins.CommandLine, state: StageState) -> tuple[str, ...]:
    return (*state.shell, *line.words) if line.shell and line.words else line.words


def _cmd(instruction: ins.Cmd, state: StageState, style: Style) -> Changed:
    del style
    words = _command(instruction.command, state)
    return replace(_set(state, cmd=words), command_set=True), f"CMD {_quoted(words)}"


def _entrypoint(instruction: ins.Entrypoint, state: StageState, style: Style) -> Changed:
    del style
    words = _command(instruction.command, state)
    changed = _set(state, entrypoint=words or None)
    if not state.command_set:
        changed = _set(changed, cmd=None)
    return changed, f"ENTRYPOINT {_quoted(words)}"


def _shell(instruction: ins.Shell, state: StageState, style: Style) -> Changed:
    del style
    return _set(state, shell=instruction.words), f"SHELL [{' '.join(instruction.words)}]"


def _user(instruction: ins.User, state: StageState, style: Style) -> Changed:
    user = expand(instruction.user, state.variables, style).text
    return _set(state, user=user), f"USER {user}"


def _volume(instruction: ins.Volume, state: StageState, style: Style) -> Changed:
    variables = state.variables
    paths = [expand(path, variables, style).text for path in instruction.paths]
    if not all(paths):
        raise InvalidParameter("VOLUME specified can not be an empty string")
    volumes: dict[str, dict[str, Any]] = {**(state.config.volumes or {}), **{path: {} for path in paths}}
    return _set(state, volumes=volumes), f"VOLUME [{' '.join(paths)}]"


def _expose(instruction: ins.Expose, state: StageState, style: Style) -> Changed:
    variables = state.variables
    words = [word for text in instruction.ports for word in expand(text, variables, style).words]
    # `-p`'s form with a host's part is allowed, and the host's part ignored.
    ports = [str(port) for word in words for port in parse_ports(word.rsplit(":", 1)[-1])]
    exposed: dict[str, dict[str, Any]] = {**(state.config.exposed_ports or {}), **{port: {} for port in ports}}
    return _set(state, exposed_ports=exposed), f"EXPOSE {' '.join(words)}"


def _stop_signal(instruction: ins.StopSignal, state: StageState, style: Style) -> Changed:
    signal = expand(instruction.signal, state.variables, style).text
    parse_signal(signal)
    return _set(state, stop_signal=signal), f"STOPSIGNAL {signal}"


def _healthcheck(instruction: ins.HealthCheck, state: StageState, style: Style) -> Changed:
    del style
    return _set(state, healthcheck=instruction.check), f"HEALTHCHECK {_quoted(instruction.check.test or ())}"


def _onbuild(instruction: ins.OnBuild, state: StageState, style: Style) -> Changed:
    del style
    triggers = (*(state.config.on_build or ()), instruction.trigger)
    return _set(state, on_build=triggers), f"ONBUILD {instruction.trigger}"


def _maintainer(instruction: ins.Maintainer, state: StageState, style: Style) -> Changed:
    del style
    return replace(state, author=instruction.name), f"MAINTAINER {instruction.name}"


_HANDLERS: dict[type[ins.Instruction], Callable[[Any, StageState, Style], Changed]] = {
    ins.Cmd: _cmd,
    ins.Entrypoint: _entrypoint,
    ins.Env: _env,
    ins.Expose: _expose,
    ins.HealthCheck: _healthcheck,
    ins.Label: _label,
    ins.Maintainer: _maintainer,
    ins.OnBuild: _onbuild,
    ins.Shell: _shell,
    ins.StopSignal: _stop_signal,
    ins.User: _user,
    ins.Volume: _volume,
}
