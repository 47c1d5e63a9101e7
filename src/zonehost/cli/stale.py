"""`zonehost stale`: which images are out of date, and in what."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from zonehost.cli.endpoint import Endpoint

STALE: Final = 3
"""The exit status where something is out of date; 0 is none, 1 an error of the command, 4 that something could not be
asked and nothing that could is out of date."""
UNKNOWN: Final = 4
_COLUMNS: Final = ("image", "kind", "subject", "detail")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the images and the form of the answer."""
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="default: every image that has a name")
    parser.add_argument("--fresh", metavar="AGE", default="", help="how old a step may be that asked outside: 24h, 7d")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")


def run(options: argparse.Namespace) -> int:
    """Ask, print, and say by the exit status whether anything is out of date."""
    findings = ask(Endpoint(options.host), options.images, options.fresh)
    if options.json:
        json.dump(findings, sys.stdout, indent=2)
        print()
    elif findings:
        _print_table([[str(finding[column]) for column in _COLUMNS] for finding in findings])
    else:
        print("nothing is out of date")
    return status_of(findings)


def ask(endpoint: Endpoint, images: Sequence[str], fresh: str) -> list[dict[str, Any]]:
    """The daemon's findings."""
    query = urlencode([*(("image", image) for image in images), ("fresh", fresh)])
    found: list[dict[str, Any]] = endpoint.call("GET", f"/zonehost/v1/stale?{query}")
    return found


def status_of(findings: Sequence[dict[str, Any]]) -> int:
    """The exit status that these findings make."""
    if any(not finding["error"] for finding in findings):
        return STALE
    return UNKNOWN if findings else 0


def _print_table(rows: list[list[str]]) -> None:
    rows = [[column.upper() for column in _COLUMNS], *rows]
    widths = [max(len(row[number]) for row in rows) for number in range(len(_COLUMNS) - 1)]
    for row in rows:
        print("   ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))
