"""`zonehost snapshot`: what a container with its volumes, or a volume, held at a moment."""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import quote, urlencode

from zonehost.cli.endpoint import Endpoint
from zonehost.errors import InvalidParameter

_BASE = "/zonehost/v1/snapshots"
_SIGNS = {"added": "A", "changed": "C", "deleted": "D"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs; NAME is a container or a volume."""
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="take one, or with --every have the daemon take them")
    create.add_argument("reference", metavar="NAME[@SNAPSHOT]")
    create.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="repeatable")
    create.add_argument("--pause", action="store_true", help="hold all still meanwhile that could write")
    create.add_argument("--keep", default="", metavar="TIME|N", help="such as 24h; with --every, how many are kept")
    create.add_argument("--every", metavar="TIME", help="such as 1h; 0 ends the schedule")
    listing = actions.add_parser("ls", help="list them")
    listing.add_argument("reference", metavar="NAME", nargs="?", default="")
    for name, text in (("show", "show one"), ("rollback", "go back to it"), ("rm", "remove it")):
        actions.add_parser(name, help=text).add_argument("reference", metavar="NAME@SNAPSHOT")
    diff = actions.add_parser("diff", help="what was added (A), changed (C) and deleted (D) since")
    diff.add_argument("reference", metavar="NAME@SNAPSHOT")
    diff.add_argument("other", metavar="SNAPSHOT", nargs="?", default="", help="until then (default: now)")


def run(options: argparse.Namespace) -> int:
    """Do it, and print what came of it."""
    endpoint = Endpoint(options.host)
    one = f"{_BASE}/{quote(options.reference)}"
    match options.action:
        case "create":
            _create(endpoint, options)
        case "ls":
            _table(endpoint.call("GET", f"{_BASE}?{urlencode({'of': options.reference})}"))
        case "show":
            for key, value in endpoint.call("GET", one).items():
                print(f"{key:<10}{_text(value)}")
        case "diff":
            for part in endpoint.call("GET", f"{one}/diff?{urlencode({'with': options.other})}"):
                for change in part["Changes"]:
                    volume = f"{part['Volume']}:" if part["Volume"] else ""
                    print(f"{_SIGNS[change['Kind']]} {volume}{change['Path']}")
        case "rollback":
            endpoint.call("POST", f"{one}/rollback")
            print(options.reference)
        case _:
            endpoint.call("DELETE", one)
            print(options.reference)
    return 0


def _create(endpoint: Endpoint, options: argparse.Namespace) -> None:
    name, _, snapshot = options.reference.partition("@")
    if options.every is not None:
        if not options.keep.isdigit() and options.every != "0":
            raise InvalidParameter("--every needs --keep N: how many of the snapshots stay")
        body = {"Of": name, "Every": options.every, "Keep": int(options.keep or 0)}
        endpoint.call("PUT", "/zonehost/v1/schedules", body)
        return
    if not snapshot:
        raise InvalidParameter(f'"{options.reference}" names no snapshot: write {name}@SNAPSHOT')
    labels = dict(text.partition("=")[::2] for text in options.label)
    body = {"Of": name, "Name": snapshot, "Labels": labels, "Pause": options.pause, "Keep": options.keep}
    made = endpoint.call("POST", _BASE, body)
    print(f"{made['Of']}@{made['Name']}")


def _table(snapshots: list[dict[str, Any]]) -> None:
    rows = [("SNAPSHOT", "CREATED", "EXPIRES", "USED BY")]
    rows += [
        (f"{one['Of']}@{one['Name']}", one["Created"][:19], (one["Expires"] or "")[:19], ", ".join(one["UsedBy"]))
        for one in snapshots
    ]
    widths = [max(len(row[column]) for row in rows) + 3 for column in range(3)]
    for row in rows:
        print("".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=False)) + row[3])


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={text}" for key, text in value.items())
    return "" if value is None else str(value)
