"""Which build arguments exist where, and their values: global ones, a stage's own, predefined ones.

Source: Docker's Dockerfile reference, ARG. A stage sees an argument only after its ARG; ENV goes before ARG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from zonehost.builder.words import Style, expand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zonehost.builder.instructions import Arg
    from zonehost.domain.platform import Platform

PROXIES: Final = frozenset(
    name
    for upper in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY")
    for name in (upper, upper.lower())
)
"""Arguments that RUN gets without an ARG, and that are in no key and no history."""


def platform_arguments(target: Platform, build: Platform) -> dict[str, str]:
    """The global arguments that name the platforms."""
    found = {}
    for prefix, platform in (("TARGET", target), ("BUILD", build)):
        found[f"{prefix}PLATFORM"] = str(platform)
        found[f"{prefix}OS"] = platform.os
        found[f"{prefix}ARCH"] = platform.architecture
        found[f"{prefix}VARIANT"] = platform.variant
    return found


def declare(
    argument: Arg,
    *,
    given: Mapping[str, str],
    inherited: Mapping[str, str],
    variables: Mapping[str, str],
    escape: str,
) -> dict[str, str | None]:
    """The values that an ARG gives its names: what the build was given, its default, the global value, or none.

    `variables` are what its defaults may use. Raises SyntaxFault.
    """
    style = Style(escape=escape)
    found: dict[str, str | None] = {}
    for raw_name, default in argument.arguments:
        name = expand(raw_name, variables, style).text
        if name in given:
            found[name] = given[name]
        elif default is not None:
            found[name] = expand(default, {**variables, **_set(found)}, style).text
        else:
            found[name] = inherited.get(name)
    return found


def global_arguments(
    arguments: Iterable[Arg], *, given: Mapping[str, str], platforms: Mapping[str, str], escape: str
) -> dict[str, str]:
    """The arguments before the first FROM, and the platforms': what FROM may use, and a stage's bare ARG inherits."""
    values = dict(platforms)
    for argument in arguments:
        found = declare(argument, given=given, inherited=values, variables=values, escape=escape)
        values.update(_set(found))
    return values


def _set(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}
