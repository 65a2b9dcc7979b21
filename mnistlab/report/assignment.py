"""Finds the runs that the assignment's answers rest on, and trains those that are not there."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from mnistlab.config.config_files import shipped_configs
from mnistlab.config.load import load_config
from mnistlab.experiment import Reporter, prepare, train_run
from mnistlab.experiment.prepare import open_data, with_absolute_data
from mnistlab.experiment.recorder import find_run_of
from mnistlab.experiment.training import evaluate_test
from mnistlab.plots.drawing import Painter
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.sweeps.plan import configs_of_runs
from mnistlab.sweeps.run import complete_sweep
from mnistlab.sweeps.storage import best_run
from mnistlab.sweeps.sweep_schema import Metric
from mnistlab.sweeps.trials import load_sweep, repeat_settings
from mnistlab.sweeps.workers import SweepReporter

RUNS = ("linear", "linear_overflow", "sigmoid", "sigmoid_sgd", "softmax", "best")
"""The configs of the assignment's runs; `sweeps/assignment` looks for the best combination."""

FRESH_SEEDS = 10
"""Seeds by which the sweep's winner and the given setting are compared; none chose the winner."""


def complete_assignment(
    runs_dir: Path,
    reporter: Reporter,
    sweep_reporter: Callable[[Metric], SweepReporter],
    start_painter: Callable[[], Painter],
) -> dict[str, RunFolder]:
    """Return the assignment's runs by the names of their configs, and its sweeps.

    `sweep` looks for the best combination. `seeds` repeats its winner and the given setting; it is
    left out where the sweep has no winner. Those that the runs folder does not hold are trained
    first. A run is there if one with the same config, data and code has ended and is whole.
    Raises what cuts a training short.
    """
    shipped = shipped_configs()
    configs = {name: with_absolute_data(load_config(shipped[name])) for name in RUNS}
    sweep = load_sweep(shipped["sweeps/assignment"])
    folders: dict[str, RunFolder] = {}
    for name, config in configs.items():
        found = find_run_of(config, runs_dir)
        if found is None:
            reporter.message(f"training {name} ({config.epochs} epochs)")
            with start_painter() as painter:
                plan = prepare([config], reporter)
                run = train_run(plan, runs_dir=runs_dir, reporter=reporter, painter=painter)
            found = run.folder
        folders[name] = found
    complete = partial(
        complete_sweep, runs_dir=runs_dir, reporter=reporter,
        sweep_reporter=sweep_reporter, start_painter=start_painter,
    )  # fmt: skip
    folders["sweep"] = searched = complete(sweep)
    for winner in best_run(searched):
        best = configs_of_runs(sweep)[int(winner.path.name)]
        repeated = complete(repeat_settings(configs["linear"], best, FRESH_SEEDS, "seeds"))
        folders["seeds"] = repeated
        _evaluate_all(repeated)
    return folders


def _evaluate_all(folder: SweepFolder) -> None:
    """Evaluate the test split for every run; the sweep did so for its best trial's alone."""
    for run in map(folder.run, folder.runs()):
        is_tested = isinstance(run.checksums().get(run.predictions.name), str)
        if run.read_status()["status"] == "completed" and not is_tested:
            config = load_config(run.config)
            evaluate_test(run, config, open_data(config))
