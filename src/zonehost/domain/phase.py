"""How whole a record is: the intent that every record carries.

A record is committed as MAKING before anything of it exists in the kernel or on disk, becomes WHOLE when all does,
and REMOVING before any of it is taken away. A start-up that finds a record that is not WHOLE knows what to do.
"""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """The stages of a record, in order."""

    MAKING = "making"
    WHOLE = "whole"
    REMOVING = "removing"
