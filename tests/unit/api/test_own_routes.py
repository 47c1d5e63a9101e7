"""What zonehost answers beside Docker's API is what docs/openapi.yaml says, and no more."""

from __future__ import annotations

from pathlib import Path

import yaml

from zonehost.api.application import ROUTES

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.yaml"
PATHS = ("/zonehost/v1/pool", "/zonehost/v1/snapshots", "/zonehost/v1/schedules", "/zonehost/v1/clone")
PREFIXES = (*PATHS, "/zonehost/v1/send", "/zonehost/v1/receive", "/zonehost/v1/containers/{name}/set")


def test_every_route_is_described_and_every_description_has_its_route() -> None:
    described = {
        (method.upper(), path)
        for path, methods in yaml.safe_load(DOCUMENT.read_text())["paths"].items()
        for method in methods
    }
    assert described == {(route.method, route.path) for route in ROUTES if route.path.startswith(PREFIXES)}
