"""`zonehost send`: writes a snapshot to standard output, for `zonehost receive` on this or another host."""

from __future__ import annotations

import argparse
import sys
from urllib.parse import urlencode

from zonehost.cli.endpoint import Endpoint
from zonehost.cli.transfer_progress import watched
from zonehost.errors import InvalidParameter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is sent, and from where on."""
    parser.add_argument("source", metavar="NAME[@SNAPSHOT]", help="a container or a volume; without @, as it is now")
    parser.add_argument("--from", dest="base", default="", metavar="SNAPSHOT", help="send only what changed since")
    parser.add_argument("--layers", action="store_true", help="send the layers of the image along")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")


def run(options: argparse.Namespace) -> int:
    """Write the stream; how far it is stands on standard error, if that is a terminal."""
    if sys.stdout.isatty():
        raise InvalidParameter("the stream is not for a terminal: redirect it to a file or a pipe")
    query = urlencode({"source": options.source, "from": options.base, "layers": int(options.layers)})
    for chunk in watched(Endpoint(options.host).download(f"/zonehost/v1/send?{query}"), "sent"):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
    return 0
