"""What the tests of comparing and asking runs share: quick runs and sweeps on the small dataset."""

from pathlib import Path

from mnistlab.config.load import load_config
from mnistlab.experiment import prepare, train_run
from mnistlab.run_folders import RunFolder
from tests.experiment.test_experiment import Recorder

MINI = ("data.dataset=mnist-mini", "data.validation=1000", "epochs=2")


def train(runs_dir: Path, *words: str) -> RunFolder:
    """Train on the small dataset, two epochs unless `words` say otherwise; return the folder."""
    keys = [word.partition("=")[0] for word in words]
    mini = [word for word in MINI if word.partition("=")[0] not in keys]
    plan = prepare([load_config(None, [*mini, *words])])
    return train_run(plan, runs_dir=runs_dir, reporter=Recorder()).folder
