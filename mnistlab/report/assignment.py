"""Finds the runs that the assignment's answers rest on, and trains those that are not there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mnistlab
from mnistlab.config.load import load_config
from mnistlab.config.schema import Config
from mnistlab.errors import InputError
from mnistlab.experiment import Reporter, prepare, train_run
from mnistlab.experiment.prepare import with_absolute_data
from mnistlab.experiment.recorder import run_key
from mnistlab.plots.painter import Painter
from mnistlab.runs import RunFolder
from mnistlab.runs.folder import SweepFolder
from mnistlab.runs.integrity import find_intact_runs, plain_folders
from mnistlab.sweep.plan import prepare_sweep
from mnistlab.sweep.run import run_sweep
from mnistlab.sweep.spaces.settings import Metric
from mnistlab.sweep.spaces.trials import Sweep, load_sweep
from mnistlab.sweep.workers import SweepReporter

RUNS = ("linear", "linear_overflow", "sigmoid", "sigmoid_sgd", "softmax", "best")
"""The configs of the assignment's runs, as the shipped files are called."""

SWEEP = "assignment"
"""The shipped sweep that looks for the best combination."""


@dataclass(frozen=True)
class Assignment:
    """The folders of the assignment's runs by the name of their config, and of its sweep."""

    runs: dict[str, RunFolder]
    sweep: SweepFolder

    @property
    def folders(self) -> Sequence[RunFolder]:
        """All of them, the sweep last."""
        return [*self.runs.values(), self.sweep]


def complete_assignment(
    runs_dir: Path,
    reporter: Reporter,
    sweep_reporter: Callable[[Metric], SweepReporter],
    announce: Callable[[str], None],
    start_painter: Callable[[], Painter],
) -> Assignment:
    """Return the assignment's runs, after training those that the runs folder does not hold.

    A run is there if one with the same config, data and code has ended and is whole. `announce`
    hears what is about to be trained. Raises what cuts a training short.
    """
    configs = {name: _config(name) for name in RUNS}
    sweep = load_sweep(_shipped(f"sweeps/{SWEEP}.yaml"))
    known = _Shelf(runs_dir)
    folders = {}
    for name, config in configs.items():
        folder = known.run(config)
        if folder is None:
            announce(f"training {name} ({config.epochs} epochs)")
            folder = _train(config, runs_dir, reporter, start_painter)
        folders[name] = folder
    found = known.sweep(sweep)
    if found is None:
        announce(f"training the sweep {sweep.name} ({len(sweep.trials)} trials)")
        prepared = prepare_sweep(sweep, reporter)
        teller = sweep_reporter(sweep.metric)
        found = run_sweep(
            prepared, runs_dir=runs_dir, reporter=teller, start_painter=start_painter
        ).folder
    return Assignment(folders, found)


class _Shelf:
    """The finished runs of a runs folder, the newest first."""

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir

    def run(self, config: Config) -> RunFolder | None:
        """Return the newest whole run of a config, None if there is none.

        Its key says so, with the data that it was made on; that this is today's data, the
        report finds out when it looks at it.
        """

        def is_wanted(environment: Mapping[str, Any]) -> bool:
            data_sha256 = str(environment.get("data_sha256"))
            return environment.get("key") == run_key(config, data_sha256)

        return next(find_intact_runs(self._runs_dir, is_wanted), None)

    def sweep(self, sweep: Sweep) -> SweepFolder | None:
        """Return the newest complete sweep that says the same, None if there is none."""
        wanted = sweep.to_yaml()
        for folder in plain_folders(self._runs_dir):
            if isinstance(folder, SweepFolder) and _says(folder, wanted):
                return folder
        return None


def _says(folder: SweepFolder, wanted: str) -> bool:
    """Return whether a sweep is whole, of this version, and has this config."""
    try:
        same_code = folder.read_environment().get("mnistlab") == mnistlab.__version__
        return (
            same_code and is_whole_sweep(folder) and folder.config.read_bytes() == wanted.encode()
        )
    except OSError:
        return False


def is_whole_sweep(folder: SweepFolder) -> bool:
    """Return whether a sweep is complete and its files are as it left them."""
    status = folder.read_status()["status"]
    return status == "completed" and bool(folder.checksums()) and not folder.damaged_files()


def _train(
    config: Config,
    runs_dir: Path,
    reporter: Reporter,
    start_painter: Callable[[], Painter],
) -> RunFolder:
    with start_painter() as painter:
        plan = prepare([config], reporter)
        return train_run(plan, runs_dir=runs_dir, reporter=reporter, painter=painter).folder


def _config(name: str) -> Config:
    return with_absolute_data(load_config(_shipped(f"{name}.yaml")))


def _shipped(name: str) -> Path:
    """Return where a shipped config is: beside the package in a checkout, inside it elsewhere."""
    package = Path(mnistlab.__file__).parent
    for folder in (package.parent / "configs", package / "configs"):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"configs/{name}: is not there; name the runs that the report is about")
