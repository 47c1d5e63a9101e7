"""Field names of a JSON body, matched as Go matches them: without regard to case, null as if it were not there.

A field that no struct knows is refused, unless it is empty: an option is obeyed or refused, never dropped. Owns names
only; types are checked where the struct is made.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec.inspect
from msgspec.inspect import DictType, Field, ListType, StructType, TupleType, UnionType, VarTupleType

from zonehost.errors import InvalidParameter

Fit = Callable[[Any, str], Any]
"""Takes a decoded value and its place in the body; gives the value with the names of the struct."""


@cache
def fit_for(kind: type[msgspec.Struct]) -> Fit:
    """What renames the fields of a body that is to become `kind`.

    The function raises:
        InvalidParameter: a field that `kind` does not know has a value; names it with its place.
    """
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, StructType)
    return _fit_struct(described)


def _fit(kind: msgspec.inspect.Type) -> Fit | None:
    """What fits values of this type; None where there is nothing below it to rename."""
    match kind:
        case StructType():
            return _fit_struct(kind)
        case UnionType(types=types):
            return next((fit for fit in map(_fit, types) if fit is not None), None)
        case DictType(value_type=inner):
            below = _fit(inner)
            return None if below is None else _fit_values(below)
        case ListType(item_type=inner) | VarTupleType(item_type=inner):
            below = _fit(inner)
            return None if below is None else _fit_items(below)
        case TupleType():
            return None
        case _:
            return None


def _fit_struct(kind: StructType) -> Fit:
    known: dict[str, tuple[Field, Fit | None]] = {}
    for field in kind.fields:
        known[field.encode_name.lower()] = (field, _fit(field.type))

    def fit(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            return value
        fitted: dict[str, Any] = {}
        for name, inner in value.items():
            if inner is None:
                continue
            found = known.get(name.lower())
            if found is None:
                if inner:
                    raise InvalidParameter(f"unknown field: {place}{name}")
                continue
            field, below = found
            fitted[field.encode_name] = inner if below is None else below(inner, f"{place}{name}.")
        return fitted

    return fit


def _fit_values(below: Fit) -> Fit:
    def fit(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: inner if inner is None else below(inner, f"{place}{key}.") for key, inner in value.items()}

    return fit


def _fit_items(below: Fit) -> Fit:
    def fit(value: Any, place: str) -> Any:
        if not isinstance(value, list):
            return value
        at = place.removesuffix(".")
        return [inner if inner is None else below(inner, f"{at}[{n}].") for n, inner in enumerate(value)]

    return fit
