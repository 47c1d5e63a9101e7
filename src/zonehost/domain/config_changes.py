"""Dockerfile instructions that change a configuration without running anything: `docker commit --change`.

Also `docker import --change`. Each instruction is one line, without continuation or variables.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from zonehost.domain.config import Config, Healthcheck
from zonehost.domain.config_check import check_config
from zonehost.domain.durations import parse_duration
from zonehost.domain.port_spec import parse_ports
from zonehost.errors import InvalidParameter

_SHELL: Final = ("/bin/sh", "-c")


def apply_changes(config: Config, changes: Iterable[str]) -> Config:
    """The configuration with the instructions carried out, in order.

    Raises:
        InvalidParameter: one is not an instruction that may stand here, or is badly written.
    """
    commanded: tuple[str, ...] | None = None
    for line in filter(str.strip, changes):
        name, _, rest = line.strip().partition(" ")
        instruction = _INSTRUCTIONS.get(name.upper())
        if instruction is None:
            raise InvalidParameter(f"{name} is not a valid change command")
        if not rest.strip():
            raise InvalidParameter(f"{name.upper()} requires at least one argument")
        config = instruction(config, rest.strip())
        if name.upper() == "CMD":
            commanded = config.cmd
    if commanded is not None:  # an ENTRYPOINT takes away only what was inherited
        config = _replace(config, cmd=commanded)
    check_config(config)
    return config


def _replace(config: Config, **values: Any) -> Config:
    return msgspec.structs.replace(config, **values)


def _words(text: str) -> tuple[str, ...] | None:
    """The words of a JSON array, None if the text is not one."""
    try:
        return msgspec.json.decode(text, type=tuple[str, ...]) if text.startswith("[") else None
    except msgspec.DecodeError:
        return None


def _command(config: Config, text: str) -> tuple[str, ...]:
    words = _words(text)
    return words if words is not None else (*(config.shell or _SHELL), text)


def _pairs(text: str, name: str) -> dict[str, str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InvalidParameter(f"{name}: {error}") from error
    if words and "=" not in words[0]:
        key, _, value = text.partition(" ")
        if not value:
            raise InvalidParameter(f"{name} must have two arguments")
        return {key: value.strip()}
    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InvalidParameter(f'Syntax error - can\'t find = in "{word}". Must be of the form: name=value')
        pairs[key] = value
    return pairs


def _cmd(config: Config, text: str) -> Config:
    return _replace(config, cmd=_command(config, text))


def _entrypoint(config: Config, text: str) -> Config:
    return _replace(config, entrypoint=_command(config, text) or None, cmd=None)


def _env(config: Config, text: str) -> Config:
    pairs = _pairs(text, "ENV")
    kept = tuple(variable for variable in config.env or () if variable.partition("=")[0] not in pairs)
    return _replace(config, env=(*kept, *(f"{key}={value}" for key, value in pairs.items())))


def _expose(config: Config, text: str) -> Config:
    ports: dict[str, dict[str, Any]] = {str(port): {} for word in text.split() for port in parse_ports(word)}
    return _replace(config, exposed_ports={**(config.exposed_ports or {}), **ports})


def _label(config: Config, text: str) -> Config:
    return _replace(config, labels={**(config.labels or {}), **_pairs(text, "LABEL")})


def _on_build(config: Config, text: str) -> Config:
    return _replace(config, on_build=(*(config.on_build or ()), text))


def _user(config: Config, text: str) -> Config:
    return _replace(config, user=text)


def _volume(config: Config, text: str) -> Config:
    words = _words(text)
    paths = words if words is not None else tuple(text.split())
    return _replace(config, volumes={**(config.volumes or {}), **{path: {} for path in paths}})


def _working_dir(config: Config, text: str) -> Config:
    base = "" if text.startswith("/") else f"{config.working_dir or '/'}/"
    return _replace(config, working_dir=(base + text).replace("//", "/"))


def _stop_signal(config: Config, text: str) -> Config:
    return _replace(config, stop_signal=text)


def _shell(config: Config, text: str) -> Config:
    words = _words(text)
    if not words:
        raise InvalidParameter("SHELL requires the arguments to be in JSON form")
    return _replace(config, shell=words)


def _healthcheck(config: Config, text: str) -> Config:
    options: dict[str, int] = {}
    while text.startswith("--"):
        option, _, text = text.partition(" ")
        name, _, value = option.removeprefix("--").partition("=")
        text = text.strip()
        if name == "retries":
            if not value.isdecimal():
                raise InvalidParameter(f"HEALTHCHECK: invalid retries {value}")
            options["retries"] = int(value)
        elif name in ("interval", "timeout", "start-period", "start-interval"):
            duration = parse_duration(value)
            if duration is None:
                raise InvalidParameter(f"HEALTHCHECK: invalid duration {value} of {name}")
            options[name.replace("-", "_")] = duration
        else:
            raise InvalidParameter(f"HEALTHCHECK: unknown flag {option}")
    kind, _, command = text.partition(" ")
    if kind.upper() == "NONE" and not command and not options:
        return _replace(config, healthcheck=Healthcheck(test=("NONE",)))
    if kind.upper() != "CMD" or not command:
        raise InvalidParameter("HEALTHCHECK needs NONE, or CMD and a command")
    words = _words(command.strip())
    test = ("CMD", *words) if words is not None else ("CMD-SHELL", command.strip())
    return _replace(config, healthcheck=Healthcheck(test=test, **options))


_INSTRUCTIONS: Final[dict[str, Callable[[Config, str], Config]]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _on_build,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _working_dir,
}
