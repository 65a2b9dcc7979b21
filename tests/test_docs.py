"""The documentation agrees with the code; `make docs` tries what it shows and tells to type."""

import re
import shlex

import pytest
import typer.main
import yaml

from mnistlab.cli import make_app
from mnistlab.config.load import load_config
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.datasets import DATASETS
from tests.pages import PAGES, README, ROOT, read_page

DOCS = ROOT / "docs"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
README_TEXT = README.read_text(encoding="utf-8")


def commands(group=None, path=()):
    """Yield every command's path and object, groups included."""
    for name, command in (group or typer.main.get_command(make_app())).commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


COMMANDS = list(commands())


def used():
    """Yield the words of each command that a page names, each once."""
    lines = {line for text in TEXTS.values() for line in re.findall(r"`mnistlab ([^`\n]+)`", text)}
    for page in map(read_page, PAGES):
        for command in page.commands:
            line = command.line.replace("\\\n", " ").partition("|")[0].partition(";")[0]
            if line.startswith("mnistlab "):
                lines.add(line.removeprefix("mnistlab "))
    for line in sorted(lines):
        words = shlex.split(line)
        yield words[: words.index(">")] if ">" in words else words


USED = list(used())


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_every_command_has_help_and_stands_in_the_documentation(path, command):
    assert command.help
    if not hasattr(command, "commands"):
        assert any(words[: len(path)] == list(path) for words in USED), f"no page has {path}"
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{path}: {parameter.name} has no help"


@pytest.mark.parametrize("words", USED, ids=" ".join)
def test_every_command_in_the_documentation_exists_with_its_options(words):
    command = typer.main.get_command(make_app())
    for word in list(words):
        if word in getattr(command, "commands", {}):
            command = command.commands[word]
            words = words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    for word in words:
        option = word.partition("=")[0]
        assert not word.startswith("-") or option in {*known, "--help", "--install-completion"}


@pytest.mark.parametrize("name", ["README.md", "configs.md"])
def test_the_config_that_is_shown_is_the_default(name):
    text = re.search(r"```yaml\n(.*?)```", TEXTS[name], re.DOTALL)[1]
    defaults = load_config(None).model_dump()
    shown = yaml.safe_load(text)
    assert len(shown) == 8
    for key, value in shown.items():
        expected = {**defaults[key], **value} if key == "data" else value
        assert defaults[key] == expected


@pytest.mark.parametrize(
    ("key", "registry"),
    [("model", MODELS), ("loss", LOSSES), ("optimizer", OPTIMIZERS), ("dataset", DATASETS)],
)
def test_the_config_that_is_shown_names_every_choice(key, registry):
    comment = re.search(rf"^ *{key}: .*# (.*)$", README_TEXT, re.MULTILINE)[1]
    assert comment.split(" | ")[: len(registry)] == list(registry)


def test_the_page_on_data_shows_every_dataset():
    assert [name for name in DATASETS if f"\n{name} " not in TEXTS["data.md"]] == []


def test_the_pages_that_the_readme_names_are_there():
    named = re.findall(r"\]\((?!http)([^)#]+)", README_TEXT)
    assert len(named) > 15
    for name in named:
        assert (ROOT / name).exists(), name
    for page in DOCS.glob("*.md"):
        if page.stem not in ("index", "api", "benchmarks", "changelog"):
            assert f"docs/{page.name}" in named


def test_the_licence_of_the_small_dataset_stands_beside_it():
    note = (ROOT / "mnistlab" / "datasets" / "mini" / "README.md").read_text(encoding="utf-8")
    assert "LeCun" in note
    assert "creativecommons.org" in note
