"""`zonehost doctor`: what belongs to nothing, what is lost, what is where it does not belong."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from zonehost.cli.endpoint import Endpoint
from zonehost.errors import Unavailable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which instance, and what to do about it."""
    parser.add_argument("--host", metavar="ADDRESS", help="the daemon (default: DOCKER_HOST, or the usual socket)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file, for when the daemon is down")
    parser.add_argument("--data-root", metavar="DIR", help="for when the daemon is down")
    parser.add_argument("--run-root", metavar="DIR", help="for when the daemon is down")
    parser.add_argument("--name", help="for when the daemon is down")
    parser.add_argument("--storage-driver", metavar="DRIVER", help="for when the daemon is down")
    parser.add_argument("--repair", action="store_true", help="mend what can be mended")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(options: argparse.Namespace) -> int:
    """Print the findings; 1 if there are any (with --repair: any left)."""
    try:
        endpoint = Endpoint(options.host)
        findings = (
            endpoint.call("POST", "/zonehost/v1/doctor/repair")
            if options.repair
            else endpoint.call("GET", "/zonehost/v1/doctor")
        )
    except Unavailable:
        findings = _without_daemon(options)
    print(json.dumps(findings, indent=2) if options.json else _table(findings))
    return 1 if findings else 0


def _without_daemon(options: argparse.Namespace) -> list[dict[str, Any]]:
    # Imported here: with a daemon, none of it is needed.
    import asyncio

    from zonehost.daemon.configuration import configure
    from zonehost.daemon.doctor import examine_without_daemon

    names = ("data_root", "run_root", "name", "storage_driver")
    configuration = configure({name: getattr(options, name) for name in names}, options.config)
    return asyncio.run(examine_without_daemon(configuration, repair=options.repair))


def _table(findings: list[dict[str, Any]]) -> str:
    if not findings:
        return "nothing is wrong"
    rows = [
        (finding["trouble"], finding["kind"], finding["name"], finding["zone"][:12], finding["detail"])
        for finding in findings
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    )
