"""The documentation is tested: commands have help and stand in the README, examples work."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import typer.main
import yaml

from mnistlab.__main__ import main
from mnistlab.cli import app
from mnistlab.config.load import load_config
from mnistlab.config.validation import valid_keys
from mnistlab.core.losses import LOSSES
from mnistlab.run_folders.folder import RunFolder, SweepFolder
from mnistlab.sweeps.trials import load_sweep

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(group=None, path=()):
    """Yield every command's path and object, groups included."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        yield (*path, name), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))


COMMANDS = list(commands())
USED = [shlex.split(line) for line in re.findall(r"`mnistlab ([^`\n]+)`", README)]


@pytest.mark.parametrize(("path", "command"), COMMANDS)
def test_every_command_has_help_and_stands_in_the_readme(path, command):
    assert command.help
    if not hasattr(command, "commands"):
        assert any(words[: len(path)] == list(path) for words in USED), f"README lacks {path}"
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{path}: {parameter.name} has no help"


@pytest.mark.parametrize("words", USED, ids=" ".join)
def test_every_command_in_the_readme_exists_with_its_options(words):
    command = typer.main.get_command(app)
    for word in list(words):
        if word in getattr(command, "commands", {}):
            command = command.commands[word]
            words = words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    for word in words:
        assert not word.startswith("-") or word in {*known, "--help", "--install-completion"}


def test_the_readmes_config_is_the_default():
    text = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)[1]
    defaults = load_config(None).model_dump()
    for key, value in yaml.safe_load(text).items():
        assert defaults[key] == value


def test_the_readmes_sweep_file_is_valid(tmp_path):
    text = re.search(r"```yaml\n(# my_sweep.yaml.*?)```", README, re.DOTALL)[1]
    (tmp_path / "my_sweep.yaml").write_text(text)
    sweep = load_sweep(tmp_path / "my_sweep.yaml")
    assert len(sweep.trials) == sweep.max_trials == 100


def test_the_readme_names_every_key_and_every_file():
    for key in valid_keys():
        assert key.rpartition(".")[2] in README
    for folder in (RunFolder(Path("run")), SweepFolder(Path("run"))):
        for name in dir(folder):
            value = getattr(folder, name)
            if isinstance(value, Path) and name not in ("lock_file", "path"):
                assert value.name in README
    for config in (ROOT / "configs").rglob("*.yaml"):
        assert f"`{config.name}`" in README


def test_the_readmes_plugin_works(tmp_path, monkeypatch):
    plugin = tmp_path / "mine.py"
    plugin.write_text(re.search(r"```python\n(.*?)```", README, re.DOTALL)[1])
    words = shlex.split(re.search(r"\$ mnistlab (.*--plugin.*)", README)[1])
    monkeypatch.chdir(tmp_path)
    mini = ["data.dataset=mnist-mini", "data.validation=1000", "epochs=1", "--no-plots", "-q"]
    monkeypatch.setattr(sys, "argv", ["mnistlab", *words, *mini])
    try:
        with pytest.raises(SystemExit) as caught:
            main()
    finally:
        LOSSES._entries.pop("absolute_error", None)
    assert caught.value.code == 0


def test_the_readmes_python_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MNISTLAB_RUNS_DIR", "runs")
    (code,) = (
        one for one in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "sweep(" in one
    )
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own
    shown = capsys.readouterr().out
    assert shown.startswith("completed 0.")
    assert (tmp_path / "curves.png").exists()


def test_the_licence_of_the_small_dataset_stands_beside_it():
    note = (ROOT / "mnistlab" / "datasets" / "mini" / "README.md").read_text(encoding="utf-8")
    assert "LeCun" in note
    assert "creativecommons.org" in note
