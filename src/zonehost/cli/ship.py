"""`zonehost ship`: send to another host and receive there, in one command.

The image's layers are sent only if the other side says that it lacks them, which it does before any data.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from zonehost.cli.endpoint import Endpoint
from zonehost.cli.transfer_progress import watched
from zonehost.errors import InvalidParameter, ZonehostError

_LACKING = "send --layers"
"""What the receiver's refusal ends with when a layer is missing there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is sent, and where to."""
    parser.add_argument("source", metavar="NAME[@SNAPSHOT]", help="a container or a volume; without @, as it is now")
    parser.add_argument("target", metavar="HOST", help="of ssh, where zonehost is in the path; or unix://SOCKET")
    parser.add_argument("--from", dest="base", default="", metavar="SNAPSHOT", help="send only what changed since")
    parser.add_argument("--name", default="", help="of the new container or volume there (default: the same)")
    parser.add_argument("--ssh", default="ssh", metavar="COMMAND", help="with its options (ssh)")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")


def run(options: argparse.Namespace) -> int:
    """Ship it, and print what it became there."""
    source = options.source
    if "@" not in source:
        # One snapshot for both attempts.
        made = Endpoint(options.host).call("POST", "/zonehost/v1/snapshots", {"Of": source, "Name": _fresh()})
        source = f"{source}@{made['Name']}"
    try:
        print(_ship(options, source, layers=False))
    except ZonehostError as error:
        if not str(error).endswith(_LACKING):
            raise
        print(_ship(options, source, layers=True))
    return 0


def _ship(options: argparse.Namespace, source: str, *, layers: bool) -> str:
    query = urlencode({"source": source, "from": options.base, "layers": int(layers)})
    stream = watched(Endpoint(options.host).download(f"/zonehost/v1/send?{query}"), "sent")
    if options.target.startswith("unix://"):
        path = f"/zonehost/v1/receive?{urlencode({'name': options.name})}"
        made: dict[str, Any] = Endpoint(options.target).upload(path, stream)
        return f"{made['Name']}@{made['Snapshot']}"
    return _by_ssh(options, stream)


def _by_ssh(options: argparse.Namespace, stream: Iterator[bytes]) -> str:
    there = shlex.join(["zonehost", "receive", *([options.name] if options.name else [])])
    command = [*shlex.split(options.ssh), options.target, there]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as remote:
        assert remote.stdin is not None
        try:
            for chunk in stream:
                remote.stdin.write(chunk)
        except BrokenPipeError:
            pass  # it refused: its words say why
        out, err = remote.communicate()
    if remote.returncode != 0:
        raise InvalidParameter(err.decode(errors="replace").strip() or f"{options.target}: exit {remote.returncode}")
    return out.decode().strip()


def _fresh() -> str:
    return datetime.now(UTC).strftime("sent-%Y%m%d-%H%M%S-%f")
