"""What each instruction allows: its flags, the form of its arguments. Knows nothing of their effect.

Source: Docker's Dockerfile reference. Error sentences are Docker's where it has them. Offsets of a SyntaxFault count
from the start of the statement; None blames the arguments as a whole.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zonehost.builder import instructions as ins
from zonehost.builder.faults import SyntaxFault
from zonehost.builder.forms import Flag, blank_separated, json_list, name_values, quoted_words, split_instruction
from zonehost.builder.lines import Statement, parse_heredoc
from zonehost.domain.config import Healthcheck
from zonehost.domain.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
_SHORTEST_INTERVAL = 1_000_000
_NETWORKS = ("default", "none", "host")
_SECURITIES = ("sandbox", "insecure")


def read_instruction(statement: Statement, escape: str) -> ins.Instruction:
    """One statement as an instruction. Raises SyntaxFault, its offset counted in the statement's text."""
    name, flags, rest, at = split_instruction(statement.text)
    reader = _READERS.get(name)
    if reader is None:
        close = difflib.get_close_matches(name, _READERS, 1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise SyntaxFault(f"unknown instruction: {name}{hint}", 0)
    reading = Reading(statement, escape, name, rest, {}, statement.text.strip())
    reading.take_flags(flags, _FLAGS.get(name, {}))
    try:
        return reader(reading)
    except SyntaxFault as fault:
        raise SyntaxFault(fault.reason, at if fault.offset is None else fault.offset) from fault


@dataclass(slots=True)
class Reading:
    """One statement while it is read."""

    statement: Statement
    escape: str
    name: str
    rest: str
    flags: dict[str, list[Flag]]
    original: str

    def take_flags(self, flags: list[Flag], kinds: dict[str, str]) -> None:
        for flag in flags:
            kind = kinds.get(flag.name)
            if kind is None:
                close = difflib.get_close_matches(flag.name, kinds, 1)
                hint = f" (did you mean --{close[0]}?)" if close else ""
                raise SyntaxFault(f"unknown flag: --{flag.name}{hint}", flag.offset)
            if flag.name in self.flags and kind != "many":
                raise SyntaxFault(f"duplicate flag specified: --{flag.name}", flag.offset)
            if kind == "bool":
                if flag.value is not None and flag.value.lower() not in ("true", "false"):
                    missing = f"missing a value on flag: --{flag.name}"
                    wrong = f"expecting boolean value for flag --{flag.name}, not: {flag.value}"
                    raise SyntaxFault(wrong if flag.value else missing, flag.offset)
            elif flag.value is None:
                raise SyntaxFault(f"missing a value on flag: --{flag.name}", flag.offset)
            self.flags.setdefault(flag.name, []).append(flag)

    def text(self, name: str, default: str = "") -> str:
        found = self.flags.get(name)
        return found[0].value or "" if found else default

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(flag.value or "" for flag in self.flags.get(name, ()))

    def truth(self, name: str) -> bool | None:
        found = self.flags.get(name)
        return None if not found else (found[0].value or "true").lower() == "true"

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, choices[0])
        if value not in choices:
            raise SyntaxFault(
                f"invalid {name} mode: {value}, not one of {', '.join(choices)}", self.flags[name][0].offset
            )
        return value

    def single(self) -> str:
        if not self.rest:
            raise SyntaxFault(f"{self.name} requires exactly one argument", 0)
        return self.rest

    def list_or_words(self) -> list[str]:
        found = json_list(self.rest)
        return blank_separated(self.rest) if found is None else found

    def command(self) -> ins.CommandLine:
        found = json_list(self.rest)
        if found is None:
            return ins.CommandLine(words=(self.rest,) if self.rest else (), shell=True)
        return ins.CommandLine(words=tuple(found), shell=False)


def _from(r: Reading) -> ins.From:
    words = blank_separated(r.rest)
    name = ""
    if len(words) == 3 and words[1].lower() == "as":
        name = words[2].lower()
        if not _STAGE_NAME.fullmatch(name):
            reason = f'invalid name for build stage: "{words[2]}", name can\'t start with a number or contain symbols'
            raise SyntaxFault(reason, r.statement.text.rindex(words[2]))
    elif len(words) != 1:
        raise SyntaxFault("FROM requires either one or three arguments")
    return ins.From(statement=r.statement, original=r.original, base=words[0], name=name, platform=r.text("platform"))


def _arg(r: Reading) -> ins.Arg:
    words = quoted_words(r.rest, r.escape)
    if not words:
        raise SyntaxFault("ARG requires at least one argument", 0)
    pairs: list[tuple[str, str | None]] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not name:
            raise SyntaxFault("ARG names can not be blank")
        pairs.append((name, value if equals else None))
    return ins.Arg(statement=r.statement, original=r.original, arguments=tuple(pairs))


def _env(r: Reading) -> ins.Env:
    return ins.Env(statement=r.statement, original=r.original, pairs=tuple(name_values(r.rest, "ENV", r.escape)))


def _label(r: Reading) -> ins.Label:
    return ins.Label(statement=r.statement, original=r.original, pairs=tuple(name_values(r.rest, "LABEL", r.escape)))


def _run(r: Reading) -> ins.Run:
    command = r.command()
    if not command.words:
        raise SyntaxFault("RUN requires at least one argument", 0)
    return ins.Run(
        statement=r.statement,
        original=r.original,
        command=command,
        heredocs=r.statement.heredocs,
        mounts=r.texts("mount"),
        network=r.choice("network", _NETWORKS),
        security=r.choice("security", _SECURITIES),
    )


def _cmd(r: Reading) -> ins.Cmd:
    return ins.Cmd(statement=r.statement, original=r.original, command=r.command())


def _entrypoint(r: Reading) -> ins.Entrypoint:
    return ins.Entrypoint(statement=r.statement, original=r.original, command=r.command())


def _transfer(r: Reading) -> ins.Transfer:
    words = r.list_or_words()
    if len(words) < 2:
        reason = "requires at least two arguments, but only one was provided. Destination could not be determined"
        raise SyntaxFault(f"{r.name} {reason}")
    *sources, destination = words
    if parse_heredoc(destination):
        raise SyntaxFault(f"{r.name} cannot accept a heredoc as a destination")
    by_name = {document.name: document for document in r.statement.heredocs}
    announced = {word: by_name[found.name] for word in sources if (found := parse_heredoc(word))}
    return ins.Transfer(
        sources=tuple(word for word in sources if word not in announced),
        contents=tuple(announced.values()),
        destination=destination,
        chown=r.text("chown"),
        chmod=r.text("chmod"),
        link=r.truth("link") or False,
        parents=r.truth("parents") or False,
        exclude=r.texts("exclude"),
    )


def _copy(r: Reading) -> ins.Copy:
    return ins.Copy(statement=r.statement, original=r.original, transfer=_transfer(r), origin=r.text("from"))


def _add(r: Reading) -> ins.Add:
    return ins.Add(
        statement=r.statement,
        original=r.original,
        transfer=_transfer(r),
        checksum=r.text("checksum"),
        keep_git_dir=r.truth("keep-git-dir"),
        unpack=r.truth("unpack"),
    )


def _workdir(r: Reading) -> ins.Workdir:
    return ins.Workdir(statement=r.statement, original=r.original, path=r.single())


def _user(r: Reading) -> ins.User:
    return ins.User(statement=r.statement, original=r.original, user=r.single())


def _volume(r: Reading) -> ins.Volume:
    paths = tuple(path.strip() for path in r.list_or_words())
    if not paths:
        raise SyntaxFault("VOLUME requires at least one argument", 0)
    if not all(paths):
        raise SyntaxFault("VOLUME specified can not be an empty string")
    return ins.Volume(statement=r.statement, original=r.original, paths=paths)


def _expose(r: Reading) -> ins.Expose:
    ports = blank_separated(r.rest)
    if not ports:
        raise SyntaxFault("EXPOSE requires at least one argument", 0)
    return ins.Expose(statement=r.statement, original=r.original, ports=tuple(sorted(ports)))


def _stopsignal(r: Reading) -> ins.StopSignal:
    return ins.StopSignal(statement=r.statement, original=r.original, signal=r.single())


def _shell(r: Reading) -> ins.Shell:
    words = json_list(r.rest)
    if words is None and r.rest:
        raise SyntaxFault(f"SHELL requires the arguments to be in JSON form: {r.original}")
    if not words:
        raise SyntaxFault("SHELL requires at least one argument", 0)
    return ins.Shell(statement=r.statement, original=r.original, words=tuple(words))


def _maintainer(r: Reading) -> ins.Maintainer:
    return ins.Maintainer(statement=r.statement, original=r.original, name=r.single())


def _onbuild(r: Reading) -> ins.OnBuild:
    if not r.rest:
        raise SyntaxFault("ONBUILD requires at least one argument", 0)
    trigger = r.rest.split(maxsplit=1)[0].upper()
    if trigger == "ONBUILD":
        raise SyntaxFault("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if trigger in ("MAINTAINER", "FROM"):
        raise SyntaxFault(f"{trigger} isn't allowed as an ONBUILD trigger")
    documents = "".join(f"\n{document.content}{document.name}" for document in r.statement.heredocs)
    read_instruction(Statement(r.rest, r.statement.origins, r.statement.last_line, r.statement.heredocs), r.escape)
    return ins.OnBuild(statement=r.statement, original=r.original, trigger=r.rest + documents)


def _healthcheck(r: Reading) -> ins.HealthCheck:
    if not r.rest:
        raise SyntaxFault("HEALTHCHECK requires at least one argument", 0)
    kind = r.rest.split(maxsplit=1)[0]
    rest = r.rest[len(kind) :].strip()
    if kind.upper() == "NONE":
        if rest:
            raise SyntaxFault("HEALTHCHECK NONE takes no arguments")
        return ins.HealthCheck(statement=r.statement, original=r.original, check=Healthcheck(test=("NONE",)))
    if kind.upper() != "CMD":
        raise SyntaxFault(f'Unknown type "{kind.upper()}" in HEALTHCHECK (try CMD)')
    words = json_list(rest)
    if not rest or words == []:
        raise SyntaxFault("Missing command after HEALTHCHECK CMD")
    check = Healthcheck(
        test=("CMD-SHELL", rest) if words is None else ("CMD", *words),
        interval=_interval(r, "interval"),
        timeout=_interval(r, "timeout"),
        start_period=_interval(r, "start-period"),
        start_interval=_interval(r, "start-interval"),
        retries=_retries(r),
    )
    return ins.HealthCheck(statement=r.statement, original=r.original, check=check)


def _interval(r: Reading, name: str) -> int:
    if name not in r.flags:
        return 0
    value = parse_duration(r.text(name))
    if value is None:
        raise SyntaxFault(f'time: invalid duration "{r.text(name)}"', r.flags[name][0].offset)
    if value and value < _SHORTEST_INTERVAL:
        raise SyntaxFault(f'Interval "{name}" cannot be less than 1ms', r.flags[name][0].offset)
    return value


def _retries(r: Reading) -> int:
    text = r.text("retries", "0")
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise SyntaxFault(f"--retries is not a number: {text}", r.flags["retries"][0].offset)
    if int(text) < 0:
        raise SyntaxFault(f"--retries cannot be negative ({text})", r.flags["retries"][0].offset)
    return int(text)


_COPY_FLAGS = {"chown": "text", "chmod": "text", "link": "bool", "parents": "bool", "exclude": "many"}
_FLAGS: dict[str, dict[str, str]] = {
    "FROM": {"platform": "text"},
    "RUN": {"mount": "many", "network": "text", "security": "text"},
    "COPY": {**_COPY_FLAGS, "from": "text"},
    "ADD": {**_COPY_FLAGS, "checksum": "text", "keep-git-dir": "bool", "unpack": "bool"},
    "HEALTHCHECK": dict.fromkeys(("interval", "timeout", "start-period", "start-interval", "retries"), "text"),
}
_READERS: dict[str, Callable[[Reading], ins.Instruction]] = {
    "ADD": _add,
    "ARG": _arg,
    "CMD": _cmd,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "FROM": _from,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "ONBUILD": _onbuild,
    "RUN": _run,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
