"""The `filters` parameter of the API: names, each with values of which any may match."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

import msgspec

from zonehost.errors import InvalidParameter

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class Filters:
    """Immutable; an absent filter matches everything."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Iterable[str]] | None = None) -> None:
        self._values = {name: tuple(given) for name, given in (values or {}).items()}

    @classmethod
    def parse(cls, text: str | None) -> Filters:
        """Read either wire form: `{"a": {"x": true}}` as the CLI sends it, `{"a": ["x"]}` as libraries do.

        Raises:
            InvalidParameter: it is neither.
        """
        if not text:
            return cls()
        try:
            decoded = msgspec.json.decode(text, type=dict[str, dict[str, bool] | list[str]] | None)
        except msgspec.DecodeError as error:
            raise InvalidParameter(f"invalid filter: {error}") from error
        return cls(
            {
                name: [value for value, wanted in given.items() if wanted] if isinstance(given, dict) else given
                for name, given in (decoded or {}).items()
            }
        )

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def names(self) -> tuple[str, ...]:
        """The filters that are given."""
        return tuple(name for name in self._values if self._values[name])

    def get(self, name: str) -> tuple[str, ...]:
        """The values given for a filter, none if it is absent."""
        return self._values.get(name, ())

    def accept(self, known: Collection[str]) -> None:
        """Refuse filters that a verb does not have.

        Raises:
            InvalidParameter: one is not among the known.
        """
        for name in self._values:
            if name not in known:
                raise InvalidParameter(f"invalid filter '{name}'")

    def flag(self, name: str) -> bool | None:
        """The value of a filter that is true or false, None if it is absent.

        Raises:
            InvalidParameter: it is neither, or both.
        """
        values = self.get(name)
        if not values:
            return None
        if all(value in _TRUE for value in values):
            return True
        if all(value in _FALSE for value in values):
            return False
        listed = " ".join(values)
        raise InvalidParameter(f"invalid filter '{name}=[{listed}]'")

    def matches(self, name: str, candidates: Iterable[str]) -> bool:
        """Whether a value of the filter is equal to a candidate, or the filter is absent."""
        values = self.get(name)
        return not values or any(candidate in values for candidate in candidates)

    def matches_pattern(self, name: str, *texts: str) -> bool:
        """Whether a value of the filter is one of the texts or a regular expression found in one, or it is absent.

        As in Docker, a value that is no regular expression is found in nothing.
        """
        values = self.get(name)
        return not values or any(value in texts or any(_found(value, text) for text in texts) for value in values)

    def matches_labels(self, labels: Mapping[str, str] | None, name: str = "label") -> bool:
        """Whether all values of the filter (`key` or `key=value`) hold for the labels; `!`-filters: none may."""
        held = labels or {}
        if any(not _holds(value, held) for value in self.get(name)):
            return False
        return not any(_holds(value, held) for value in self.get(f"{name}!"))


def _found(pattern: str, text: str) -> bool:
    with suppress(re.error):
        return re.search(pattern, text) is not None
    return False


def _holds(value: str, labels: Mapping[str, str]) -> bool:
    key, equals, wanted = value.partition("=")
    return key in labels and (not equals or labels[key] == wanted)
