"""The Python interface, what `import mnistlab` offers: train, sweep, and find runs."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

from mnistlab.api.run_objects import Run, Runs, Sweep
from mnistlab.config.config_files import find_config
from mnistlab.config.load import load_config, plain
from mnistlab.console.progress import ConsoleReporter
from mnistlab.console.sweeps import ConsoleSweepReporter
from mnistlab.console.tables import is_animated
from mnistlab.errors import InputError, MnistlabError
from mnistlab.experiment import prepare, train_run
from mnistlab.plots.drawing import Painter
from mnistlab.plugins import load_plugins
from mnistlab.run_folders import RunFolder, default_runs_dir
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.store.listing import read_all
from mnistlab.store.opening import open_given
from mnistlab.store.selection import arrange, parse, select
from mnistlab.sweeps.plan import prepare_sweep
from mnistlab.sweeps.run import run_sweep
from mnistlab.sweeps.sweep_schema import metric_named
from mnistlab.sweeps.trials import load_sweep

__all__ = [
    "InputError",
    "MnistlabError",
    "Run",
    "Runs",
    "Sweep",
    "load_run",
    "runs",
    "sweep",
    "train",
]

_WIDTH = 100  # letters of the line that shows progress in a notebook

PathLike = str | os.PathLike[str]
Source = PathLike | Mapping[str, Any] | None
"""A config: a file, the name of a shipped one, a mapping of its keys, or None for the defaults."""


def train(
    config: Source = None,
    /,
    *,
    runs_dir: PathLike | None = None,
    name: str | None = None,
    plots: bool = True,
    plugins: PathLike | Sequence[PathLike] = (),
    progress: bool | None = None,
    **overrides: Any,
) -> Run:
    """Train a config and return its run, also one that has diverged.

    Args:
        config: a YAML file, the name of a shipped config (`linear`), a mapping of keys, or
            nothing: the defaults.
        runs_dir: where the run folder goes (default: $MNISTLAB_RUNS_DIR or `runs`).
        name: the run's name.
        plots: whether plots are drawn into the run folder.
        plugins: Python files that register models, losses and the like.
        progress: whether progress is shown; None: on a terminal and in a notebook.
        overrides: values that win over the config's, nested ones as `data__dataset="mnist-mini"`
            or `data={"dataset": "mnist-mini"}`.

    Raises InputError (a ValueError) for anything that cannot be used, and FetchError where the
    data cannot be had.
    """
    load_plugins(_files(plugins))
    settled = load_config(_source(config), _dotted(overrides), name=name)
    reporter = _reporter(ConsoleReporter, progress)
    plan = prepare([settled], reporter)
    with ExitStack() as cleanup:
        painter = cleanup.enter_context(Painter(_files(plugins))) if plots else None
        made = train_run(plan, runs_dir=_runs_dir(runs_dir), reporter=reporter, painter=painter)
    if made.not_drawn:
        warnings.warn(f"the plots could not be drawn: {made.not_drawn}", stacklevel=2)
    return Run(made.folder)


def sweep(
    config: Source,
    parameters: Mapping[str, Any],
    *,
    method: str = "grid",
    seeds: int = 1,
    folds: int | None = None,
    max_trials: int | None = None,
    random_seed: int = 0,
    batch: int | None = None,
    metric: str = "validation.accuracy",
    runs_dir: PathLike | None = None,
    name: str | None = None,
    plots: bool = True,
    plugins: PathLike | Sequence[PathLike] = (),
    progress: bool | None = None,
    **overrides: Any,
) -> Sweep:
    """Train a config with many values, all in one matrix product, and return the sweep.

    Args:
        config: as for `train`; what all trials share.
        parameters: the values to try, by keys (`data__preprocess` for a nested one): a list, a
            text such as "logspace(1e-3, 1e-1, 8)", or a mapping as in a sweep file, such as
            {"distribution": "log_uniform_values", "min": 1e-4, "max": 1}.
        method: `grid`, `random`, `halving`, or `tpe`, which needs the extra `optuna`.
        seeds: how many seeds each trial is repeated with, for intervals.
        folds: on how many folds of the training file each trial is cross-validated; they take
            the place of the config's `data.validation`. Not together with `seeds`.
        max_trials: how many trials at most; 64 where values are drawn, None: all of a grid.
        random_seed: decides what is drawn.
        batch: how many trials `tpe` asks for, and trains, at a time.
        metric: what trials are compared by, `validation.accuracy` or `validation.loss`.
        runs_dir: as for `train`.
        name: the sweep's name.
        plots: whether plots of the sweep and of its best run are drawn.
        plugins: as for `train`.
        progress: as for `train`.
        overrides: as for `train`.

    Raises InputError for anything that cannot be used, FetchError where the data cannot be had,
    and SweepFailedError where a run fails.
    """
    load_plugins(_files(plugins))
    tried, same = _dotted(parameters), _dotted(overrides)
    for key in tried.keys() & same.keys():
        raise InputError(f"{key} is given twice: values to try, and one for all trials")
    if folds is not None and "data.validation" in same:
        raise InputError("data.validation has no effect with folds; leave one of them out")
    base = load_config(_source(config), same, name=name)
    document = {"base": base.model_dump(exclude_none=True), "parameters": tried}
    settled = load_sweep(
        document,
        method=method,
        max_trials=max_trials,
        seeds=seeds,
        folds=folds,
        random_seed=random_seed,
        batch=batch,
        metric=metric_named(metric, where="metric"),
        name=name,
    )
    reporter = _reporter(partial(ConsoleSweepReporter, settled.metric), progress)
    painter = partial(Painter, _files(plugins)) if plots else None
    result = run_sweep(
        prepare_sweep(settled, reporter),
        runs_dir=_runs_dir(runs_dir),
        reporter=reporter,
        start_painter=painter,
    )
    if result.not_drawn:
        warnings.warn(f"the plots could not be drawn: {result.not_drawn}", stacklevel=2)
    return Sweep(result.folder)


def runs(
    filter: str | None = None,  # noqa: A002 - as the option of `runs list` is called
    *,
    sort: str | None = None,
    runs_dir: PathLike | None = None,
) -> Runs:
    """Return the single runs of a runs folder, the newest first; those of sweeps are in these.

    `filter` is a condition such as "learning_rate > 0.01 and validation.accuracy > 85%", `sort`
    a key, with a `-` before it from the largest; both as `mnistlab runs list` takes them. Raises
    InputError for a condition or a key that is none.
    """
    folder = _runs_dir(runs_dir)
    everything = [one for one in read_all(folder) if one["kind"] == "run"]
    chosen = select(everything, None if filter is None else parse(filter))
    return Runs([Run(RunFolder(folder / one["run"])) for one in arrange(chosen.runs, sort)])


def load_run(name: PathLike, *, runs_dir: PathLike | None = None) -> Run | Sweep:
    """Return a run or a sweep: by its name, the beginning of it, `latest`, SWEEP/7, or a path.

    Raises InputError where there is none, more than one, or one that is refused.
    """
    given = open_given([os.fspath(name)], _runs_dir(runs_dir))
    if len(given) != 1 or given[0].folder is None:
        raise InputError(f"{os.fspath(name)}: holds {len(given)} runs; name one of them")
    folder = given[0].folder
    return Sweep(folder) if isinstance(folder, SweepFolder) else Run(folder)


def _source(config: Source) -> Path | Mapping[str, Any] | None:
    if config is None:
        return None
    if isinstance(config, Mapping):
        return {key: plain(value) for key, value in config.items()}
    if not isinstance(config, str | os.PathLike):
        raise InputError(
            f"a config is a file, the name of a shipped one or a mapping, not {config!r}"
        )
    return find_config(Path(config))


def _dotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by the keys of a config, `data__dataset` being `data.dataset`."""
    return {key.replace("__", "."): plain(value) for key, value in values.items()}


def _files(plugins: PathLike | Iterable[PathLike]) -> list[Path]:
    if isinstance(plugins, str | os.PathLike):
        return [Path(plugins)]
    return [Path(plugin) for plugin in plugins]


def _runs_dir(given: PathLike | None) -> Path:
    return default_runs_dir() if given is None else Path(given)


def _reporter(make: Callable[..., Any], progress: bool | None) -> Any:
    """Return what shows progress: a bar on a terminal, one line in a notebook, else nothing."""
    in_notebook = "ipykernel" in sys.modules and not sys.stderr.isatty()
    is_shown = (is_animated() or in_notebook) if progress is None else progress
    reporter = make(quiet=not is_shown)
    if is_shown and in_notebook:
        _write_over(reporter)
    return reporter


def _write_over(reporter: Any) -> None:
    """Let a reporter write each line over the last one, which ends when the reporter stops."""
    written, stop = 0, reporter.stop

    def tell(text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()

    def write(text: str) -> None:
        nonlocal written
        text = text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
        tell(f"\r{text.ljust(written)}")
        written = len(text)

    def end() -> None:
        nonlocal written
        stop()
        if written:
            tell("\n")
        written = 0

    reporter._write, reporter.stop = write, end
