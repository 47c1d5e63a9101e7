"""Cached steps that images carry with them: each step's key stands in the comment of its history.

So an image that comes from elsewhere is a cache too, where `--cache-from` names it. What such a step asked outside is
kept in words; the addresses that it spoke to are not, so that the same build gives the same image everywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from zonehost.domain.image_config import parse_rfc3339
from zonehost.ports.build_cache import CachedStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zonehost.ports.workshop import Base

_COMMENT: Final = re.compile(r"zonehost:([0-9a-f]{40})(?: asked (.+))?")
_ADDRESS: Final = re.compile(r"[0-9.]+:[0-9]+|\[[0-9a-f:]+\](?::[0-9]+)?")
_SOMEONE: Final = "network"


def comment_of(step: CachedStep) -> str:
    """What the history of an image says of a step beside its words."""
    asked = dict.fromkeys(_SOMEONE if _ADDRESS.fullmatch(one) else one for one in step.outside)
    return f"zonehost:{step.key}" + (f" asked {'; '.join(asked)}" if asked else "")


def carried_steps(image: Base, now: int) -> Iterator[CachedStep]:
    """The steps that an image carries."""
    history = image.config.history or ()
    # An image that was imported has layers of which its history says nothing; they are the lowest.
    unsaid = len(image.layers) - sum(not step.empty_layer for step in history)
    layers = iter(image.layers[max(unsaid, 0) :])
    for step in history:
        layer = "" if step.empty_layer else next(layers, "")
        match = _COMMENT.fullmatch(step.comment)
        if match:
            yield CachedStep(
                key=match[1],
                layer=layer,
                instruction=step.created_by,
                made=parse_rfc3339(step.created),
                used=now,
                outside=tuple(match[2].split("; ")) if match[2] else (),
            )
