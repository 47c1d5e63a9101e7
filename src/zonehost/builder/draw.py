"""From an instruction and the state of its stage to a step: all expanded, nothing left to look up but files. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from zonehost.builder import instructions as ins
from zonehost.builder.configure import absolute
from zonehost.builder.faults import SyntaxFault
from zonehost.builder.lines import Heredoc, parse_heredoc
from zonehost.builder.mounts import read_mount
from zonehost.builder.steps import CopyStep, FolderStep, RunStep, Step
from zonehost.builder.words import Style, expand
from zonehost.domain.git_url import read_git_url

if TYPE_CHECKING:
    from zonehost.builder.state import StageState
    from zonehost.domain.git_url import GitUrl

_URL: Final = re.compile(r"https?://", re.IGNORECASE)
_CHECKSUM: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MODE: Final = re.compile(r"[0-7]{1,5}|[ugoa]*[-+=][rwxXst]*(?:,[ugoa]*[-+=][rwxXst]*)*")
_SCRIPTS: Final = "/dev/pipes"
_DOCUMENT: Final = Style(plain_quotes=True)


def draw(instruction: ins.Instruction, state: StageState, escape: str) -> Step:
    """The step of RUN, COPY, ADD or WORKDIR.

    Raises:
        SyntaxFault: a variable cannot be expanded, or a flag's value cannot be.
    """
    style = Style(escape=escape)
    if isinstance(instruction, ins.Run):
        if instruction.security == "insecure":
            raise SyntaxFault("RUN --security=insecure is not allowed")
        return _run(instruction, state, style)
    if isinstance(instruction, ins.Workdir):
        return FolderStep(path=absolute(expand(instruction.path, state.variables, style).text, state.workdir))
    if isinstance(instruction, ins.Copy):
        return _copy("COPY", instruction.transfer, state, style, origin=instruction.origin)
    if isinstance(instruction, ins.Add):
        return _add(instruction, state, style)
    raise TypeError(type(instruction).__name__)


def _run(instruction: ins.Run, state: StageState, style: Style) -> RunStep:
    variables = state.variables
    arguments = {name: value for name, value in state.set_arguments.items() if name not in state.environment}
    environment = {**arguments, **state.environment}
    environment.setdefault("PATH", variables["PATH"])
    words, script = _command(instruction, state)

    def expanded(text: str) -> str:
        return expand(text, variables, style).text

    return RunStep(
        args=words,
        env=tuple(f"{name}={value}" for name, value in environment.items()),
        user=state.config.user,
        workdir=state.workdir,
        mounts=tuple(
            read_mount(text, lambda value: expand(value, variables, style).text) for text in instruction.mounts
        ),
        network=instruction.network,
        script=script,
        arguments=tuple(f"{name}={value}" for name, value in sorted(arguments.items())),
    )


def _command(instruction: ins.Run, state: StageState) -> tuple[tuple[str, ...], Heredoc | None]:
    """The words to run. A RUN of nothing but one here-document is a script; in any other, the shell reads them."""
    command = instruction.command
    if not command.shell:
        return command.words, None
    text = command.words[0]
    documents = instruction.heredocs
    if documents and parse_heredoc(text):
        if documents[0].content.startswith("#!"):
            return (f"{_SCRIPTS}/{documents[0].name}",), documents[0]
        text = documents[0].text
    elif documents:
        text += "".join(f"\n{document.content}{document.name}" for document in documents)
    return (*state.shell, text), None


def _copy(name: str, transfer: ins.Transfer, state: StageState, style: Style, *, origin: str) -> CopyStep:
    variables = state.variables

    def expanded(text: str) -> str:
        return expand(text, variables, style).text

    destination = expanded(transfer.destination)
    path = absolute(destination, state.workdir)
    if destination.endswith(("/", "/.")) or destination == ".":
        path = path.rstrip("/") + "/"
    sources = tuple(map(expanded, transfer.sources))
    if len(sources) + len(transfer.contents) > 1 and not path.endswith("/"):
        raise SyntaxFault(
            f"When using {name} with more than one source file, the destination must be a directory and end with a /"
        )
    mode = expanded(transfer.chmod)
    if mode and not _MODE.fullmatch(mode):
        raise SyntaxFault(f"invalid chmod parameter: '{mode}'. it should be octal string and between 0 and 07777")
    contents = tuple(
        (document.name, expand(document.text, variables, _DOCUMENT).text)
        if document.expand
        else (document.name, document.text)
        for document in transfer.contents
    )
    return CopyStep(
        name=name,
        sources=sources,
        contents=contents,
        destination=path,
        origin=origin,
        owner=expanded(transfer.chown),
        mode=mode,
        link=transfer.link,
        parents=transfer.parents,
        exclude=tuple(map(expanded, transfer.exclude)),
    )


def _add(instruction: ins.Add, state: StageState, style: Style) -> CopyStep:
    step = _copy("ADD", instruction.transfer, state, style, origin="")
    checksum = expand(instruction.checksum, state.variables, style).text
    local: list[str] = []
    urls: list[str] = []
    repositories: list[GitUrl] = []
    for source in step.sources:
        if repository := read_git_url(source):
            repositories.append(_repository(repository, checksum, instruction.keep_git_dir))
        else:
            (urls if _URL.match(source) else local).append(source)
    if checksum and local:
        raise SyntaxFault("checksum can't be specified for local sources")
    if checksum and len(urls) + len(repositories) != 1:
        raise SyntaxFault("checksum can't be specified for multiple sources")
    if checksum and urls and not _CHECKSUM.fullmatch(checksum):
        raise SyntaxFault(f"checksum {checksum!r} is not sha256: and 64 digits")
    return replace(
        step,
        sources=tuple(local),
        urls=tuple(urls),
        repositories=tuple(repositories),
        checksum=checksum if urls else "",
        unpack=instruction.unpack,
    )


def _repository(repository: GitUrl, checksum: str, keep: bool | None) -> GitUrl:
    """A repository with what the flags of its ADD say."""
    if checksum:
        repository = repository.checked(checksum)
    return repository if keep is None else replace(repository, keep_git_dir=keep)
