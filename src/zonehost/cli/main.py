"""The `zonehost` command: finds the subcommand and hands over to its module.

Owns the table of subcommands and how an error becomes an exit status. Knows nothing of what a subcommand does: each
lives in a module of its own, imported only when it is asked for, and offers `add_arguments(parser)` and
`run(options) -> int` (the exit status).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Protocol, cast

from zonehost import __version__
from zonehost.errors import ZonehostError

COMMANDS = {
    "serve": "run the daemon",
    "doctor": "compare the state with the kernel and the disk, and repair",
    "zone": "show all that a zone owns",
    "bootstrap": "make a base image from Debian's packages",
    "pool": "look at the pool, grow, check or trim it",
    "snapshot": "keep what a container or a volume holds, look at it, go back to it",
    "clone": "make a container with the configuration and the data of another",
    "send": "write a snapshot as a stream",
    "receive": "take in what send wrote",
    "ship": "send to another host and receive there",
    "set": "change the quota of a container",
    "stale": "show which images are out of date, and in what",
    "rebuild": "build an image anew, with nothing old from the cache",
}


class Command(Protocol):
    """What a module of a subcommand offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, options: argparse.Namespace) -> int: ...


def main(arguments: list[str] | None = None) -> int:
    """Run the subcommand that `arguments` (default: the process's own) names; its exit status.

    Without any word, say which there are.
    """
    words = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="zonehost", description="A Docker host whose containers are zones.")
    parser.add_argument("--version", action="version", version=f"zonehost {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name in words[:1]:
            _command(name).add_arguments(subparser)
    if not words:
        parser.print_help()
        return 0
    options = parser.parse_args(words)
    try:
        return _command(options.command).run(options)
    except ZonehostError as error:
        print(f"zonehost {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _command(name: str) -> Command:
    return cast(Command, importlib.import_module(f"zonehost.cli.{name}"))
