"""The assignment's runs on the small dataset, trained and reported on once for all tests."""

import functools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from mnistlab.config.config_files import configs_in
from mnistlab.report import assignment, attachments
from tests.faults.command import Outcome, invoke
from tests.plots.here import Here
from tests.report.helpers import Parsed, read_facts_file, read_page

CONFIGS = {
    "linear": "learning_rate: 0.01\nepochs: 1\n",
    "linear_overflow": "learning_rate: 0.1\nepochs: 6\n",
    "sigmoid": "model: sigmoid\nlearning_rate: 1.0\n",
    "sigmoid_sgd": "model: sigmoid\nlearning_rate: 0.1\n",
    "softmax": "loss: softmax_cross_entropy\nlearning_rate: 0.1\n",
    "best": "loss: softmax_cross_entropy\nlearning_rate: 0.05\ndata: {preprocess: [deskew]}\n",
}
SWEEP = "base: ../linear.yaml\nmethod: grid\nmetric: {name: validation.accuracy, goal: maximize}\n"
SWEEP += "parameters:\n  learning_rate: [0.005, 0.01]\n  epochs: [1, 2]\n"


DPI = 75
"""Of the reported runs' pictures: half of what is usual takes a quarter of the pixels."""


@dataclass(frozen=True)
class Reported:
    """A runs folder with the assignment's report, and what was said while it was written."""

    runs: Path
    data: Path
    said: Outcome

    @property
    def folder(self) -> Path:
        return self.runs / "report"

    @cached_property
    def page(self) -> Parsed:
        return read_page(self.folder)

    @cached_property
    def facts(self) -> dict:
        return read_facts_file(self.folder)


@pytest.fixture(autouse=True, scope="session")
def _pictures_are_shrunk_once():
    """Remember what a picture shrinks to: dozens of reports show the same plots."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attachments, "_shrink", functools.cache(attachments._shrink))
        yield


@pytest.fixture(scope="session")
def shipped(tmp_path_factory):
    """The assignment's configs on the small dataset, with few epochs."""
    folder = tmp_path_factory.mktemp("configs")
    (folder / "sweeps").mkdir()
    (folder / "sweeps" / "assignment.yaml").write_text(SWEEP)
    for name, text in CONFIGS.items():
        own, _, steps = text.partition("data:")
        data = "data:\n  dataset: mnist-mini\n  validation: 1000\n"
        data += "  preprocess: [deskew]\n" if steps else ""
        epochs = "" if "epochs" in own else "epochs: 2\n"
        (folder / f"{name}.yaml").write_text(own + epochs + data)
    return folder


@pytest.fixture
def small(shipped, monkeypatch):
    """Let the bare `mnistlab report` be about the small configs."""
    monkeypatch.setattr(assignment, "shipped_configs", lambda: configs_in(shipped))


@pytest.fixture(scope="session")
def reported(shipped, tmp_path_factory):
    place = tmp_path_factory.mktemp("reported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "shipped_configs", lambda: configs_in(shipped))
        patch.setattr("mnistlab.plots.drawing.Painter", Here)
        patch.setattr("mnistlab.plots.style.DPI", DPI)
        patch.setenv("MNISTLAB_RUNS_DIR", str(place / "runs"))
        patch.setenv("MNISTLAB_DATA_DIR", str(place / "data"))
        done = invoke("report", "--author", "A. Student")
    assert done.code == 0, done.err
    return Reported(place / "runs", place / "data", done)


@pytest.fixture
def undrawn(monkeypatch):
    """Leave out the pictures that a report draws itself, where no test looks at one."""
    monkeypatch.setattr(attachments.Pictures, "sharp", lambda *_: None)


@pytest.fixture
def its_data(reported, monkeypatch):
    """Let the test find the data that the reported runs were trained on."""
    monkeypatch.setenv("MNISTLAB_DATA_DIR", str(reported.data))
