"""What the fork server runs for the network audit: our tables as the kernel has them, and as they should be.

The second in a process of its own, whose network namespace ends with it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from zonehost.errors import SystemFailure
from zonehost.linux import namespaces, nftables
from zonehost.linux.jobs import answering
from zonehost.linux.nftables import NftablesError

_FAMILIES: Final = ("inet", "bridge")
Rules = dict[str, list[str]]
"""By family and place (a set, a map, or a chain): what it holds, each item as canonical JSON."""


@answering
def list_ours(table: Any, fds: list[int]) -> Rules:
    """The tables of this name as they are."""
    return _listed(table, "")


@answering
def list_wanted(arguments: Any, fds: list[int]) -> Rules:
    """The tables of this name as a fresh network namespace reads a ruleset."""
    table, ruleset = arguments
    namespaces.unshare(namespaces.NEWNET)
    return _listed(table, ruleset)


def _listed(table: str, ruleset: str) -> Rules:
    """What the tables hold after the ruleset."""
    found: dict[str, set[str]] = {}
    try:
        if ruleset:
            nftables.run(ruleset)
        for family in _FAMILIES:
            for item in _asked(family, table):
                for kind, body in item.items():
                    _take(found, family, kind, body)
    except NftablesError as error:
        raise SystemFailure(f"nftables: {error}") from error
    return {place: sorted(items) for place, items in found.items()}


def _asked(family: str, table: str) -> list[dict[str, Any]]:
    """What is in a table; nothing if there is none."""
    try:
        answer = nftables.run(f"list table {family} {table}", json=True)
    except NftablesError as error:
        if "No such file or directory" in str(error):
            return []
        raise
    items: list[dict[str, Any]] = json.loads(answer)["nftables"]
    return items


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
