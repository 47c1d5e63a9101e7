"""Runs Docker's own tests of its API against a daemon of ours, and holds what comes out against `integration.txt`.

Started by scripts/moby, which fetches and builds the tests.
"""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.rig import Daemon

LIST = Path(__file__).with_name("integration.txt")
MINUTES = 20
_RESULT = re.compile(r" *--- (PASS|FAIL|SKIP): (\S+) \(")
_VERDICTS = ("skip", "fails", "either")


@dataclass(frozen=True, slots=True)
class Expected:
    """A line of the list: a test that is not run, that fails, or that may do either, and why."""

    package: str
    test: str
    verdict: str
    reason: str


def main(cache: str, pattern: str, *packages: str) -> int:
    """Run the packages' tests whose names match the pattern; the exit status."""
    listed = expectations(LIST.read_text())
    daemon = Daemon.make()
    counts = {"passed": 0, "skipped by themselves": 0, "not run or not passed, as listed": 0}
    wrong: list[str] = []
    # A run that is told to end takes its daemon with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    daemon.start()
    try:
        make_images(daemon)
        for package in packages:
            known = {one.test: one for one in listed if one.package == package}
            results = run(daemon, Path(cache), package, pattern, known)
            wrong += judge(package, results, known)
            counts["passed"] += sum(result == "PASS" for result in results.values())
            counts["skipped by themselves"] += sum(result == "SKIP" for result in results.values())
            counts["not run or not passed, as listed"] += len(known)
    finally:
        daemon.close()
    print(*wrong, sep="\n")
    print(", ".join(f"{number} {what}" for what, number in counts.items()), f"- {len(wrong)} not as expected")
    return int(bool(wrong))


def expectations(text: str) -> list[Expected]:
    """The lines of the list: package, test, verdict and reason; `#` begins a comment."""
    found = []
    for line in filter(None, (line.partition("#")[0].strip() for line in text.splitlines())):
        package, test, verdict, reason = line.split(maxsplit=3)
        if verdict not in _VERDICTS:
            raise ValueError(f"{LIST.name}: {verdict} is none of {', '.join(_VERDICTS)}")
        found.append(Expected(package, test, verdict, reason))
    return found


def make_images(daemon: Daemon) -> None:
    """The images that the tests expect to be there, of what Debian has."""
    daemon.zonehost("bootstrap", "busybox")
    for name in ("busybox:glibc", "debian:bookworm-slim"):
        daemon.docker("tag", "busybox:latest", name)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as made:
        made.addfile(tarfile.TarInfo("hello"))
    for platform, name in (
        ("linux/amd64", "hello-world:amd64"),
        ("linux/arm64", "hello-world:arm64"),
        ("linux/arm/v7", "arm32v7/hello-world:latest"),
    ):
        daemon.docker("import", "--platform", platform, "-c", 'CMD ["/hello"]', "-", name, stdin=archive.getvalue())
    daemon.docker("tag", "hello-world:amd64", "hello-world:frozen")


def run(daemon: Daemon, cache: Path, package: str, pattern: str, known: dict[str, Expected]) -> dict[str, str]:
    """How each test ended that has no tests below it, while all output goes to ours."""
    left_out = "|".join(re.escape(test) for test, one in known.items() if one.verdict == "skip")
    command = [
        str(cache / "bin" / f"{package.replace('/', '-')}.test"),
        *("-test.v", f"-test.timeout={MINUTES}m", f"-test.run={pattern}"),
        *([f"-test.skip=^({left_out})$"] if left_out else []),
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(daemon.instance.run_root),
        "DOCKER_HOST": daemon.environment["DOCKER_HOST"],
        "DOCKER_FIREWALL_BACKEND": "nftables",
        "DOCKER_GRAPHDRIVER": "overlay2",
    }
    folder = cache / "source" / "integration" / package
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        results = dict(_results(process.stdout))
    return {
        name: result for name, result in results.items() if not any(other.startswith(f"{name}/") for other in results)
    }


def _results(output: io.TextIOBase | Iterator[str]) -> Iterator[tuple[str, str]]:
    for line in output:
        print(line, end="", flush=True)
        if (found := _RESULT.match(line)) is not None:
            yield found[2], found[1]


def judge(package: str, results: dict[str, str], known: dict[str, Expected]) -> list[str]:
    """A line for each test that did not do what is expected of it."""
    if not results:
        return [f"{package}: nothing was run"]
    failed = [f"{package} {test} failed" for test, result in results.items() if result == "FAIL" and test not in known]
    passed = [
        f"{package} {test} passed, but is listed: {one.reason}"
        for test, one in known.items()
        if one.verdict == "fails" and results.get(test, "FAIL") != "FAIL"
    ]
    return failed + passed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
