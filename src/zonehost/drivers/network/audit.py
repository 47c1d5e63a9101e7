"""The driver of the audit port for networks: links and tables of this instance, read and left as they are."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from zonehost.domain.network import Network
from zonehost.drivers.network import firewall, plan
from zonehost.drivers.network.driver import Settings
from zonehost.drivers.network.names import Names
from zonehost.drivers.network.wiring import Wiring
from zonehost.errors import SystemFailure
from zonehost.linux import namespaces
from zonehost.linux.nftables import Nftables, NftablesError
from zonehost.ports.audit import Finding, Trouble
from zonehost.ports.network import ZonePlugs

_FAMILIES = ("inet", "bridge")
Rules = dict[tuple[str, str], frozenset[str]]
"""What a table holds: by family and place (a set, or a chain's rules), each item as canonical JSON."""


class KernelNetworkAudit:
    """`ports.audit.NetworkAudit`."""

    def __init__(self, instance: str, settings: Settings = Settings()) -> None:
        self._names = Names(instance)
        self._settings = settings

    async def examine(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> tuple[Finding, ...]:
        """Links and firewall, both ways."""
        found = await asyncio.to_thread(lambda: (*self._links(networks, zones), *self._firewall(networks, zones)))
        return tuple(found)

    async def holdings(self, plugs: ZonePlugs) -> tuple[str, ...]:
        """The zone's links, and its elements of the firewall."""
        lines = [f"link {self._names.veth(plug.endpoint.id)} in {plug.network.name}" for plug in plugs.plugs]
        for (family, name), elements in plan.elements(self._names, [plugs]).items():
            lines += [
                f"{family} {name} {' . '.join(key)}" + (f" : {' . '.join(to)}" if to else "") for key, to in elements
            ]
        return tuple(lines)

    def _links(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> Iterator[Finding]:
        there = {link.name for link in Wiring(self._names).ours()}
        bridges = {
            plan.bridge_name(self._names, network): network.name for network in networks if network.driver == "bridge"
        }
        veths = {
            self._names.veth(plug.endpoint.id): zone.zone
            for zone in zones
            for plug in zone.plugs
            if plug.network.driver == "bridge"
        }
        for name in sorted(bridges.keys() - there):
            detail = f"the bridge of network {bridges[name]}"
            yield Finding(trouble=Trouble.LOSS, kind="bridge", name=name, detail=detail)
        for name in sorted(veths.keys() - there):
            yield Finding(trouble=Trouble.LOSS, kind="link", name=name, zone=veths[name])
        for name in sorted(there - bridges.keys() - veths.keys()):
            yield Finding(trouble=Trouble.ORPHAN, kind="link", name=name)

    def _firewall(self, networks: Sequence[Network], zones: Sequence[ZonePlugs]) -> Iterator[Finding]:
        """The kernel is asked twice: for our table, and for what it makes of the ruleset that the state means."""
        walls = [plan.wall(self._names, network) for network in networks if network.driver == "bridge"]
        wanted = firewall.ruleset(
            self._names.table,
            self._names.veth_prefix,
            firewall.merged(
                firewall.bridge_elements(walls, metadata=self._settings.metadata),
                plan.elements(self._names, zones),
            ),
        )
        try:
            expected, found = _in_fresh_namespace(self._names.table, wanted), _listed(self._names.table)
        except NftablesError as error:
            raise SystemFailure(f"nftables: {error}") from error
        for place in sorted(expected.keys() | found.keys()):
            name = f"{place[0]} {self._names.table} {place[1]}"
            for item in sorted(expected.get(place, frozenset()) - found.get(place, frozenset())):
                yield Finding(trouble=Trouble.LOSS, kind="firewall", name=name, detail=item)
            for item in sorted(found.get(place, frozenset()) - expected.get(place, frozenset())):
                yield Finding(trouble=Trouble.ORPHAN, kind="firewall", name=name, detail=item)


def _in_fresh_namespace(table: str, ruleset: str) -> Rules:
    """The ruleset as the kernel reads it, in a network namespace that ends with the thread that made it."""
    results: list[Rules | NftablesError | OSError] = []

    def work() -> None:
        try:
            namespaces.unshare(namespaces.NEWNET)
            with Nftables() as nftables:
                nftables.run(ruleset)
            results.append(_listed(table))
        except (NftablesError, OSError) as error:
            results.append(error)

    thread = threading.Thread(target=work, name="audit")
    thread.start()
    thread.join()
    [result] = results
    if isinstance(result, OSError):
        raise SystemFailure(f"cannot make a network namespace: {result}") from result
    if isinstance(result, NftablesError):
        raise result
    return result


def _listed(table: str) -> Rules:
    """What the tables of this name hold, in the network namespace of this thread."""
    found: dict[tuple[str, str], set[str]] = {}
    with Nftables() as nftables:
        tables = json.loads(nftables.run("list tables", json=True))["nftables"]
        for family in _FAMILIES:
            if not any(t.get("table", {}).get("name") == table and t["table"]["family"] == family for t in tables):
                continue
            for item in json.loads(nftables.run(f"list table {family} {table}", json=True))["nftables"]:
                for kind, body in item.items():
                    _take(found, family, kind, body)
    return {place: frozenset(items) for place, items in found.items()}


def _take(found: dict[tuple[str, str], set[str]], family: str, kind: str, body: dict[str, Any]) -> None:
    if kind in ("set", "map"):
        items = found.setdefault((family, body["name"]), set())
        items.update(json.dumps(element, sort_keys=True) for element in body.get("elem", ()))
    elif kind == "chain":
        found.setdefault((family, body["name"]), set())
    elif kind == "rule":
        expression = [_without_counts(part) for part in body["expr"]]
        found.setdefault((family, body["chain"]), set()).add(json.dumps(expression, sort_keys=True))


def _without_counts(expression: Any) -> Any:
    if isinstance(expression, dict) and "counter" in expression:
        return {"counter": None}
    return expression
