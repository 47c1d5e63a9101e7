"""Which commands ask the world beyond a build's inputs: package indexes, URLs, git remotes. By their words alone.

It reads the text of a RUN as a shell would split it, without running it; what it cannot see, the addresses that the
zone really spoke to tell.
"""

from __future__ import annotations

import re
import shlex
from typing import Final

_ASKING: Final[dict[str, frozenset[str]]] = {
    "apt": frozenset({"update", "install", "upgrade", "full-upgrade", "build-dep", "source", "download"}),
    "apt-get": frozenset({"update", "install", "upgrade", "dist-upgrade", "build-dep", "source", "download"}),
    "aptitude": frozenset({"update", "install", "upgrade", "safe-upgrade", "full-upgrade"}),
    "apk": frozenset({"add", "update", "upgrade", "fetch"}),
    "dnf": frozenset({"install", "update", "upgrade", "makecache", "groupinstall", "builddep"}),
    "microdnf": frozenset({"install", "update", "upgrade"}),
    "yum": frozenset({"install", "update", "upgrade", "makecache", "groupinstall"}),
    "zypper": frozenset({"install", "in", "refresh", "ref", "update", "up", "dup"}),
    "pacman": frozenset(),
    "pip": frozenset({"install", "download", "wheel"}),
    "pip3": frozenset({"install", "download", "wheel"}),
    "pipx": frozenset({"install", "upgrade", "run"}),
    "uv": frozenset({"pip", "sync", "add", "lock", "tool"}),
    "poetry": frozenset({"install", "add", "update", "lock"}),
    "conda": frozenset({"install", "create", "update"}),
    "npm": frozenset({"install", "i", "ci", "update", "add"}),
    "npx": frozenset(),
    "yarn": frozenset({"install", "add", "upgrade"}),
    "pnpm": frozenset({"install", "i", "add", "update"}),
    "gem": frozenset({"install", "update"}),
    "bundle": frozenset({"install", "update"}),
    "composer": frozenset({"install", "update", "require"}),
    "cargo": frozenset({"install", "fetch", "build", "update"}),
    "go": frozenset({"get", "install", "mod", "build"}),
    "mvn": frozenset(),
    "gradle": frozenset(),
    "cpan": frozenset(),
    "cpanm": frozenset(),
    "curl": frozenset(),
    "wget": frozenset(),
    "git": frozenset({"clone", "fetch", "pull", "submodule", "ls-remote"}),
    "svn": frozenset({"checkout", "co", "update", "export"}),
    "rsync": frozenset(),
    "add-apt-repository": frozenset(),
}
_SEPARATORS: Final = re.compile(r"[;&|()\n{}]+|\$\(|`")
_BEFORE: Final = frozenset({"sudo", "env", "exec", "time", "nice", "then", "do", "else", "if", "while", "!", "command"})
_PYTHON: Final = re.compile(r"python[0-9.]*")


def asks_outside(args: tuple[str, ...]) -> tuple[str, ...]:
    """The commands in a command line that ask outside, such as `apt-get update`, in order, each once."""
    text = args[-1] if len(args) > 1 and args[-2].startswith("-") and "c" in args[-2] else shlex.join(args)
    found = dict.fromkeys(filter(None, map(_asking, _commands(text))))
    return tuple(found)


def _commands(text: str) -> list[list[str]]:
    commands = []
    for part in _SEPARATORS.split(text.replace("\\\n", " ")):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            words = part.split()
        while words and (words[0] in _BEFORE or re.match(r"\w+=", words[0])):
            words = words[1:]
        if words:
            commands.append(words)
    return commands


def _asking(words: list[str]) -> str:
    name = words[0].rsplit("/", 1)[-1]
    if _PYTHON.fullmatch(name) and words[1:3] == ["-m", "pip"]:
        name, words = "pip", words[2:]
    verbs = _ASKING.get(name)
    if verbs is None:
        return ""
    if not verbs:
        return name
    verb = next((word for word in words[1:] if word in verbs), "")
    return f"{name} {verb}" if verb else ""
