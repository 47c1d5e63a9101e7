"""`zonehost rebuild`: builds an image so that nothing in it is older than today; with `--stale`, only if it must."""

from __future__ import annotations

import argparse
import os
import subprocess

from zonehost.cli.endpoint import Endpoint
from zonehost.cli.stale import STALE, ask, status_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the image, its context, and what else `docker build` shall get."""
    parser.add_argument("--stale", action="store_true", help="only if `zonehost stale` finds something")
    parser.add_argument("--fresh", metavar="AGE", default="", help="with --stale: how old a step may be: 24h, 7d")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")
    parser.add_argument("image", metavar="IMAGE")
    parser.add_argument("context", metavar="PATH", help="the build's context")
    parser.add_argument("options", nargs=argparse.REMAINDER, metavar="-- OPTIONS", help="options of docker build")


def run(options: argparse.Namespace) -> int:
    """Ask if told to, then build: bases are pulled, and no step that asked outside is taken from the cache."""
    if options.stale and status_of(ask(Endpoint(options.host), [options.image], options.fresh)) != STALE:
        print(f"{options.image} is not out of date")
        return 0
    environment = dict(os.environ)
    if options.host:
        environment["DOCKER_HOST"] = options.host
    extra = [word for word in options.options if word != "--"]
    command = ["docker", "build", "--pull", "--build-arg", "ZONEHOST_FRESH=0s", "--tag", options.image, *extra]
    return subprocess.run([*command, options.context], env=environment, check=False).returncode
