"""What the tests of sweeps share: quick sweeps on a few digits, their comparison, refusals."""

import json
from pathlib import Path

import pytest

from mnistlab.config.load import load_config
from mnistlab.errors import ConfigError
from mnistlab.experiment import prepare, train_run
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.sweeps.plan import PreparedSweep, prepare_sweep
from mnistlab.sweeps.run import run_sweep
from mnistlab.sweeps.trials import load_sweep
from tests.digits import as_yaml
from tests.experiment.test_experiment import Recorder


class SweepRecorder(Recorder):
    """A reporter that keeps what it is told, and may raise at the n-th event of a kind."""

    def __init__(self, *, raise_at=None, kind=None, error=KeyboardInterrupt):
        super().__init__()
        self.events, self.messages, self.started, self.extended = [], [], None, []
        self._raise_at, self._kind, self._error = raise_at, kind, error

    def message(self, text):
        self.messages.append(text)

    def start(self, labels, done, epochs):
        self.started = (list(labels), set(done), dict(epochs))

    def extend(self, labels):
        self.extended.append(dict(labels))

    def event(self, event):
        self.events.append(event)
        of_kind = [one for one in self.events if self._kind is None or isinstance(one, self._kind)]
        if self._raise_at is not None and len(of_kind) == self._raise_at:
            self._raise_at = None
            raise self._error


def write_base(tmp_path: Path, text: str = "") -> Path:
    path = tmp_path / "base.yaml"
    path.write_text(as_yaml() + text)
    return path


OF_A_RUN = {"needed", "fail_fast", "retry_failed"}


def settled(tmp_path: Path, *words: str, text: str = "", **options):
    return load_sweep(write_base(tmp_path, text), words, **options)


def sweep(tmp_path: Path, *words: str, text: str = "", reporter=None, runs="runs", **options):
    """Run a sweep on a few digits; options are those of load_sweep and run_sweep."""
    chosen = {key: options.pop(key) for key in list(options) if key in OF_A_RUN}
    prepared = prepare_sweep(settled(tmp_path, *words, text=text, **options))
    return run_prepared(prepared, tmp_path / runs, reporter=reporter, **chosen)


def run_prepared(prepared: PreparedSweep, runs_dir: Path, *, reporter=None, resumed=None, **chosen):
    return run_sweep(
        prepared,
        runs_dir=runs_dir,
        reporter=reporter or SweepRecorder(),
        resumed=resumed,
        **chosen,
    )


def resume(folder: SweepFolder, reporter=None, **chosen):
    prepared = prepare_sweep(load_sweep(folder.config))
    return run_prepared(prepared, folder.path.parent, reporter=reporter, resumed=folder, **chosen)


def the_only(runs_dir: Path) -> SweepFolder:
    (path,) = (path for path in runs_dir.iterdir() if not path.is_symlink())
    return SweepFolder(path)


def train_alone(config: Path, tmp_path: Path):
    """Train a run's own config and return the run."""
    return train_run(
        prepare([load_config(config)]), runs_dir=tmp_path / "alone", reporter=Recorder()
    )


def content(folder: SweepFolder) -> dict[str, object]:
    """Return what must not depend on interruptions: weights to the bit, metrics, status."""
    found: dict[str, object] = {}
    for number in folder.runs():
        run = folder.run(number)
        metrics = run.read_metrics()
        del metrics["seconds"]
        weights = run.model.read_bytes() if run.model.exists() else None
        status = json.loads(run.status.read_text())["status"]
        found[str(number)] = (weights, repr(metrics), status, run.config.read_text())
    return found


def told(path: Path, *words: str, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        load_sweep(path, words, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


def values(sweep, key: str) -> list:
    return [trial.parameters[key] for trial in sweep.trials]
