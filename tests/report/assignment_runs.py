"""The assignment's runs on the small dataset, trained once for all tests of a module."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from mnistlab.config.load import load_config
from mnistlab.experiment import prepare, train_run
from mnistlab.report.answers import AssignmentRuns
from mnistlab.report.collect import ReportRun, collect
from mnistlab.runs import RunFolder
from mnistlab.sweep.plan import prepare_sweep
from mnistlab.sweep.run import run_sweep
from mnistlab.sweep.spaces.trials import load_sweep
from mnistlab.sweep.workers import SweepReporter
from tests.experiment.test_experiment import Recorder

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = ("linear", "linear_overflow", "sigmoid", "sigmoid_sgd", "softmax", "best")
MINI = ("data.dataset=mnist-mini", "data.validation=1000")


class Silent(SweepReporter):
    """Hears of a sweep and says nothing."""


@dataclass(frozen=True)
class Folders:
    """Where the runs of the shipped configs are, and the sweep."""

    runs: dict[str, RunFolder]
    sweep: RunFolder
    data: Path

    def collect(self) -> AssignmentRuns:
        """Return the runs as nobody has read them yet."""
        runs, sweeps = collect([*self.runs.values(), self.sweep])
        return AssignmentRuns(**dict(zip(self.runs, runs, strict=True)), sweep=sweeps[0])


def train_assignment(place: Path) -> Folders:
    """Train the shipped configs on the small dataset, a few epochs each, and a small sweep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNISTLAB_DATA_DIR", str(place / "data"))
        runs = {name: _train(name, place / "runs") for name in NAMES}
        overrides = [*MINI, "epochs=1,2", "learning_rate=0.005,0.01", "batch_size=100"]
        sweep = load_sweep(CONFIGS / "sweeps" / "assignment.yaml", overrides)
        conclusion = run_sweep(prepare_sweep(sweep), runs_dir=place / "runs", reporter=Silent())
    return Folders(runs, conclusion.folder, place / "data")


def _train(name: str, runs_dir: Path) -> RunFolder:
    words = [*MINI, "epochs=2"]
    plan = prepare([load_config(CONFIGS / f"{name}.yaml", words)])
    return train_run(plan, runs_dir=runs_dir, reporter=Recorder()).folder


def train_one(runs_dir: Path, name: str, *words: str) -> ReportRun:
    """Train a shipped config with further settings, two epochs unless these say otherwise."""
    short = [] if any(word.startswith("epochs=") for word in words) else ["epochs=2"]
    config = load_config(CONFIGS / f"{name}.yaml", [*MINI, *short, *words])
    folder = train_run(prepare([config]), runs_dir=runs_dir, reporter=Recorder()).folder
    return collect([folder])[0][0]
