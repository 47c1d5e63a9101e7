"""`zonehost send`: writes a snapshot to standard output, for `zonehost receive` on this or another host."""

from __future__ import annotations

import argparse
import sys

from zonehost.cli.endpoint import Endpoint
from zonehost.cli.transfer import check_whole, outgoing, pump
from zonehost.cli.transfer_progress import Progress, add_argument, is_shown
from zonehost.errors import InvalidParameter
from zonehost.linux.blocking import write_all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is sent, and from where on."""
    parser.add_argument(
        "source", metavar="NAME[@SNAPSHOT]", nargs="?", help="a container or a volume; without @, as it is now"
    )
    parser.add_argument("--from", dest="base", default="", metavar="SNAPSHOT", help="send only what changed since")
    parser.add_argument("--layers", action="store_true", help="send the layers of the image along")
    parser.add_argument("--resume", default="", metavar="TOKEN", help="go on where the receiver says that it was cut")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")
    add_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Write the stream."""
    if sys.stdout.isatty():
        raise InvalidParameter("the stream is not for a terminal: redirect it to a file or a pipe")
    if bool(options.source) == bool(options.resume):
        raise InvalidParameter("give either NAME[@SNAPSHOT] or --resume TOKEN, which says what is sent")
    query = {
        "source": options.source or "",
        "from": options.base,
        "layers": int(options.layers),
        "resume": options.resume,
        "measured": int(is_shown(options.progress)),
    }
    output = sys.stdout.fileno()
    with outgoing(Endpoint(options.host), query) as source:
        check_whole(pump(source.read, lambda data: write_all(output, data), Progress(options.progress, "sent")))
    return 0
