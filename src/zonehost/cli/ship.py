"""`zonehost ship`: send to another host and receive there, in one command.

The image's layers are sent only if the other side says that it lacks them, which it does before any data. What is cut
on the way is continued where the other side has it from.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from zonehost.cli.endpoint import Endpoint
from zonehost.cli.transfer import Source, deliver, outgoing, pump
from zonehost.cli.transfer_progress import Progress, add_argument, is_shown
from zonehost.errors import InvalidParameter, ZonehostError
from zonehost.linux.blocking import write_all

_LACKING: Final = "send --layers"
"""What the receiver's refusal ends with when a layer is missing there."""
_ATTEMPTS: Final = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is sent, and where to."""
    parser.add_argument("source", metavar="NAME[@SNAPSHOT]", help="a container or a volume; without @, as it is now")
    parser.add_argument(
        "target", metavar="HOST", help="of ssh, with zonehost in its path; or tcp://ADDRESS:PORT; or unix://SOCKET"
    )
    parser.add_argument("--from", dest="base", default="", metavar="SNAPSHOT", help="send only what changed since")
    parser.add_argument("--name", default="", help="of the new container or volume there (default: the same)")
    parser.add_argument("--ssh", default="ssh", metavar="COMMAND", help="with its options (ssh)")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")
    add_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Ship it, and print what it became there."""
    source = options.source
    if "@" not in source:
        # One snapshot for all attempts.
        made = Endpoint(options.host).call("POST", "/zonehost/v1/snapshots", {"Of": source, "Name": _fresh()})
        source = f"{source}@{made['Name']}"
    query = {"source": source, "from": options.base, "measured": int(is_shown(options.progress))}
    for _ in range(_ATTEMPTS):
        try:
            print(_ship(options, query))
            return 0
        except ZonehostError as error:
            if str(error).endswith(_LACKING) and "layers" not in query:
                query["layers"] = 1
            elif token := _token(options, source):
                query = {"resume": token}
            else:
                raise
    raise InvalidParameter(
        f"{options.target}: cut {_ATTEMPTS} times; zonehost receive --partials there says how to go on"
    )


def _ship(options: argparse.Namespace, query: dict[str, Any]) -> str:
    progress = Progress(options.progress, "sent")
    with outgoing(Endpoint(options.host), query) as source:
        if "://" in options.target:
            return deliver(Endpoint(options.target), options.name, source, progress)
        return _by_ssh(options, source, progress)


def _by_ssh(options: argparse.Namespace, source: Source, progress: Progress) -> str:
    there = shlex.join(["zonehost", "receive", *([options.name] if options.name else [])])
    command = [*shlex.split(options.ssh), options.target, there]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as remote:
        assert remote.stdin is not None
        into = remote.stdin.fileno()
        with suppress(BrokenPipeError):  # it refused: its words say why
            pump(source.read, lambda data: write_all(into, data), progress)
        out, err = remote.communicate()
    if remote.returncode != 0:
        raise InvalidParameter(err.decode(errors="replace").strip() or f"{options.target}: exit {remote.returncode}")
    return out.decode().strip()


def _token(options: argparse.Namespace, source: str) -> str:
    """What continues the snapshot there; empty if nothing of it was kept, or nobody answers."""
    name, _, snapshot = source.partition("@")
    wanted = f"{options.name or name}@{snapshot}"
    with suppress(ZonehostError, OSError):
        if "://" in options.target:
            partials = Endpoint(options.target).call("GET", "/zonehost/v1/receive")
            lines = [[f"{one['Name']}@{one['Snapshot']}", one["Token"]] for one in partials]
        else:
            command = [*shlex.split(options.ssh), options.target, "zonehost receive --partials"]
            done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
            lines = [line.split() for line in done.stdout.splitlines()]
        return next((line[-1] for line in reversed(lines) if line[0] == wanted), "")
    return ""


def _fresh() -> str:
    return datetime.now(UTC).strftime("sent-%Y%m%d-%H%M%S-%f")
