"""What is told of a container with each line of its log."""

from __future__ import annotations

import pytest

from zonehost.domain.config import Config
from zonehost.domain.log_attributes import log_attributes

CONFIG = Config(labels={"a": "b", "zone": "1 2", "other": "x"}, env=("X=1", "Y=2=3", "BARE"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, ""),
        ({"labels": "a,absent"}, "a=b"),
        ({"labels-regex": "^z"}, "zone=1+2"),
        ({"env": "X,BARE"}, "X=1"),
        ({"env-regex": "Y"}, "Y=2%3D3"),
        ({"labels": "a", "labels-regex": "^z", "env": "X", "tag": "{{.Name}}/x"}, "X=1,a=b,tag=one%2Fx,zone=1+2"),
    ],
)
def test_attributes(options: dict[str, str], told: str) -> None:
    assert log_attributes(options, CONFIG, {"Name": "one"}) == told
