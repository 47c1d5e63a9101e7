"""`zonehost serve`: reads the options and runs the daemon until it is told to end."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one option a name of the configuration file; what is not given stays None."""
    text = parser.add_argument_group("where")
    text.add_argument("--config", type=Path, metavar="FILE", help="TOML file (default: /etc/zonehost/config.toml)")
    text.add_argument("--data-root", metavar="DIR", help="images, zones, volumes, records (/var/lib/zonehost)")
    text.add_argument("--run-root", metavar="DIR", help="sockets and what is gone after a reboot (/run/zonehost)")
    text.add_argument("--name", help="part of every name in the kernel; two daemons need two names (default)")
    text.add_argument("--debug", action="store_true", default=None, help="log more")
    text.add_argument("--label", action="append", metavar="KEY=VALUE", help="shown by `docker info`; repeatable")
    text.add_argument("--storage-driver", metavar="DRIVER", help="btrfs, directory or auto (auto: btrfs if it can be)")
    text.add_argument("--storage-opt", action="append", metavar="size=SIZE", help="quota of zones that ask for none")
    text.add_argument("--pool-size", type=int, metavar="BYTES", help="of a new btrfs pool (a share of what is free)")
    network = parser.add_argument_group("who may connect")
    network.add_argument(
        "--host", action="append", metavar="ADDRESS", help="unix://PATH, tcp://IP:PORT or fd://; repeatable"
    )
    network.add_argument("--tlscacert", metavar="FILE", help="authority that client certificates must be of")
    network.add_argument("--tlscert", metavar="FILE", help="the daemon's certificate")
    network.add_argument("--tlskey", metavar="FILE", help="the key of the daemon's certificate")
    network.add_argument(
        "--insecure-tcp", action="store_true", default=None, help="allow tcp:// on loopback without TLS"
    )
    zones = parser.add_argument_group("defaults of zones")
    zones.add_argument("--log-driver", metavar="DRIVER", help="json-file, local, none or syslog (json-file)")
    zones.add_argument("--log-opt", action="append", metavar="NAME=VALUE", help="option of the log driver; repeatable")
    zones.add_argument(
        "--default-ulimit", action="append", metavar="NAME=SOFT[:HARD]", help="process limit; repeatable"
    )
    zones.add_argument("--default-shm-size", type=int, metavar="BYTES", help="size of /dev/shm (67108864)")
    zones.add_argument("--stop-timeout", type=int, metavar="SECONDS", help="from stop signal to SIGKILL (10)")
    zones.add_argument("--init", action="store_true", default=None, help="run an init as process 1 of each zone")
    links = parser.add_argument_group("networks")
    links.add_argument("--publish", metavar="WHERE", help="where ports answer by default: all or loopback (all)")
    links.add_argument(
        "--default-address-pool", action="append", metavar="base=SUBNET,size=N", help="networks' subnets; repeatable"
    )
    links.add_argument("--allow-metadata", action="store_true", default=None, help="let zones reach 169.254.169.254")
    images = parser.add_argument_group("registries and builds")
    images.add_argument("--registry-mirror", action="append", metavar="URL", help="asked first; repeatable")
    images.add_argument("--insecure-registry", action="append", metavar="HOST", help="may speak plain HTTP; repeatable")
    images.add_argument("--build-fresh", metavar="DURATION", help="how old a build's cached step may be, such as 24h")


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; 0 after an orderly end."""
    # Imported here: `zonehost serve --help` needs none of it.
    from zonehost.daemon.configuration import configure
    from zonehost.daemon.serve import serve

    given = {name: value for name, value in vars(options).items() if name not in ("command", "config")}
    for name in ("log_opt", "storage_opt"):
        if given[name] is not None:
            given[name] = dict(text.partition("=")[::2] for text in given[name])
    asyncio.run(serve(configure(given, options.config)))
    return 0
