"""`zonehost receive`: reads what `zonehost send` wrote from standard input."""

from __future__ import annotations

import argparse
import sys

from zonehost.cli.endpoint import Endpoint
from zonehost.cli.transfer import deliver, from_input
from zonehost.cli.transfer_progress import Progress, add_argument
from zonehost.errors import InvalidParameter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the new name, and what is done about streams that were cut."""
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="of the new container or volume")
    parser.add_argument("--partials", action="store_true", help="list what was cut, with the tokens to go on")
    parser.add_argument("--forget", default="", metavar="ID", help="throw away what came of one that was cut")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")
    add_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Take the stream in, and print what it became."""
    endpoint = Endpoint(options.host)
    if options.partials:
        for partial in endpoint.call("GET", "/zonehost/v1/receive"):
            print(
                f"{partial['Name']}@{partial['Snapshot']} {partial['Id']} {partial['Expires'][:19]} {partial['Token']}"
            )
        return 0
    if options.forget:
        endpoint.call("DELETE", f"/zonehost/v1/receive/{options.forget}")
        return 0
    if sys.stdin.isatty():
        raise InvalidParameter("there is no stream: redirect a file or a pipe to standard input")
    progress = Progress(options.progress, "received")
    print(deliver(endpoint, options.name, from_input(sys.stdin.fileno()), progress))
    return 0
