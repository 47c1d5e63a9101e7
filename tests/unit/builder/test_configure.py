"""Instructions that change a configuration, and the `--mount` flag."""

from __future__ import annotations

import pytest

from zonehost.builder.configure import absolute, configure
from zonehost.builder.faults import SyntaxFault
from zonehost.builder.mounts import RunMount, mount_origin, read_mount
from zonehost.builder.parse import parse
from zonehost.builder.state import StageState
from zonehost.domain.config import Config
from zonehost.domain.platform import Platform
from zonehost.errors import InvalidParameter


def after(text: str, config: Config | None = None) -> tuple[Config, list[str]]:
    state = StageState(Platform("linux", "amd64"), config or Config(), arguments={"ARG": "value", "UNSET": None})
    shown = []
    for instruction in parse(f"FROM scratch\n{text}".encode()).stages[0].instructions:
        changed = configure(instruction, state, "\\")
        assert changed is not None
        state, words = changed
        shown.append(words)
    return state.config, shown


def test_env_keeps_its_order_and_uses_what_was_before() -> None:
    config, shown = after("ENV A=1 B=2\nENV A=x$A C=$A$B\nENV D=$ARG$UNSET", Config(env=("PATH=/bin", "B=0")))
    assert config.env == ("PATH=/bin", "B=2", "A=x1", "C=12", "D=value")
    assert shown[1] == "ENV A=x1 C=12"


def test_the_environment_goes_before_arguments() -> None:
    assert after("ENV ARG=env\nENV B=$ARG")[0].env == ("ARG=env", "B=env")


def test_commands() -> None:
    assert after("CMD echo $HOME")[0].cmd == ("/bin/sh", "-c", "echo $HOME")
    assert after('SHELL ["bash", "-ec"]\nCMD x')[0].cmd == ("bash", "-ec", "x")
    inherited = Config(cmd=("old",), entrypoint=("e",))
    assert after('ENTRYPOINT ["new"]', inherited)[0].cmd is None
    kept, _ = after('CMD ["a"]\nENTRYPOINT ["new"]', inherited)
    assert (kept.cmd, kept.entrypoint) == (("a",), ("new",))
    assert after("ENTRYPOINT []", inherited)[0].entrypoint is None


def test_the_others() -> None:
    config, shown = after(
        "EXPOSE 80 53/udp 8000-8001\nVOLUME /a /b$ARG\nUSER u$ARG\nSTOPSIGNAL SIGTERM\nLABEL a=$ARG 'b c'=d\n"
        "HEALTHCHECK CMD true\nONBUILD RUN x $ARG\nMAINTAINER me"
    )
    assert config.exposed_ports == {"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}}
    assert config.volumes == {"/a": {}, "/bvalue": {}}
    assert (config.user, config.stop_signal) == ("uvalue", "SIGTERM")
    assert config.labels == {"a": "value", "b c": "d"}
    assert config.on_build == ("RUN x $ARG",)
    assert shown[0] == "EXPOSE 53/udp 80 8000-8001"
    assert shown[-1] == "MAINTAINER me"


@pytest.mark.parametrize("text", ["EXPOSE x", "EXPOSE 70000", "STOPSIGNAL SIGNONE"])
def test_values_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidParameter):
        after(text)


@pytest.mark.parametrize(
    ("path", "workdir", "expected"),
    [("a", "/", "/a"), ("../a/./b/", "/x/y", "/x/a/b"), ("/../..", "/x", "/"), ("//a", "/", "/a"), (".", "/w", "/w")],
)
def test_absolute(path: str, workdir: str, expected: str) -> None:
    assert absolute(path, workdir) == expected


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("target=/a", RunMount(target="/a", readonly=True)),
        ("type=bind,from=x,src=s,dst=/a,rw", RunMount(origin="x", source="s", target="/a")),
        ("TYPE=cache,target=$T,id=i,sharing=locked,uid=5,mode=0700",
         RunMount(type="cache", target="/t", id="i", sharing="locked", uid=5, mode=0o700)),
        ("type=tmpfs,target=/a,size=10m", RunMount(type="tmpfs", target="/a", size=10 << 20)),
        ("type=secret,env=TOKEN", RunMount(type="secret", env="TOKEN", readonly=True)),
        ('type=secret,"id=a,b",required', RunMount(type="secret", id="a,b", required=True, readonly=True)),
        ("type=ssh", RunMount(type="ssh", readonly=True)),
        ("target=/a,readonly=false", RunMount(target="/a")),
    ],
)  # fmt: skip
def test_reads_mounts(text: str, mount: RunMount) -> None:
    assert read_mount(text, lambda value: value.replace("$T", "/t")) == mount


@pytest.mark.parametrize(
    "text",
    [
        "type=volume,target=/a",
        "type=bind",
        "target=/a,size=1",
        "target=/a,mode=0700",
        "target=/a,sharing=shared",
        "type=cache,target=/a,sharing=odd",
        "type=cache,target=/a,mode=9",
        "type=cache,target=/a,mode=1000000",
        "type=cache,target=/a,uid=4294967295",
        f"type=cache,target=/a,gid={'9' * 5000}",
        f"type=tmpfs,target=/a,size={'9' * 5000}",
        "type=secret,from=x,id=i",
        "type=secret,id=i,env=",
        "type=secret,id=i,env=A=B",
        "type=secret,id=i,env",
        "type=bind,target=/x,env=A",
        "type=secret",
        "target=/a,nonsense",
        "target=/a,non=sense",
        "target=/a,ro=perhaps",
        "target=/a,required",
    ],
)
def test_refuses_mounts(text: str) -> None:
    with pytest.raises(SyntaxFault):
        read_mount(text, str)


def test_the_origin_of_a_mount_is_known_before_expansion() -> None:
    assert mount_origin("type=bind,from=stage,target=$X") == "stage"
    assert mount_origin("type=cache,target=/x") == ""
    with pytest.raises(SyntaxFault, match="doesn't support variable expansion"):
        mount_origin("from=$X,target=/a")
