"""`zonehost clone`: another container with the configuration and the data of one."""

from __future__ import annotations

import argparse

from zonehost.cli.endpoint import Endpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what is cloned, and the new name."""
    parser.add_argument("source", metavar="CONTAINER[@SNAPSHOT]", help="as it is now, running or not, or as it was")
    parser.add_argument("name", metavar="NEW")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")


def run(options: argparse.Namespace) -> int:
    """Make it, and print its id; it is not started."""
    body = {"Source": options.source, "Name": options.name}
    print(Endpoint(options.host).call("POST", "/zonehost/v1/clone", body)["Id"])
    return 0
