"""The page on the commands knows every command and option there is, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from tollbook.cli import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="a wheel carries no docs")


def _commands(command: object, name: str = "tollbook") -> Iterator[tuple[str, object]]:
    yield name, command
    for child, each in getattr(command, "commands", {}).items():
        yield from _commands(each, f"{name} {child}")


def _options() -> set[str]:
    commands = [each for _, each in _commands(typer.main.get_command(app))]
    return {opt for each in commands for param in each.params for opt in param.opts if opt.startswith("-")}


def test_every_command_has_its_heading():
    headings = set(re.findall(r"^#+ (tollbook.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE))
    names = {name for name, _ in _commands(typer.main.get_command(app))}
    assert headings == names - {"tollbook report"}


def test_every_option_is_on_the_page_and_none_that_does_not_exist():
    named = set(re.findall(r"`(--?[a-z-]+)", PAGE.read_text(encoding="utf-8")))
    assert named - {"--help"} == _options() - {"--help"}


def test_every_command_says_what_it_does():
    for name, command in _commands(typer.main.get_command(app)):
        assert (command.help or "").strip(), name


def test_help_holds_no_brackets_that_the_terminal_takes_for_markup():
    for name, command in _commands(typer.main.get_command(app)):
        texts = [command.help or "", *(getattr(each, "help", None) or "" for each in command.params)]
        assert not [text for text in texts if re.search(r"\[[a-z#/@\[]", text)], name
