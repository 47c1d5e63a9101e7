"""`zonehost pool`: the pool as its operator sees it."""

from __future__ import annotations

import argparse
import sys

from zonehost.cli.endpoint import Endpoint
from zonehost.cli.sizes import parse_size, size_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the four things that can be done."""
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("status", help="show how full it is")
    grow = actions.add_parser("grow", help="make it larger, while it is in use")
    grow.add_argument("size", type=parse_size, metavar="SIZE", help="its new size: bytes, or such as 20G")
    actions.add_parser("scrub", help="read everything and check it; exit status 1 if anything is damaged")
    actions.add_parser("trim", help="give back to the host what is not used")


def run(options: argparse.Namespace) -> int:
    """Do it, and print what came of it."""
    endpoint = Endpoint(options.host)
    if options.action == "scrub":
        found = endpoint.call("POST", "/zonehost/v1/pool/scrub")
        print(f"{size_text(found['Bytes'])} read, {found['Errors']} errors")
        if found["UncorrectableErrors"]:
            print(f"{found['UncorrectableErrors']} errors could not be mended", file=sys.stderr)
        return 1 if found["UncorrectableErrors"] else 0
    if options.action == "trim":
        print(f"{size_text(endpoint.call('POST', '/zonehost/v1/pool/trim')['Bytes'])} discarded")
        return 0
    if options.action == "grow":
        status = endpoint.call("POST", "/zonehost/v1/pool/grow", {"Size": options.size})
    else:
        status = endpoint.call("GET", "/zonehost/v1/pool")
    print(f"size      {size_text(status['Size'])}")
    print(f"used      {size_text(status['Used'])}")
    print(f"free      {size_text(status['Free'])}")
    if status["Backing"]:
        print(f"file      {status['Backing']} ({size_text(status['Occupied'])} on the host's disk)")
        print(f"device    {status['Device']}")
    return 0
