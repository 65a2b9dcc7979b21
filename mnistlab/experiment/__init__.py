"""The main path: from checked configs to finished run folders."""

from mnistlab.experiment.prepare import Plan, prepare
from mnistlab.experiment.recorder import RunRecorder
from mnistlab.experiment.training import Reporter, train_run

__all__ = ["Plan", "Reporter", "RunRecorder", "prepare", "train_run"]
