"""Every option is obeyed or refused by name: what cannot be is told before anything is made."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from zonehost.domain.config import Config, Healthcheck
from zonehost.domain.config_check import check_config
from zonehost.domain.host_config import (
    DeviceMapping,
    DeviceRequest,
    HostConfig,
    LogConfig,
    RestartPolicy,
    ThrottleDevice,
    Ulimit,
    WeightDevice,
)
from zonehost.domain.host_config_check import check_host_config, parse_extra_host, storage_quota
from zonehost.domain.log_config import check_log_config, log_bounds
from zonehost.domain.modes import check_modes
from zonehost.domain.resource_check import Capacity, check_resources, number_list, parse_number_list
from zonehost.domain.restart_policy import check_restart_policy, next_wait, restarts
from zonehost.domain.security import DEFAULT_CAPABILITIES, capabilities, parse_security_options
from zonehost.errors import InvalidParameter, NotFound, Unsupported

_MACHINE = Capacity(2, frozenset({0, 1}), frozenset({0}))


def refused(words: str, *, by: type[Exception] = InvalidParameter) -> Any:
    return pytest.raises(by, match=re.escape(words))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"memory": 1 << 20}, "Minimum memory limit allowed is 6MB"),
        ({"memory": 8 << 20, "memory_swap": 7 << 20}, "Minimum memoryswap limit should be larger than memory limit"),
        ({"memory_swap": 8 << 20}, "You should always set the Memory limit when using Memoryswap limit"),
        ({"memory_swappiness": 101}, "valid memory swappiness range is 0-100"),
        ({"memory_reservation": 1}, "Minimum memory reservation allowed is 6MB"),
        ({"memory": 8 << 20, "memory_reservation": 9 << 20}, "can not be less than memory reservation limit"),
        ({"nano_cpus": 3 * 10**9}, "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"),
        ({"nano_cpus": 1, "cpu_quota": 1000}, "Nano CPUs and CPU Quota cannot both be set"),
        ({"nano_cpus": 1, "cpu_period": 1000}, "Nano CPUs and CPU Period cannot both be set"),
        ({"cpu_shares": 1}, "the minimum allowed cpu-shares is 2"),
        ({"cpu_shares": -5}, "invalid CPU shares (-5): value must be a positive integer"),
        ({"cpu_period": 10}, "CPU cfs period can not be less than 1ms"),
        ({"cpu_quota": 10}, "CPU cfs quota can not be less than 1ms"),
        ({"cpuset_cpus": "0-7"}, "Requested CPUs are not available - requested 0-7, available: 0-1"),
        ({"cpuset_cpus": "a"}, "Invalid value a for cpuset cpus"),
        ({"cpuset_cpus": "0-1,,"}, "Invalid value 0-1,, for cpuset cpus"),
        ({"cpuset_mems": "1"}, "Requested memory nodes are not available"),
        ({"blkio_weight": 5}, "Range of blkio weight is from 10 to 1000"),
        ({"blkio_weight_device": (WeightDevice(path="/dev/x", weight=1),)}, "/dev/x has 1"),
        ({"blkio_device_read_bps": (ThrottleDevice(path="/dev/x", rate=-1),)}, "BlkioDeviceReadBps"),
        ({"ulimits": (Ulimit(name="colour", soft=1, hard=1),)}, "invalid ulimit type: colour"),
        ({"ulimits": (Ulimit(name="nofile", soft=2, hard=1),)}, "must be less than or equal to hard limit: 2 > 1"),
        ({"cpuset_cpus": "0-99999999"}, "Invalid value 0-99999999 for cpuset cpus: invalid format: 0-99999999"),
        ({"cpuset_mems": "9" * 5000}, "for cpuset mems: invalid format"),
        ({"cpu_count": 1}, "CpuCount"),
        ({"io_maximum_iops": 1}, "IOMaximumIOps"),
    ],
)
def test_resources(given: dict[str, Any], words: str) -> None:
    with refused(words):
        check_resources(HostConfig(**given), _MACHINE)


@pytest.mark.parametrize("text", ["", "3", "0-1", "0-3,7", "1,3,5-6"])
def test_a_list_of_numbers_is_written_as_it_is_read(text: str) -> None:
    assert number_list(parse_number_list(text)) == text


@pytest.mark.parametrize("name", ["cpu_realtime_period", "cpu_realtime_runtime", "kernel_memory", "kernel_memory_tcp"])
def test_limits_that_no_kernel_here_has_are_named(name: str) -> None:
    with refused("is not supported", by=Unsupported):
        check_resources(msgspec.structs.replace(HostConfig(), **{name: 1}), _MACHINE)


def test_what_can_be_had_passes() -> None:
    host = HostConfig(memory=64 << 20, memory_swap=-1, nano_cpus=2 * 10**9, cpuset_cpus="0,1", blkio_weight=10)
    check_resources(host, _MACHINE)
    assert parse_number_list("0-2,7\n") == {0, 1, 2, 7}


@pytest.mark.parametrize(
    ("given", "words", "by"),
    [
        ({"runtime": "kata"}, "unknown or invalid runtime name: kata", InvalidParameter),
        ({"isolation": "hyperv"}, "invalid isolation (hyperv): linux only supports 'default'", InvalidParameter),
        ({"cgroup": "x"}, "Cgroup is not supported", Unsupported),
        ({"volume_driver": "nfs"}, 'plugin "nfs" not found', NotFound),
        ({"shm_size": -1}, "SHM size can not be less than 0", InvalidParameter),
        ({"oom_score_adj": 1001}, "range for oom score adj is [-1000, 1000]", InvalidParameter),
        ({"cgroup_parent": "/../x"}, "invalid cgroup parent", InvalidParameter),
        ({"cap_add": ("FLY",)}, 'invalid CapAdd: unknown capability: "FLY"', InvalidParameter),
        ({"security_opt": ("seccomp={",)}, "Decoding seccomp profile failed", InvalidParameter),
        ({"security_opt": ("apparmor=mine",)}, "AppArmor is not in use", Unsupported),
        ({"security_opt": ("label=type:x",)}, "SELinux is not in use", Unsupported),
        ({"security_opt": ("nonsense",)}, "invalid --security-opt", InvalidParameter),
        ({"devices": (DeviceMapping(path_on_host="x"),)}, "device path must be absolute", InvalidParameter),
        (
            {"devices": (DeviceMapping(path_on_host="/dev/x", cgroup_permissions="z"),)},
            "device mode: z",
            InvalidParameter,
        ),
        ({"device_cgroup_rules": ("c 1:3",)}, "invalid device cgroup rule format: 'c 1:3'", InvalidParameter),
        (
            {"device_requests": (DeviceRequest(capabilities=(("gpu",),)),)},
            "capabilities: [[gpu]]",
            InvalidParameter,
        ),
        ({"sysctls": {"kernel.panic": "1"}}, "not in a separate kernel namespace", InvalidParameter),
        ({"sysctls": {"net.//.kernel.panic": "1"}}, "not in a separate kernel namespace", InvalidParameter),
        ({"sysctls": {"net/../kernel/panic": "1"}}, "not in a separate kernel namespace", InvalidParameter),
        ({"sysctls": {"net.ipv4.x": "1"}, "network_mode": "host"}, "not allowed in host network", InvalidParameter),
        ({"extra_hosts": ("box",)}, 'bad format for add-host: "box"', InvalidParameter),
        ({"extra_hosts": ("box:here",)}, "invalid IP address", InvalidParameter),
        ({"dns": ("one",)}, "invalid IP address in dns", InvalidParameter),
        ({"tmpfs": {"/x": "colour=red"}}, 'invalid tmpfs option ["colour=red"]', InvalidParameter),
        ({"storage_opt": {"colour": "red"}}, "unknown storage option: colour", InvalidParameter),
        ({"storage_opt": {"size": "many"}}, "invalid size: 'many'", InvalidParameter),
        ({"masked_paths": ("proc",)}, "it needs to be absolute", InvalidParameter),
    ],
)
def test_the_rest_of_a_host_config(given: dict[str, Any], words: str, by: type[Exception]) -> None:
    with refused(words, by=by):
        check_host_config(HostConfig(**given))


def test_options_that_can_be() -> None:
    check_host_config(
        HostConfig(
            sysctls={"net.ipv4.ip_forward": "1", "kernel.shmmax": "5"},
            tmpfs={"/x": "rw,size=64m,mode=1777,exec"},
            security_opt=("seccomp=unconfined", "no-new-privileges", "apparmor=unconfined", "label=disable"),
            extra_hosts=("far:10.1.1.1", "gate:host-gateway", "six=[::1]"),
        )
    )
    assert parse_extra_host("six=[::1]") == ("six", "::1")
    assert storage_quota(HostConfig(storage_opt={"size": "1.5g"})) == 3 << 29


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (Config(working_dir="here"), "it needs to be an absolute path"),
        (Config(env=("=x",)), "invalid environment variable: =x"),
        (Config(stop_signal="SIGNONE"), "invalid signal"),
        (Config(hostname="a b"), "invalid hostname format"),
        (Config(hostname="a" * 65), "invalid hostname format"),
        (Config(exposed_ports={"x": {}}), "invalid port"),
        (Config(healthcheck=Healthcheck(interval=5)), "Interval in Healthcheck cannot be less than 1ms"),
        (Config(healthcheck=Healthcheck(retries=-1)), "Retries in Healthcheck cannot be negative"),
        (Config(healthcheck=Healthcheck(test=("RUN", "x"))), "unknown kind RUN"),
        (Config(healthcheck=Healthcheck(test=("CMD",))), "CMD needs a command"),
    ],
)
def test_a_config(config: Config, words: str) -> None:
    with refused(words):
        check_config(config)


@pytest.mark.parametrize(
    ("config", "host", "words"),
    [
        (Config(), {"pid_mode": "shared"}, "invalid PID mode: shared"),
        (Config(), {"ipc_mode": "x"}, "invalid IPC mode: x"),
        (Config(), {"userns_mode": "container:x"}, "invalid user namespace mode"),
        (Config(hostname="x"), {"uts_mode": "host"}, "conflicting options: hostname and the UTS mode"),
        (Config(hostname="x"), {"network_mode": "container:y"}, "conflicting options: hostname and the network mode"),
        (Config(), {"network_mode": "container:y", "dns": ("1.1.1.1",)}, "dns and the network mode"),
        (Config(), {"network_mode": "container:y", "publish_all_ports": True}, "port publishing and the container"),
        (Config(), {"network_mode": "container:"}, "invalid container format"),
        (Config(), {"network_mode": "container"}, "invalid container format"),
        (Config(), {"network_mode": "host", "links": ("a:b",)}, "host type networking can't be used with links"),
    ],
)
def test_modes_that_contradict(config: Config, host: dict[str, Any], words: str) -> None:
    with refused(words):
        check_modes(config, HostConfig(**host))


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (RestartPolicy(name="sometimes"), "unknown policy 'sometimes'"),
        (RestartPolicy(name="always", maximum_retry_count=1), "maximum retry count can only be used with 'on-failure'"),
        (RestartPolicy(name="on-failure", maximum_retry_count=-1), "cannot be negative"),
    ],
)
def test_restart_policies(policy: RestartPolicy, words: str) -> None:
    with refused(words):
        check_restart_policy(HostConfig(restart_policy=policy))


def test_removal_by_itself_and_a_policy_exclude_each_other() -> None:
    with refused("can't create 'AutoRemove' container with restart policy"):
        check_restart_policy(HostConfig(auto_remove=True, restart_policy=RestartPolicy(name="always")))


@pytest.mark.parametrize(
    ("name", "code", "count", "by_hand", "again"),
    [
        ("no", 1, 0, False, False),
        ("always", 0, 9, True, True),
        ("unless-stopped", 0, 0, False, True),
        ("unless-stopped", 0, 0, True, False),
        ("on-failure", 0, 0, False, False),
        ("on-failure", 1, 2, False, True),
        ("on-failure", 1, 3, False, False),
    ],
)
def test_which_policy_starts_again(name: str, code: int, count: int, by_hand: bool, again: bool) -> None:
    policy = RestartPolicy(name=name, maximum_retry_count=3 if name == "on-failure" else 0)
    assert restarts(policy, exit_code=code, restart_count=count, by_hand=by_hand) is again


def test_waits_double_up_to_a_minute_and_begin_anew_after_a_steady_run() -> None:
    waits = [0.0]
    for _ in range(12):
        waits.append(next_wait(waits[-1], 1))
    assert waits[1:4] == [0.1, 0.2, 0.4]
    assert waits[-1] == 60
    assert next_wait(60, 10) == 0.1


@pytest.mark.parametrize(
    ("config", "words", "by"),
    [
        (
            LogConfig(type="journald"),
            'error looking up logging plugin journald: plugin "journald" not found',
            InvalidParameter,
        ),
        (LogConfig(config={"colour": "red"}), "unknown log opt 'colour' for json-file log driver", InvalidParameter),
        (LogConfig(type="json-file", config={"compress": "true"}), "log opt 'compress' for json-file", Unsupported),
        (LogConfig(config={"env-regex": "("}), "invalid log opt 'env-regex'", InvalidParameter),
        (LogConfig(config={"tag": "{{.Colour}}"}), "invalid log opt 'tag'", InvalidParameter),
        (LogConfig(type="local", config={"max-file": "0"}), "max-file cannot be less than 1", InvalidParameter),
        (LogConfig(config={"max-size": "-1"}), "invalid size", InvalidParameter),
        (LogConfig(config={"mode": "non-blocking"}), "logs are always blocking", Unsupported),
        (LogConfig(type="syslog", config={"syslog-address": "x"}), "invalid syslog-address", InvalidParameter),
    ],
)
def test_log_drivers(config: LogConfig, words: str, by: type[Exception]) -> None:
    with refused(words, by=by):
        check_log_config(config)


def test_logs_are_bounded_without_being_asked() -> None:
    assert log_bounds(LogConfig()).max_size * log_bounds(LogConfig()).max_files == 30 << 20
    assert log_bounds(LogConfig(config={"max-size": "1k", "max-file": "7"})).max_files == 7


def test_capabilities_in_the_kernels_order() -> None:
    assert capabilities(None, None, privileged=False) == tuple(
        sorted(DEFAULT_CAPABILITIES, key=capabilities(("ALL",), None, privileged=False).index)
    )
    assert capabilities(("net_admin",), ("ALL",), privileged=False) == ("CAP_NET_ADMIN",)
    assert "CAP_CHOWN" not in capabilities(("ALL",), ("CHOWN",), privileged=False)
    assert "CAP_SYS_ADMIN" in capabilities(None, ("ALL",), privileged=True)


def test_security_options() -> None:
    options = parse_security_options(("no-new-privileges:true", 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'))
    assert options.no_new_privileges
    assert options.seccomp == {"defaultAction": "SCMP_ACT_ALLOW"}
    assert parse_security_options(None).seccomp == {}
    assert parse_security_options(("seccomp=unconfined",)).seccomp is None
    assert parse_security_options(("writable-cgroups=false",)) == parse_security_options(None)
    with pytest.raises(Unsupported, match="security option writable-cgroups"):
        parse_security_options(("writable-cgroups",))
    with pytest.raises(InvalidParameter, match='invalid --security-opt 2: "writable-cgroups=1"'):
        parse_security_options(("writable-cgroups=1",))
