"""What a log says of its container: its tag, and the labels and variables that log options ask for.

Source: Docker's documentation of the json-file log driver, and daemon/logger of its engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote_plus

from zonehost.domain.config import Config
from zonehost.errors import InvalidParameter

OPTIONS: Final = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})
TAG_FIELDS: Final = frozenset(
    {"ID", "FullID", "Name", "ImageName", "ImageID", "ImageFullID", "DaemonName", "Hostname", "Command"}
)
_FIELD: Final = re.compile(r"\{\{\s*\.?(\w*)\s*\}\}")


def log_tag(template: str, fields: Mapping[str, str]) -> str:
    """The tag that a template makes of the fields (ID, Name, ImageName…).

    Raises:
        InvalidParameter: it names a field that there is not.
    """

    def value(match: re.Match[str]) -> str:
        if match[1] not in TAG_FIELDS:
            raise InvalidParameter(f"invalid log opt 'tag': {match[0]} is unknown")
        return fields.get(match[1], "")

    return _FIELD.sub(value, template)


def check_log_attributes(options: Mapping[str, str]) -> None:
    """Look through the options. Raises InvalidParameter: a pattern or the tag is badly written."""
    log_attributes(options, Config(), {})


def log_attributes(options: Mapping[str, str], config: Config, fields: Mapping[str, str]) -> str:
    """What `docker logs --details` puts before each line: `name=value`, sorted, with commas between them.

    Raises:
        InvalidParameter: as `check_log_attributes`.
    """
    variables = dict(variable.partition("=")[::2] for variable in config.env or () if "=" in variable)
    found = dict(_chosen(options, "labels", config.labels or {}))
    found.update(_chosen(options, "env", variables))
    if tag := log_tag(options.get("tag", ""), fields):
        found["tag"] = tag
    return ",".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in sorted(found.items()))


def _chosen(options: Mapping[str, str], option: str, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    names = options.get(option, "").split(",")
    text = options.get(f"{option}-regex", "")
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise InvalidParameter(f"invalid log opt '{option}-regex': {error}") from error
    for name, value in values.items():
        if name in names or (text and pattern.search(name)):
            yield name, value
