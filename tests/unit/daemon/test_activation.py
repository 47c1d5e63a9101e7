"""Sockets that a service manager passes."""

from __future__ import annotations

import os

import pytest

from zonehost.daemon.activation import inherited
from zonehost.errors import InvalidParameter


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid())},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "0"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "x"},
    ],
)
def test_what_is_not_passed_to_this_process_is_not_taken(told: dict[str, str]) -> None:
    environment = {"HOME": "/", **told, "LISTEN_FDNAMES": "x"}
    with pytest.raises(InvalidParameter, match=r"zonehost\.socket"):
        inherited(environment)
    assert environment == {"HOME": "/"}
