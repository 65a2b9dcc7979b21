"""Finds the runs that the assignment's answers rest on, and trains those that are not there."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import mnistlab
from mnistlab.config.load import load_config
from mnistlab.config.schema import Config
from mnistlab.config.shipped import shipped_configs
from mnistlab.experiment import Reporter, prepare, train_run
from mnistlab.experiment.prepare import with_absolute_data
from mnistlab.experiment.recorder import run_key
from mnistlab.plots.painter import Painter
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.integrity import find_intact_runs, plain_folders
from mnistlab.sweeps.metric import Metric
from mnistlab.sweeps.plan import prepare_sweep
from mnistlab.sweeps.run import run_sweep
from mnistlab.sweeps.trials import Sweep, load_sweep
from mnistlab.sweeps.workers import SweepReporter

RUNS = ("linear", "linear_overflow", "sigmoid", "sigmoid_sgd", "softmax", "best")
"""The configs of the assignment's runs; `sweeps/assignment` looks for the best combination."""


def complete_assignment(
    runs_dir: Path,
    reporter: Reporter,
    sweep_reporter: Callable[[Metric], SweepReporter],
    announce: Callable[[str], None],
    start_painter: Callable[[], Painter],
) -> dict[str, RunFolder]:
    """Return the assignment's runs by the names of their configs, and its sweep as `sweep`.

    Those that the runs folder does not hold are trained first. A run is there if one with the same
    config, data and code has ended and is whole. `announce` hears what is about to be trained.
    Raises what cuts a training short.
    """
    shipped = shipped_configs()
    configs = {name: with_absolute_data(load_config(shipped[name])) for name in RUNS}
    sweep = load_sweep(shipped["sweeps/assignment"])
    folders: dict[str, RunFolder] = {}
    for name, config in configs.items():
        found = find_run_of(config, runs_dir)
        if found is None:
            announce(f"training {name} ({config.epochs} epochs)")
            with start_painter() as painter:
                plan = prepare([config], reporter)
                found = train_run(
                    plan, runs_dir=runs_dir, reporter=reporter, painter=painter
                ).folder
        folders[name] = found
    known = find_sweep_of(sweep, runs_dir)
    if known is None:
        begun = find_sweep_of(sweep, runs_dir, status="interrupted")
        verb = "training" if begun is None else "going on with"
        announce(f"{verb} the sweep {sweep.name} ({len(sweep.trials)} trials)")
        prepared, heard = prepare_sweep(sweep, reporter), sweep_reporter(sweep.metric)
        known = run_sweep(
            prepared,
            runs_dir=runs_dir,
            reporter=heard,
            start_painter=start_painter,
            resumed=begun,
        ).folder
    return {**folders, "sweep": known}


def find_run_of(config: Config, runs_dir: Path) -> RunFolder | None:
    """Return the newest whole run of a config, None if there is none.

    Its key says so, with the data that it was made on; that this is today's data, the report
    finds out when it looks at it.
    """
    found = find_intact_runs(
        runs_dir, lambda made: made.get("key") == run_key(config, str(made.get("data_sha256")))
    )
    return next(found, None)


def find_sweep_of(sweep: Sweep, runs_dir: Path, *, status: str = "completed") -> SweepFolder | None:
    """Return the newest sweep of this version with the same config and this status.

    One that is complete is whole, too: no file was changed since.
    """
    wanted = sweep.to_yaml().encode()
    for folder in plain_folders(runs_dir):
        if not isinstance(folder, SweepFolder):
            continue
        with suppress(OSError):
            same_code = folder.read_environment().get("mnistlab") == mnistlab.__version__
            has_status = folder.read_status()["status"] == status
            is_same = same_code and has_status and folder.config.read_bytes() == wanted
            is_whole = folder.checksums() and not folder.damaged_files()
            if is_same and (is_whole or status != "completed"):
                return folder
    return None
