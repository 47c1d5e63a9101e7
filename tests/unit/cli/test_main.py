"""The command as a newcomer meets it."""

from __future__ import annotations

import pytest

from zonehost.cli.main import COMMANDS, main


def test_without_a_word_it_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(f"\n    {name}" in said for name in COMMANDS)


def test_a_summary_becomes_a_sentence_with_its_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["bootstrap", "--help"])
    assert left.value.code == 0
    assert "\nMake a base image from Debian's packages.\n" in capsys.readouterr().out
