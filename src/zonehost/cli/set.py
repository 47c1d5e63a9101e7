"""`zonehost set`: changes what a container may hold."""

from __future__ import annotations

import argparse

from zonehost.cli.endpoint import Endpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the container and its new quota."""
    parser.add_argument("container", metavar="CONTAINER")
    parser.add_argument("--size", required=True, metavar="SIZE", help="root, log and anonymous volumes; 0: no limit")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")


def run(options: argparse.Namespace) -> int:
    """Change it, whether the container runs or not."""
    Endpoint(options.host).call("POST", f"/zonehost/v1/containers/{options.container}/set", {"Size": options.size})
    print(options.container)
    return 0
