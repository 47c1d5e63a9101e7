"""What may be true of a thing that many clients make and remove at once: it is there or not, and each call saw either.

A history is accepted if there is an order of the calls, each at some moment between its begin and its end, in which
every answer is right (linearizability, by the search of Wing and Gong). Pure; knows nothing of containers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Effect(Enum):
    """What a call found and what it left: pairs of whether the thing was there before, and after."""

    MADE = ((False, True),)
    ENSURED = ((False, True), (True, True))
    REMOVED = ((True, False),)
    SEEN = ((True, True),)
    MISSED = ((False, False),)
    MAYBE_REMOVED = ((False, False), (True, True), (True, False))


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One call about one thing; `text` is for whoever reads a contradiction."""

    began: float
    ended: float
    effect: Effect
    text: str

    def __str__(self) -> str:
        return f"{self.text} ({self.began:.3f} to {self.ended:.3f})"


@dataclass(frozen=True, slots=True)
class _Possible:
    """The thing is there or not, and these calls of those under way have had their effect."""

    there: bool
    done: frozenset[Call]


def contradiction(history: Iterable[Call], *, there: bool = False) -> str:
    """The first call whose answer cannot be true, with those around it; empty if the history can be."""
    calls = tuple(history)
    moments = sorted([(call.began, 0, call) for call in calls] + [(call.ended, 1, call) for call in calls], key=_order)
    possible = {_Possible(there, frozenset())}
    under_way: set[Call] = set()
    for _, is_end, call in moments:
        if not is_end:
            under_way.add(call)
            continue
        possible = {
            _Possible(state.there, state.done - {call}) for state in _reached(possible, under_way) if call in state.done
        }
        under_way.discard(call)
        if not possible:
            near = sorted((c for c in calls if c.began <= call.ended), key=lambda c: c.ended)[-8:]
            return f"{call} cannot be; before it: " + "; ".join(map(str, near))
    return ""


def _order(moment: tuple[float, int, Call]) -> tuple[float, int]:
    return moment[0], moment[1]


def _reached(possible: set[_Possible], under_way: set[Call]) -> set[_Possible]:
    """Everything that may be, once any of the calls under way had their effect."""
    found, new = set(possible), list(possible)
    while new:
        state = new.pop()
        for call in under_way - state.done:
            for before, after in call.effect.value:
                further = _Possible(after, state.done | {call})
                if before is state.there and further not in found:
                    found.add(further)
                    new.append(further)
    return found
