"""`docker commit --change`: which instructions may stand there, and that they are read as in a Dockerfile."""

from __future__ import annotations

from typing import Final

import pytest

from zonehost.builder import changes
from zonehost.domain.config import Config, Healthcheck
from zonehost.domain.platform import Platform
from zonehost.errors import InvalidParameter

_SECOND: Final = 10**9


def apply_changes(config: Config, lines: list[str]) -> Config:
    return changes.apply_changes(config, lines, Platform(os="linux", architecture="amd64"))


def test_changes_of_a_commit() -> None:
    changed = apply_changes(
        Config(env=("A=1",), working_dir="/w"),
        [
            'CMD ["a", "b"]',
            "ENV A=2 B='x y'",
            "ENV C the rest",
            "EXPOSE 80 53/udp",
            'LABEL k="v w"',
            "VOLUME /data /more",
            "WORKDIR sub",
            "USER nobody",
            "STOPSIGNAL SIGINT",
            "ONBUILD RUN true",
            "HEALTHCHECK --interval=5s --retries=2 CMD check this",
        ],
    )
    assert changed.cmd == ("a", "b")
    assert changed.env == ("A=2", "B=x y", "C=the rest")
    assert changed.exposed_ports == {"80/tcp": {}, "53/udp": {}}
    assert changed.labels == {"k": "v w"}
    assert changed.volumes == {"/data": {}, "/more": {}}
    assert (changed.working_dir, changed.user, changed.stop_signal) == ("/w/sub", "nobody", "SIGINT")
    assert changed.on_build == ("RUN true",)
    assert changed.healthcheck == Healthcheck(test=("CMD-SHELL", "check this"), interval=5 * _SECOND, retries=2)


def test_a_shell_form_goes_through_the_shell_and_an_entrypoint_drops_the_command() -> None:
    assert apply_changes(Config(), ["CMD echo $A"]).cmd == ("/bin/sh", "-c", "echo $A")
    assert apply_changes(Config(cmd=("x",)), ['ENTRYPOINT ["e"]']).cmd is None
    assert apply_changes(Config(), ['CMD ["c"]', 'ENTRYPOINT ["e"]']).cmd == ("c",)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("RUN true", "RUN is not a valid change command"),
        ("ADD a b", "ADD is not a valid change command"),
        ("EXPOSE", "EXPOSE requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("LABEL a=1 b", "can't find = in"),
        ("EXPOSE x", "invalid port"),
        ("STOPSIGNAL NONE", "invalid signal"),
        ("HEALTHCHECK --colour=1 CMD x", "unknown flag: --colour"),
        ("HEALTHCHECK MAYBE", 'Unknown type "MAYBE" in HEALTHCHECK'),
        ('SHELL ["/bin/sh"]', "SHELL is not a valid change command"),
        ("USER ${", "missing '}'"),
    ],
)
def test_changes_that_cannot_be(change: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        apply_changes(Config(), [change])
    assert words in str(refused.value)


def test_variables_are_those_of_the_configuration_so_far() -> None:
    changed = apply_changes(
        Config(env=("PATH=/bin", "A=one", "P=80 90/udp")),
        [
            "ENV PATH=$PATH:/x",
            "ENV A=two B=$A C='$A' D=${NONE:-none}",
            "LABEL $A=${PATH}",
            "EXPOSE $P",
            "USER $A",
            "VOLUME /$A",
            "WORKDIR /$A/\\$A",
            "STOPSIGNAL SIG${INTERRUPT:-INT}",
            "CMD echo $A",
            'ENTRYPOINT ["$A"]',
            "HEALTHCHECK CMD $A",
            "ONBUILD USER $A",
        ],
    )
    assert changed.env == ("PATH=/bin:/x", "A=two", "P=80 90/udp", "B=one", "C=$A", "D=none")
    assert changed.labels == {"two": "/bin:/x"}
    assert changed.exposed_ports == {"80/tcp": {}, "90/udp": {}}
    assert (changed.user, changed.volumes, changed.working_dir) == ("two", {"/two": {}}, "/two/$A")
    assert (changed.stop_signal, changed.cmd) == ("SIGINT", ("/bin/sh", "-c", "echo $A"))
    assert (changed.entrypoint, changed.on_build) == (("$A",), ("USER $A",))
    assert changed.healthcheck == Healthcheck(test=("CMD-SHELL", "$A"))


def test_a_path_that_nobody_set_is_the_one_that_containers_have() -> None:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert apply_changes(Config(), ["ENV PATH=$PATH:/x"]).env == (f"PATH={path}:/x",)


def test_nothing_changes_nothing() -> None:
    assert apply_changes(Config(user="me"), ["", " "]) == Config(user="me")
