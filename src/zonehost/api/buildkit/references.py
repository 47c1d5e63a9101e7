"""What one build made, named so that a client can hand it to another build: as BuildKit's operations (LLB) are written.

The definition has one operation, a source whose identifier holds the reference; nobody but us can carry it out.
Source: BuildKit v0.25, solver/pb/ops.proto and client/llb/definition.go.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

from zonehost.api.buildkit.messages import Definition, Empty
from zonehost.api.buildkit.protobuf import Message
from zonehost.errors import InvalidParameter

_SCHEME: Final = "zonehost-build://"


class _Input(Message, frozen=True, kw_only=True):
    digest: Annotated[str, 1] = ""


class _Source(Message, frozen=True, kw_only=True):
    identifier: Annotated[str, 1] = ""


class _Operation(Message, frozen=True, kw_only=True):
    inputs: Annotated[tuple[_Input, ...], 1] = ()
    source: Annotated[_Source | None, 3] = None


def definition_of(reference: str) -> Definition:
    """The definition that stands for a reference."""
    operation = _Operation(source=_Source(identifier=_SCHEME + reference)).encode()
    digest = f"sha256:{hashlib.sha256(operation).hexdigest()}"
    last = _Operation(inputs=(_Input(digest=digest),)).encode()
    return Definition(definition=(operation, last), metadata={digest: Empty()})


def reference_in(definition: Definition) -> str:
    """The reference that a definition stands for. Raises InvalidParameter if it is no such."""
    for data in definition.definition:
        source = _Operation.decode(data).source
        if source is not None and source.identifier.startswith(_SCHEME):
            return source.identifier.removeprefix(_SCHEME)
    raise InvalidParameter(
        "operations of BuildKit (LLB) cannot be carried out: only what another build made is an input"
    )
