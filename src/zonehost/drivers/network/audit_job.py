"""What the fork server runs for the network audit: our tables as the kernel has them, and as they should be.

In a process of its own: libnftables keeps tables of symbols that all contexts of a process share and that the end of
any one of them frees, so the daemon has one context, and none beside it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from zonehost.errors import SystemFailure
from zonehost.linux import namespaces
from zonehost.linux.jobs import answering
from zonehost.linux.nftables import Nftables, NftablesError

_FAMILIES: Final = ("inet", "bridge")
Rules = dict[str, list[str]]
"""By family and place (a set, a map, or a chain): what it holds, each item as canonical JSON."""


@answering
def list_both(arguments: Any, fds: list[int]) -> tuple[Rules, Rules]:
    """The tables as they are, and as a fresh network namespace reads the wanted ruleset."""
    table, wanted = arguments
    try:
        found = _listed(table)
        namespaces.unshare(namespaces.NEWNET)
        with Nftables() as nftables:
            nftables.run(wanted)
        return found, _listed(table)
    except NftablesError as error:
        raise SystemFailure(f"nftables: {error}") from error


def _listed(table: str) -> Rules:
    found: dict[str, set[str]] = {}
    with Nftables() as nftables:
        tables = [item.get("table", {}) for item in json.loads(nftables.run("list tables", json=True))["nftables"]]
        there = {(item.get("family"), item.get("name")) for item in tables}
        for family in _FAMILIES:
            if (family, table) in there:
                for item in json.loads(nftables.run(f"list table {family} {table}", json=True))["nftables"]:
                    for kind, body in item.items():
                        _take(found, family, kind, body)
    return {place: sorted(items) for place, items in found.items()}


def _take(found: dict[str, set[str]], family: str, kind: str, body: dict[str, Any]) -> None:
    if kind in ("set", "map"):
        items = found.setdefault(f"{family} {body['name']}", set())
        items.update(json.dumps(element, sort_keys=True) for element in body.get("elem", ()))
    elif kind == "chain":
        found.setdefault(f"{family} {body['name']}", set())
    elif kind == "rule":
        expression = [_without_counts(part) for part in body["expr"]]
        found.setdefault(f"{family} {body['chain']}", set()).add(json.dumps(expression, sort_keys=True))


def _without_counts(expression: Any) -> Any:
    return {"counter": None} if isinstance(expression, dict) and "counter" in expression else expression
