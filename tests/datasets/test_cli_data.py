"""`mnistlab data`: what each command prints, its JSON and its exit code."""

import json
import sys
import types

import pytest
from typer.testing import CliRunner

from mnistlab.cli.inputs import data_app
from mnistlab.datasets import DATASETS
from mnistlab.datasets.data_files import NAMES
from mnistlab.errors import FetchError, UnknownNameError
from tests.datasets.conftest import Messages, tiny_dataset

NAMED = "name", "images", "cached", "path", "description", "licence"


@pytest.fixture(autouse=True)
def console(monkeypatch):
    """Stand in for the console's progress, so that what this room tells it can be read."""
    told = Messages()
    module = types.ModuleType("mnistlab.console.progress")
    module.fetch_progress = lambda _quiet: told
    monkeypatch.setitem(sys.modules, "mnistlab.console.progress", module)
    return told


def run(*arguments: str, code: int = 0):
    result = CliRunner().invoke(data_app, list(arguments))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def test_list():
    output = run("list").stdout
    for name, dataset in DATASETS.items():
        (line,) = (line for line in output.splitlines() if line.startswith(f"{name} "))
        assert f"{dataset.images:,}" in line
        assert f"({dataset.licence})" in line
        assert (" yes " in line) == (name == "mnist-mini")


def test_list_json():
    rows = json.loads(run("list", "--json").stdout)
    assert [row["name"] for row in rows] == list(DATASETS)
    assert all(tuple(row) == NAMED for row in rows)
    assert {row["name"]: row["images"] for row in rows}["mnist-mini"] == 7000


def test_fetch_then_path_verify_and_list(register, tiny_folder, cache, console):
    register(tiny_dataset(tiny_folder))
    home = str(cache / "tiny")
    with pytest.raises(FetchError, match="data fetch tiny"):
        run("path", "tiny")
    assert run("fetch", "tiny", "--from", str(tiny_folder)).stdout == f"{home}\n"
    assert "fetching tiny from" in str(console)
    assert json.loads(run("fetch", "tiny", "--json").stdout) == {"name": "tiny", "path": home}
    assert run("path", "tiny").stdout == f"{home}\n"
    assert json.loads(run("path", "tiny", "--json").stdout) == {"name": "tiny", "path": home}
    assert run("verify", "tiny").stdout.split()[::2] == ["ok"] * 4
    assert " yes " in next(line for line in run("list").stdout.splitlines() if "tiny" in line)


def test_verify_shows_what_differs_and_fails(register, tiny_folder, cache):
    register(tiny_dataset(tiny_folder))
    run("fetch", "tiny", "--from", str(tiny_folder))
    (cache / "tiny" / NAMES[0]).write_bytes(b"rot")
    (cache / "tiny" / NAMES[1]).unlink()
    for options in ([], ["--json"]):
        result = CliRunner().invoke(data_app, ["verify", "tiny", *options])
        assert isinstance(result.exception, FetchError)
        assert result.exception.exit_code == 1
        assert "mnistlab data fetch tiny" in str(result.exception)
    shown = json.loads(result.stdout)
    assert shown["ok"] is False
    assert list(shown["files"].values()) == ["differs", "missing", "ok", "ok"]


def test_mini_is_always_there(cache):
    home = run("path", "mnist-mini").stdout.strip()
    assert home.endswith("mini")
    assert run("fetch", "mnist-mini").stdout.strip() == home
    shown = json.loads(run("verify", "mnist-mini", "--json").stdout)
    assert shown["files"] == dict.fromkeys((f"{name}.gz" for name in NAMES), "ok")
    assert not cache.exists()


@pytest.mark.parametrize("command", ["fetch", "verify", "path"])
def test_an_unknown_name(command):
    with pytest.raises(UnknownNameError, match="did you mean 'kmnist'"):
        run(command, "kmnits")


@pytest.mark.parametrize("command", ["list", "fetch", "verify", "path"])
def test_every_command_has_help(command):
    assert "--json" in run(command, "--help").output


def test_no_arguments_show_help():
    assert "fetch" in CliRunner().invoke(data_app, []).output
