"""The documentation is tested: commands have help and stand in it, it can be built, its tour runs.

That what its pages tell to type works is tested by tests/test_wheel.py.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from mnistlab.cli import app
from mnistlab.config.load import load_config
from mnistlab.config.validation import valid_keys
from mnistlab.run_folders.folder import RunFolder, SweepFolder
from tests.pages import PAGES, README, ROOT, read_page

DOCS = ROOT / "docs"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in PAGES}
README_TEXT = README.read_text(encoding="utf-8")


def commands(group=None, path=()):
    """Yield every command's path and object, groups included."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
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
    command = typer.main.get_command(app)
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


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return the documentation, built without running the tour, which has a test of its own."""
    pytest.importorskip("myst_nb")
    target = tmp_path_factory.mktemp("docs")
    words = ["-W", "--keep-going", "-q", "-D", "nb_execution_mode=off", "-d", target / "trees"]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, DOCS, target / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target / "html"


def test_the_built_pages_name_every_key_and_every_file(built):
    keys = (built / "configs.html").read_text(encoding="utf-8")
    for key in valid_keys():
        assert f">{key}<" in keys, key
    for folder in (RunFolder(Path("run")), SweepFolder(Path("run"))):
        for name in dir(folder):
            value = getattr(folder, name)
            if isinstance(value, Path) and name not in ("lock_file", "path"):
                assert f"`{value.name}" in TEXTS["run-folders.md"], value.name
    shipped = TEXTS["configs.md"] + TEXTS["sweeps.md"]
    for config in (ROOT / "configs").rglob("*.yaml"):
        assert f"`{config.name}`" in shipped


def test_the_built_pages_load_nothing_from_elsewhere(built):
    pages = list(built.glob("*.html"))
    assert len(pages) > len(PAGES) - 1
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r"<(?:script|img|link|iframe)[^>]*(?:src|href)=\"([^\"]+)\"", text)
        assert not [one for one in loaded if re.match(r"(?:https?:)?//", one)], page.name


def test_the_pages_that_the_readme_names_are_there():
    named = re.findall(r"\]\((?!http)([^)#]+)", README_TEXT)
    assert len(named) > 15
    for name in named:
        assert (ROOT / name).exists(), name
    for page in DOCS.glob("*.md"):
        if page.stem not in ("index", "api", "benchmarks", "changelog"):
            assert f"docs/{page.name}" in named


def test_the_tour_runs_and_is_kept_without_outputs(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    import nbformat  # noqa: PLC0415 - comes with nbclient

    pytest.importorskip("ipykernel")
    for variable in ("MNISTLAB_RUNS_DIR", "COV_CORE_SOURCE", "COVERAGE_PROCESS_START"):
        monkeypatch.delenv(variable, raising=False)
    notebook = nbformat.read(DOCS / "tour.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=120, resources=where).execute()
    given = [output for cell in cells for output in cell.outputs]
    assert sum("image/png" in output.get("data", ()) for output in given) == 4
    assert sum("text/html" in output.get("data", ()) for output in given) >= 5


def test_the_licence_of_the_small_dataset_stands_beside_it():
    note = (ROOT / "mnistlab" / "datasets" / "mini" / "README.md").read_text(encoding="utf-8")
    assert "LeCun" in note
    assert "creativecommons.org" in note
