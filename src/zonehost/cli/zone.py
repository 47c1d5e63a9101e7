"""`zonehost zone show ID`: everything that a zone owns, in one listing."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import Any
from urllib.parse import quote

from zonehost.cli.endpoint import Endpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which zone."""
    parser.add_argument("action", choices=["show"])
    parser.add_argument("zone", metavar="ID|NAME")
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(options: argparse.Namespace) -> int:
    """Print what the zone owns."""
    zone = Endpoint(options.host).call("GET", f"/zonehost/v1/zones/{quote(options.zone, safe='')}")
    print(json.dumps(zone, indent=2) if options.json else "\n".join(_lines(zone)))
    return 0


def _lines(zone: dict[str, Any]) -> list[str]:
    lines = [f"{zone['name']}  {zone['id']}  {zone['status']}"]
    if zone["blocked"]:
        lines.append(f"blocked: {zone['blocked']}")
    for title, entries in (
        ("processes", [_process(process) for process in zone["processes"]]),
        ("keeper", [_process(process) for process in zone["keeper"]]),
        ("namespaces", [f"{kind}  {name}" for kind, name in zone["namespaces"].items()]),
        ("ids", [f"{zone['first_id']} to {zone['first_id'] + 65535} of the host"] if zone["first_id"] else []),
        ("mounts inside", zone["mounts"]),
        ("devices", zone["devices"]),
        ("addresses", zone["addresses"]),
        ("published ports", zone["ports"]),
        ("links and firewall", zone["network"]),
        ("cgroups", zone["cgroups"]),
        ("datasets", zone["datasets"]),
        ("volumes", zone["volumes"]),
        ("folders", zone["folders"]),
        ("log", [zone["log"]] if zone["log"] else []),
    ):
        if entries:
            lines += [f"{title}:", *(f"  {entry}" for entry in entries)]
    return lines


def _process(process: dict[str, Any]) -> str:
    started = datetime.fromtimestamp(process["started"] / 1e9).astimezone()
    return f"{process['pid']}  since {started:%Y-%m-%d %H:%M:%S}  {process['command']}"
