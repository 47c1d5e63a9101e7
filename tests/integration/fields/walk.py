"""The fields of a request's body, as Docker's published contract declares them, and their places in bodies."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from tests.wire.contract import Contract, Schema


def fields_of(contract: Contract, method: str, path: str) -> list[str]:
    """The places of all fields that a client may send: `HostConfig.Ulimits[].Name`, `EndpointsConfig{}.Links`."""
    return list(_walk(contract, contract.body(method, path), ""))


def _walk(contract: Contract, schema: Schema, place: str) -> Iterator[str]:
    flat = contract.flat(schema)
    if properties := flat.get("properties"):
        for name, inner in properties.items():
            yield from _walk(contract, inner, f"{place}.{name}" if place else name)
        return
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        inner = flat.get(key)
        if isinstance(inner, dict) and contract.flat(inner).get("properties"):
            yield from _walk(contract, inner, f"{place}{mark}")
            return
    yield place


def whole(place: str) -> str:
    """The place of the list or map that a field is in; of any other field its own."""
    return place.split("[]", 1)[0].split("{}", 1)[0]


def put(body: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """A copy of the body with the value in its place."""
    changed = deepcopy(body)
    *parents, name = whole(place).split(".")
    inner = changed
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[name] = value
    return changed


def at(document: Any, place: str) -> Any:
    """What is in a place of a document; None where that is not there."""
    for name in whole(place).split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both bodies in one; of a field that both have, the other's."""
    result = deepcopy(one)
    for name, value in other.items():
        if isinstance(value, dict) and isinstance(result.get(name), dict):
            result[name] = joined(result[name], value)
        else:
            result[name] = deepcopy(value)
    return result


def holds(found: Any, wanted: Any) -> bool:
    """Whether what was found says all that is wanted; it may say more, and leave out what is empty."""
    if not wanted:
        return not found
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(holds(found.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) >= len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)
