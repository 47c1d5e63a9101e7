"""The contract's reader finds what it is there to find."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.contract import Contract, UnknownOperation, contract

VERSION: dict[str, Any] = {"Version": "1", "ApiVersion": "1.51", "Components": [{"Name": "Engine", "Version": "1"}]}


def test_an_answer_that_keeps_the_contract_has_no_problems() -> None:
    assert contract().problems("GET", "/version", 200, VERSION) == []


def test_a_wrong_type_is_named_with_its_place() -> None:
    assert contract().problems("GET", "/version", 200, {**VERSION, "Version": 1}) == [
        "$.Version: int 1, where string is due"
    ]


def test_a_boolean_is_no_integer() -> None:
    assert contract().problems_of("Resources", {"Memory": True}) == ["$.Memory: bool True, where integer is due"]


def test_a_missing_field_is_named() -> None:
    assert contract().problems("GET", "/version", 200, {"Components": [{"Name": "Engine"}]}) == [
        "$.Components[0].Version: missing"
    ]


def test_a_field_that_docker_does_not_have_is_named() -> None:
    assert contract().problems("GET", "/version", 200, {**VERSION, "Zone": 1}) == ["$.Zone: not in the contract"]


def test_a_status_that_docker_does_not_send_is_named() -> None:
    (problem,) = contract().problems("GET", "/version", 404, {"message": "no"})
    assert problem.startswith("status 404 is not one of")


def test_nil_slices_and_maps_may_be_null_but_numbers_may_not() -> None:
    assert contract().problems_of("HostConfig", {"Binds": None, "Sysctls": None}) == []
    assert contract().problems_of("HostConfig", {"ShmSize": None}) == ["$.ShmSize: null, where integer is due"]


def test_all_of_is_one_object() -> None:
    assert contract().problems_of("HostConfig", {"Memory": 1, "AutoRemove": False}) == []
    assert contract().problems_of("HostConfig", {"Memory": "1"}) == ["$.Memory: str '1', where integer is due"]


def test_an_enumeration_takes_its_words_and_the_empty_one() -> None:
    assert contract().problems_of("RestartPolicy", {"Name": "always"}) == []
    assert contract().problems_of("RestartPolicy", {"Name": ""}) == []
    (problem,) = contract().problems_of("RestartPolicy", {"Name": "sometimes"})
    assert problem.startswith("$.Name: 'sometimes' is not one of")


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/images/json", "/images/json"),
        ("/images/docker.io/library/busybox/json", "/images/{name}/json"),
        ("/containers/abc/json", "/containers/{id}/json"),
    ],
)
def test_a_path_finds_its_operation(path: str, template: str) -> None:
    assert contract().operation("GET", path).template == template


def test_an_unknown_path_is_refused() -> None:
    with pytest.raises(UnknownOperation):
        contract().operation("GET", "/containers/a/b/json")


def test_references_in_a_document_of_ones_own_are_followed() -> None:
    document = {
        "definitions": {"Name": {"type": "string", "x-nullable": True}},
        "paths": {"/x": {"get": {"responses": {200: {"schema": {"$ref": "#/definitions/Name"}}}}}},
    }
    assert Contract(document).problems("GET", "/x", 200, None) == []
