"""What goes wrong late is told as what it is: the fault of a plugin, the machine or a file."""

import json
from pathlib import Path

import pytest

from mnistlab import plugins
from mnistlab.run_folders.folder import SweepFolder
from tests.faults.command import invoke, sweep, train, write_config
from tests.faults.late import LATE, FailingPlugin, write_plugin


@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("command", ["train", "sweep"])
def test_a_plugin_that_fails_late_is_named(tmp_path, command, late):
    """A sweep goes on without the runs that fail."""
    assert FailingPlugin(tmp_path / "plugin").attempt(command, late, 9) == []


def test_a_plugin_that_exits_late_ends_the_command_with_its_code(tmp_path):
    path = write_plugin(tmp_path, "raise SystemExit(3)", 9)
    outcome = train(write_config(tmp_path), tmp_path / "runs", "loss=late", "--plugin", path)
    assert outcome.code == 3


def without_plugins(monkeypatch, tmp_path, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("mnistlab.experiment.training.evaluate", fail)
    return train(write_config(tmp_path), tmp_path / "runs")


class PanicException(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            MemoryError("Unable to allocate 20. GiB"),
            "not enough memory (Unable to allocate 20. GiB)",
        ),
        (MemoryError(), "there is not enough memory (all is in use)"),
        (RuntimeError("can't start new thread"), "may start no more threads"),
        (PanicException("index out of bounds"), "a library has failed, PanicException: index out"),
    ],
)
def test_what_the_machine_or_a_library_cannot_do_is_no_fault_of_ours(
    tmp_path, monkeypatch, error, said
):
    outcome = without_plugins(monkeypatch, tmp_path, error)
    assert outcome.code == 1
    assert said in outcome.err.splitlines()[-1]
    assert "fault of mnistlab" not in outcome.err


def test_what_nobody_foresaw_is_our_fault(tmp_path, monkeypatch):
    outcome = without_plugins(monkeypatch, tmp_path, ZeroDivisionError("division by zero"))
    assert "this is a fault of mnistlab" in outcome.err


NOBODY = "~nobody-of-this-name"


@pytest.mark.parametrize(
    "words",
    [
        ("train", "--config", f"{NOBODY}/a.yaml"),
        ("train", "--config", "CONFIG", f"data.dataset={NOBODY}/data"),
        ("train", "--config", "CONFIG", "--plugin", f"{NOBODY}/mine.py"),
        ("runs", "list", "--runs-dir", f"{NOBODY}/runs"),
        ("runs", "show", f"{NOBODY}/runs/a"),
        ("runs", "export", "--all", "--to", f"{NOBODY}/a.csv"),
        ("data", "fetch", "mnist-mini", "--from", NOBODY),
        ("gradcheck", "--target", f"{NOBODY}/a.py"),
    ],
)
@pytest.mark.parametrize("variable", [None, "MNISTLAB_RUNS_DIR", "MNISTLAB_DATA_DIR"])
def test_a_home_that_is_not_there_is_a_path_like_any_other(tmp_path, monkeypatch, words, variable):
    monkeypatch.chdir(tmp_path)
    if variable:
        monkeypatch.setenv(variable, f"{NOBODY}/folder")
    config = str(write_config(tmp_path))
    outcome = invoke(*(config if word == "CONFIG" else word for word in words))
    assert outcome.code in (0, 1, 2)
    assert "fault of mnistlab" not in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("levels", [40, 60, 300, 900, 990, 5000])
@pytest.mark.parametrize("name", ["environment", "summary", "status"])
def test_json_nested_without_end_is_damage(tmp_path, levels, name):
    runs = tmp_path / "runs"
    assert train(write_config(tmp_path), runs).code == 0
    (path,) = (path for path in runs.iterdir() if not path.is_symlink())
    file = path / f"{name}.json"
    known = file.read_text().rstrip().removesuffix("}")
    file.write_text(f'{known}, "x": {"[" * levels}{"]" * levels}}}')
    for words in (("show", path.name), ("show", path.name, "--json"), ("list", "--json"),
                  ("export", "--all", "--to", tmp_path / f"{levels}.json"),
                  ("diff", path.name, path.name),
                  ("verify", path.name, "-q"), ("resume", path.name, "--no-plots")):  # fmt: skip
        outcome = invoke("runs", *words, "--runs-dir", runs)
        assert "fault of mnistlab" not in outcome.err, (words, outcome.err)


@pytest.mark.parametrize("content", ["{}", '{"results": 1}', '{"results": [], "ranking": [3]}'])
def test_a_sweeps_document_without_results_is_damaged(tmp_path, content):
    runs = tmp_path / "runs"
    assert sweep(write_config(tmp_path), runs).code == 0
    (path,) = (path for path in runs.iterdir() if not path.is_symlink())
    folder = SweepFolder(path)
    folder.summary.write_text(content)
    folder.write_status("completed", checksums=folder.compute_checksums())
    for words in (("sweep", "--resume", path.name), ("runs", "show", path.name)):
        outcome = invoke(*words, "--runs-dir", runs)
        assert "fault of mnistlab" not in outcome.err
        assert "sweep.json" in outcome.err


TALKATIVE = """
print("loaded")
from mnistlab.core.models import MODELS
from mnistlab.core.losses import LOSSES
from mnistlab.core.schedules import SCHEDULES
from mnistlab.core.models import INITIALIZERS
class Model:
    is_linear = True
    def forward(self, A):
        print("forward")
        return A, lambda gradient: gradient
class Zeros:
    options = {}
    def weights(self, D, C, scale, generator):
        import numpy as np
        print("weights")
        return np.zeros((D, C))
MODELS.add("talkative", Model())
INITIALIZERS.add("talkative", Zeros())
"""


def test_what_a_plugin_prints_is_never_among_the_results(tmp_path):
    path = tmp_path / "talkative.py"
    path.write_text(TALKATIVE)
    runs, config = tmp_path / "runs", write_config(tmp_path, "model: talkative\ninit: talkative\n")
    plugin = ("--plugin", path)
    outcomes = []

    def run(*words):
        plugins._loaded.clear()
        from mnistlab.core.models import INITIALIZERS, MODELS  # noqa: PLC0415

        for registry in (MODELS, INITIALIZERS):
            registry.pop("talkative", None)
        outcome = invoke(*words, *plugin, "--json")
        assert outcome.code == 0, (words, outcome.err)
        outcomes.append(json.loads(outcome.out))
        return outcomes[-1]

    given = ("-c", config, "--runs-dir", runs)
    run("config", "show", "-c", config)
    run("train", *given, "--dry-run")
    run("train", *given, "--print-config")
    name = Path(run("train", *given, "--no-plots")["path"]).name
    run("sweep", *given, "learning_rate=0.005,0.01", "--dry-run")
    swept = Path(run("sweep", *given, "learning_rate=0.005,0.01", "--no-plots")["path"]).name
    for words in (("show", f"{swept}/0"), ("show", f"{swept}/1"), ("predict", name, "0"),
                  ("verify", name), ("diff", name, f"{swept}/1"), ("plot", name),
                  ("resume", name, "--no-plots")):  # fmt: skip
        run("runs", *words, "--runs-dir", runs)
    run("gradcheck", "-c", config)
    assert len(outcomes) == 14
