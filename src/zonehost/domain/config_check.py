"""Whether a Config can be: each field obeyed later, or refused here by name, in Docker's words where it has them."""

from __future__ import annotations

from typing import Final

from zonehost.domain.config import Config, Healthcheck
from zonehost.domain.port_spec import exposed_ports
from zonehost.domain.signals import parse_signal
from zonehost.errors import InvalidParameter

_MILLISECOND: Final = 1_000_000
_HOSTNAME_LIMIT: Final = 64
"""HOST_NAME_MAX of Linux; gethostname(2)."""


def check_config(config: Config) -> None:
    """Look through the fields of a Config.

    Raises:
        InvalidParameter: one is wrong; the message names it.
    """
    if config.working_dir and not config.working_dir.startswith("/"):
        raise InvalidParameter(
            f"the working directory '{config.working_dir}' is invalid, it needs to be an absolute path"
        )
    for variable in config.env or ():
        if not variable or variable.startswith("="):
            raise InvalidParameter(f"invalid environment variable: {variable}")
        if "\0" in variable:
            raise InvalidParameter("invalid environment variable: it contains a null byte")
    if config.healthcheck is not None:
        check_healthcheck(config.healthcheck)
    if config.stop_signal:
        parse_signal(config.stop_signal)
    for name, value in (("hostname", config.hostname), ("domainname", config.domainname)):
        if len(value) > _HOSTNAME_LIMIT or any(character.isspace() or character in "/\0" for character in value):
            raise InvalidParameter(f"invalid {name} format: {value}")
    exposed_ports(config.exposed_ports)
    if any("\0" in word for word in (*(config.cmd or ()), *(config.entrypoint or ()), config.user)):
        raise InvalidParameter("invalid command: it contains a null byte")


def check_healthcheck(health: Healthcheck) -> None:
    """Look through a health check; zero inherits the default.

    Raises:
        InvalidParameter: a time is too short, a count negative, or the kind of test unknown.
    """
    for name, value in (
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ):
        if value != 0 and value < _MILLISECOND:
            raise InvalidParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if health.retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")
    test = health.test or ()
    if test and test[0] not in ("NONE", "CMD", "CMD-SHELL"):
        raise InvalidParameter(f"Test in Healthcheck: unknown kind {test[0]}, use NONE, CMD or CMD-SHELL")
    if test and test[0] != "NONE" and len(test) < 2:
        raise InvalidParameter(f"Test in Healthcheck: {test[0]} needs a command")
