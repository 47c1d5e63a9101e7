"""Docker's published contract (OpenAPI, `docker-engine-api-v1.51.yaml`) held against answers.

Owns the reading of that file and the walk through an answer. Knows three habits of Docker that the file does not tell:
Go's nil slices and maps are sent as null, an empty string stands for an unset enumeration or time, and the fields of
`NULL_IN_DOCKER` are null where there is nothing to say.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CONTRACT = Path(__file__).with_name("docker-engine-api-v1.51.yaml")

NULL_IN_DOCKER = frozenset(
    {"IPAMConfig", "Healthcheck", "Health", "ConfigFrom", "LogConfig", "MemorySwappiness", "OomKillDisable", "ExitCode"}
)
"""Pointers of Docker's own structs that it sends as null, and that the file declares as plain objects."""

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}

Schema = dict[str, Any]


class UnknownOperation(LookupError):
    """The contract has no such method and path."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, and the pattern that its path matches. YAML reads a status as a number or as text."""

    method: str
    template: str
    pattern: re.Pattern[str]
    responses: dict[int | str, Schema]


class Contract:
    """The operations and the definitions of the file."""

    def __init__(self, document: Schema) -> None:
        self._definitions: dict[str, Schema] = document["definitions"]
        self._paths: dict[str, Schema] = document["paths"]
        self._operations = [
            Operation(method.upper(), template, _pattern(template), operation["responses"])
            for template, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
        self._operations.sort(key=lambda operation: operation.template.count("{"))

    def operation(self, method: str, path: str) -> Operation:
        """The operation that serves `path` (without version and query). Raises UnknownOperation."""
        for operation in self._operations:
            if operation.method == method and operation.pattern.fullmatch(path):
                return operation
        raise UnknownOperation(f"{method} {path}")

    def body(self, method: str, template: str) -> Schema:
        """What the body of a request must be. Raises UnknownOperation if there is none."""
        for parameter in self._paths.get(template, {}).get(method.lower(), {}).get("parameters", ()):
            if parameter["in"] == "body":
                schema: Schema = parameter["schema"]
                return schema
        raise UnknownOperation(f"{method} {template}")

    def flat(self, schema: Schema) -> Schema:
        """The schema with its references followed and its parts merged into one."""
        return self._flatten(schema)[1]

    def problems(self, method: str, path: str, status: int, answer: Any) -> list[str]:
        """What in `answer` (decoded JSON) breaks the contract, one line a finding; empty where nothing does."""
        operation = self.operation(method, path)
        response = operation.responses.get(str(status)) or operation.responses.get(status)
        if response is None:
            return [f"status {status} is not one of {sorted(str(known) for known in operation.responses)}"]
        schema = response.get("schema")
        return [] if schema is None else list(self._check(answer, schema, "$"))

    def problems_of(self, definition: str, value: Any) -> list[str]:
        """What in `value` breaks the named definition."""
        return list(self._check(value, self._definitions[definition], "$"))

    def _check(self, value: Any, schema: Schema, where: str) -> Iterator[str]:
        nullable, flat = self._flatten(schema)
        if value is None:
            if not (nullable or _is_null_in_go(flat) or where.rsplit(".", 1)[-1] in NULL_IN_DOCKER):
                yield f"{where}: null, where {flat.get('type', 'a value')} is due"
            return
        declared = flat.get("type")
        if declared and not _is_of_type(value, declared):
            yield f"{where}: {type(value).__name__} {value!r:.60}, where {declared} is due"
        elif isinstance(value, dict):
            yield from self._check_object(value, flat, where)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield from self._check(item, flat.get("items", {}), f"{where}[{number}]")
        elif value != "" and "enum" in flat and value not in flat["enum"]:
            yield f"{where}: {value!r} is not one of {flat['enum']}"

    def _check_object(self, value: dict[str, Any], flat: Schema, where: str) -> Iterator[str]:
        properties: dict[str, Schema] = flat.get("properties", {})
        others = flat.get("additionalProperties", not properties)
        for name in flat.get("required", ()):
            if name not in value:
                yield f"{where}.{name}: missing"
        for name, inner in value.items():
            if name in properties:
                yield from self._check(inner, properties[name], f"{where}.{name}")
            elif isinstance(others, dict):
                yield from self._check(inner, others, f"{where}.{name}")
            elif not others:
                yield f"{where}.{name}: not in the contract"

    def _flatten(self, schema: Schema) -> tuple[bool, Schema]:
        """Whether null is allowed, and the schema with its references followed and its `allOf` merged into one."""
        nullable = bool(schema.get("x-nullable"))
        if "$ref" in schema:
            inner_nullable, flat = self._flatten(self._definitions[schema["$ref"].rsplit("/", 1)[-1]])
            return nullable or inner_nullable, flat
        if "allOf" not in schema:
            return nullable, schema
        merged: Schema = {**schema, "properties": dict(schema.get("properties", {})), "required": []}
        for part in schema["allOf"]:
            _, flat = self._flatten(part)
            merged["properties"].update(flat.get("properties", {}))
            merged["required"].extend(flat.get("required", ()))
            merged.setdefault("type", flat.get("type", "object"))
        return nullable, merged


@functools.cache
def contract() -> Contract:
    """The published contract, read once a process."""
    return Contract(yaml.load(CONTRACT.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def _pattern(template: str) -> re.Pattern[str]:
    """Names of images may hold slashes; all other parameters are one segment."""
    segment = ".+" if template.startswith(("/images/", "/distribution/")) else "[^/]+"
    return re.compile(re.sub(r"\\{\w+\\}", segment, re.escape(template)))


def _is_null_in_go(flat: Schema) -> bool:
    is_map = flat.get("type") == "object" and not flat.get("properties")
    return is_map or flat.get("type") == "array"


def _is_of_type(value: Any, declared: str) -> bool:
    if isinstance(value, bool):
        return declared == "boolean"
    return isinstance(value, TYPES[declared])
