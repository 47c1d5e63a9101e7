"""The oracle of the build cache: after random edits, a cached build equals a clean one, file by file.

Dockerfiles and contexts are random; commands are functions of what they can read. `ZONEHOST_ORACLE_ROUNDS` says how
many edits (5), `ZONEHOST_ORACLE_SEED` where to begin. The figures are printed at the end; among them how many steps of
the last stage were done though the same words on the same layers had made the same files before: misses that a cache
could have avoided, if it knew what a command reads of its environment.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import subprocess
import tarfile
from pathlib import Path

from tests.integration.rig import Daemon

ROUNDS = int(os.environ.get("ZONEHOST_ORACLE_ROUNDS", "5"))
SEED = int(os.environ.get("ZONEHOST_ORACLE_SEED", "20261123"))
NAMES = ("a", "b", "c.txt", "d.log", "sub/e", "sub/f.txt", "sub/deep/g")


class Project:
    """A context and a Dockerfile of two stages, as lists of steps that can be edited."""

    def __init__(self, dice: random.Random, folder: Path) -> None:
        self.dice = dice
        self.folder = folder
        self.arguments = {"ARG_ONE": "1"}
        for name in NAMES:
            self.write(name)
        self.stages = [[self.step(0) for _ in range(4)], [self.step(1) for _ in range(5)]]
        self.ignored: list[str] = []

    def write(self, name: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name} {self.dice.randrange(3)}\n")
        path.chmod(self.dice.choice((0o644, 0o600, 0o755)))

    def step(self, stage: int) -> str:
        name = self.dice.choice((*NAMES, "sub", "."))
        number = self.dice.randrange(3)
        steps = [
            f"COPY {name} /copied{number}/",
            f"COPY --chown={number}:{number} sub /owned{number}/",
            f"COPY --chmod=075{number} a /modes/",
            f"COPY --exclude=*.log . /all{number}/",
            f"RUN find / -xdev -type f -newermt @0 -path '/copied*' -exec cat {{}} + > /sum{number}; true",
            f"RUN env | grep ARG_ | sort > /env{number}; true",
            f"RUN ls -ln /copied0 > /listing{number} 2>/dev/null; true",
            f"ENV ARG_ENV={number}",
            f"ARG ARG_ONE=default{number}",
            f"RUN --mount=type=bind,source={name},target=/m{number} cat /m{number} > /mounted{number} 2>&1; true",
            f"WORKDIR /work{number}",
            f"LABEL label={number}",
            f"USER {number}\nUSER 0",
            f"RUN <<END\necho {number} >> /lines\nEND",
            f"COPY <<END /document{number}\n$ARG_ENV {number}\nEND",
            f"ADD c.txt /added{number}/",
        ]
        if stage:
            steps += ["COPY --from=one / /from-one/", f"RUN --mount=from=one,target=/o ls /o > /one{number}"]
        return self.dice.choice(steps)

    def edit(self) -> str:
        """One change, in words."""
        kind = self.dice.choice(("file", "file", "mode", "remove", "step", "step", "insert", "delete", "arg", "ignore"))
        stage = self.dice.randrange(2)
        steps = self.stages[stage]
        at = self.dice.randrange(len(steps))
        name = self.dice.choice(NAMES)
        if kind == "file":
            self.write(name)
        elif kind == "mode" and (self.folder / name).exists():
            (self.folder / name).chmod(self.dice.choice((0o644, 0o600, 0o755)))
        elif kind == "remove":
            (self.folder / name).unlink(missing_ok=True)
            self.write("sub/new")
        elif kind == "step":
            steps[at] = self.step(stage)
        elif kind == "insert":
            steps.insert(at, self.step(stage))
        elif kind == "delete" and len(steps) > 2:
            del steps[at]
        elif kind == "arg":
            self.arguments = {"ARG_ONE": str(self.dice.randrange(3))}
        elif kind == "ignore":
            self.ignored = [self.dice.choice(("*.log", "sub", "!sub/e", "nothing"))]
        return kind

    def heal(self) -> None:
        """After an edit that nothing can be built from: all files are there again, and none is ignored."""
        self.ignored = []
        for name in NAMES:
            self.write(name)

    def store(self) -> None:
        first, second = ("\n".join(steps) for steps in self.stages)
        dockerfile = f"FROM busybox AS one\n{first}\nFROM busybox\n{second}\n"
        (self.folder / "Dockerfile").write_text(dockerfile)
        (self.folder / ".dockerignore").write_text("\n".join(("Dockerfile", ".dockerignore", *self.ignored)))


def tree(daemon: Daemon, image: str) -> dict[str, tuple[object, ...]]:
    """All files of an image, without times."""
    container = daemon.docker("create", image, "true")
    exported = subprocess.run(["docker", "export", container], env=daemon.environment, capture_output=True)
    assert exported.returncode == 0, exported.stderr.decode()
    daemon.docker("rm", container)
    found: dict[str, tuple[object, ...]] = {}
    with tarfile.open(fileobj=io.BytesIO(exported.stdout)) as archive:
        for member in archive:
            owner = (member.mode, member.uid, member.gid)
            found[member.name] = (member.type, *owner, member.linkname, _digest(archive, member))
    return found


class Results:
    """What the steps of images made, by their words and the layers below them; times do not count."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], set[str]] = {}

    def repeated(self, daemon: Daemon, image: str) -> int:
        """How many layers of the image are new and yet hold what was made before."""
        saved = subprocess.run(["docker", "save", image], env=daemon.environment, capture_output=True, check=True)
        with tarfile.open(fileobj=io.BytesIO(saved.stdout)) as archive:
            (described,) = json.loads(_content(archive, "manifest.json"))
            config = json.loads(_content(archive, described["Config"]))
            contents = [_picture(_content(archive, name)) for name in described["Layers"]]
        made = [step.get("created_by", "") for step in config["history"] if not step.get("empty_layer")]
        words = [re.sub(r"multi:[0-9a-f]+ ", "", step) for step in made]
        count = 0
        diff_ids = config["rootfs"]["diff_ids"]
        for number, diff_id in enumerate(diff_ids):
            known = self._known.setdefault((*diff_ids[:number], words[number], contents[number]), set())
            count += bool(known) and diff_id not in known
            known.add(diff_id)
        return count


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    stream = archive.extractfile(name)
    assert stream is not None
    return stream.read()


def _picture(layer: bytes) -> str:
    """A digest of a layer's files, without their times."""
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        files = sorted(
            (member.name, member.type, member.mode, member.uid, member.gid, member.linkname, _digest(archive, member))
            for member in archive
        )
    return hashlib.sha256(repr(files).encode()).hexdigest()


def _digest(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    stream = archive.extractfile(member) if member.isreg() else None
    return hashlib.sha256(stream.read()).hexdigest() if stream else ""


def test_a_cached_build_equals_a_clean_one(daemon: Daemon, tmp_path: Path) -> None:
    project = Project(random.Random(SEED), tmp_path)
    hits = misses = failures = avoidable = 0
    results = Results()
    for number in range(ROUNDS):
        edit = project.edit() if number else "none"
        project.store()
        options = [f"--build-arg={name}={value}" for name, value in project.arguments.items()]
        cached = daemon.run("build", "-t", "cached", *options, ".", cwd=tmp_path)
        clean = daemon.run("build", "-t", "clean", "--no-cache", *options, ".", cwd=tmp_path)
        assert cached.status == clean.status, f"{edit}\n{cached.out}{cached.err}\n{clean.out}{clean.err}"
        hits += cached.out.count("---> Using cache")
        misses += cached.out.count("---> Running in")
        if cached.status:
            failures += 1
            project.heal()
            continue
        avoidable += results.repeated(daemon, "cached")
        results.repeated(daemon, "clean")  # from here on these are in the cache
        first, second = tree(daemon, "cached"), tree(daemon, "clean")
        different = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
        dockerfile = (tmp_path / "Dockerfile").read_text()
        assert not different, f"round {number}, {edit}: {sorted(different)}\n{dockerfile}\n{cached.out}"
    print(
        f"oracle: {ROUNDS} edits, {ROUNDS - failures} pairs compared ({failures} could not be built), 0 false hits, "
        f"{hits} hits, {misses} commands run, {avoidable} avoidable misses"
    )
    assert hits > 0
