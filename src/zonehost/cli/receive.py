"""`zonehost receive`: reads what `zonehost send` wrote from standard input."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from urllib.parse import urlencode

from zonehost.cli.endpoint import Endpoint
from zonehost.cli.transfer_progress import watched
from zonehost.errors import InvalidParameter

_CHUNK = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the new name."""
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="of the new container or volume")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")


def run(options: argparse.Namespace) -> int:
    """Take the stream in, and print what it became."""
    if sys.stdin.isatty():
        raise InvalidParameter("there is no stream: redirect a file or a pipe to standard input")
    path = f"/zonehost/v1/receive?{urlencode({'name': options.name})}"
    made = Endpoint(options.host).upload(path, watched(_input(), "received"))
    print(f"{made['Name']}@{made['Snapshot']}")
    return 0


def _input() -> Iterator[bytes]:
    while chunk := os.read(sys.stdin.fileno(), _CHUNK):
        yield chunk
