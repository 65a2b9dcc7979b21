"""Shipped configs are found by their names where there is no such file."""

import json
from pathlib import Path

import pytest
import yaml

from mnistlab.cli.options import complete_config
from mnistlab.config.config_files import describe_config, find_config, shipped_configs
from mnistlab.config.load import load_config
from mnistlab.errors import ConfigError
from mnistlab.sweeps.sweep_file import is_sweep_file
from mnistlab.sweeps.trials import load_sweep

MINI = ("data.dataset=mnist-mini", "data.validation=1000", "epochs=1")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Stand in a folder without configs."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", ["linear", "linear.yaml", "configs/linear.yaml"])
def test_a_name_finds_the_shipped_config(name):
    assert find_config(Path(name)) == shipped_configs()["linear"]


def test_sweeps_are_found_with_and_without_their_folder():
    assert find_config(Path("assignment")) == shipped_configs()["sweeps/assignment"]
    assert find_config(Path("sweeps/sigmoid")) == shipped_configs()["sweeps/sigmoid"]
    assert find_config(Path("sigmoid")) == shipped_configs()["sigmoid"]


def test_a_file_of_that_name_wins(tmp_path):
    (tmp_path / "linear").write_text("epochs: 3\n")
    assert load_config(find_config(Path("linear"))).epochs == 3


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(ConfigError, match="no shipped config of this name; did you mean 'softmax'"):
        find_config(Path("sofmax"))
    assert find_config(Path("my/own.yaml")) == Path("my/own.yaml")


def test_every_shipped_config_says_what_it_is(run):
    code, out, err = run("config", "list", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        name: describe_config(file) for name, file in shipped_configs().items()
    }
    assert all(json.loads(out).values())
    code, out, _ = run("config", "list")
    assert [line.split()[0] for line in out.splitlines()[1:]] == list(shipped_configs())


def test_what_show_prints_is_a_config_of_ones_own(run, tmp_path):
    for name in shipped_configs():
        code, out, err = run("config", "show", name)
        assert (code, err) == (0, ""), err
        (tmp_path / "mine.yaml").write_text(out)
        if is_sweep_file(find_config(Path(name))):
            own, theirs = (load_sweep(one) for one in (Path("mine.yaml"), find_config(Path(name))))
            assert [one.config for one in own.trials] == [one.config for one in theirs.trials]
        else:
            assert load_config(Path("mine.yaml")) == load_config(find_config(Path(name)))


def test_show_takes_a_name_and_overrides_and_one_config_only(run):
    code, out, _ = run("config", "show", "linear", "epochs=3")
    assert code == 0
    assert yaml.safe_load(out)["epochs"] == 3
    code, _, err = run("config", "show", "linear", "softmax")
    assert code == 2
    assert "shows one config" in err


def test_the_commands_take_names(run, tmp_path):
    assert run("train", "-c", "linear", *MINI, "--no-plots", "-q")[0] == 0
    assert run("sweep", "-c", "assignment", "--dry-run", *MINI[:2])[0] == 0
    (tmp_path / "own.yaml").write_text("base: linear\nparameters: {epochs: [1, 2]}\n")
    assert run("sweep", "-c", "own.yaml", "--dry-run", *MINI[:2])[0] == 0
    assert run("config", "validate", "linear", "assignment")[0] == 0


def test_names_and_files_are_completed(tmp_path):
    (tmp_path / "lines.yaml").write_text("")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "more").mkdir()
    assert complete_config("lin") == ["linear", "linear_overflow", "lines.yaml"]
    assert complete_config("mo") == ["more/"]
