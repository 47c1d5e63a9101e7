"""Our tables as the kernel has them, and as it would have them: for comparing, item by item."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, Final

from zonehost.errors import SystemFailure
from zonehost.linux import namespaces, nftables
from zonehost.linux.nftables import NftablesError

_FAMILIES: Final = ("inet", "bridge")
Rules = dict[str, set[str]]
"""By family and place (a set, a map, or a chain): what it holds, each item as canonical JSON."""


def listed(table: str) -> Rules:
    """What the tables of this name hold, in the network namespace of this thread.

    Raises:
        SystemFailure: nft failed.
    """
    found: Rules = {}
    for family in _FAMILIES:
        for item in _asked(family, table):
            for kind, body in item.items():
                _take(found, family, kind, body)
    return found


def listed_in_fresh_namespace(table: str, ruleset: str) -> Rules:
    """What the tables of this name would hold after the ruleset.

    Raises:
        SystemFailure: nft failed, or there is no network namespace to be had.
    """

    def work() -> Rules:
        try:
            namespaces.unshare(namespaces.NEWNET)
            nftables.run(ruleset)
        except (OSError, NftablesError) as error:
            raise SystemFailure(f"nftables: {error}") from error
        return listed(table)

    return _in_own_thread(work)


def _in_own_thread(work: Callable[[], Rules]) -> Rules:
    """Run something that changes its thread's namespaces: they end with the thread."""
    results: list[Rules | SystemFailure] = []

    def catching() -> None:
        try:
            results.append(work())
        except SystemFailure as error:
            results.append(error)

    thread = threading.Thread(target=catching, name="audit")
    thread.start()
    thread.join()
    [result] = results
    if isinstance(result, SystemFailure):
        raise result
    return result


def _asked(family: str, table: str) -> list[dict[str, Any]]:
    """What is in a table; nothing if there is none."""
    try:
        answer = nftables.list_table(family, table)
    except NftablesError as error:
        if "No such file or directory" in str(error):
            return []
        raise SystemFailure(f"nftables: {error}") from error
    items: list[dict[str, Any]] = json.loads(answer)["nftables"]
    return items


def _take(found: Rules, family: str, kind: str, body: dict[str, Any]) -> None:
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
