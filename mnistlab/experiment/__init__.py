"""The main path: from checked configs to finished run folders."""

from mnistlab.experiment.plan import Plan, prepare
from mnistlab.experiment.reporter import Reporter
from mnistlab.experiment.run import Run
from mnistlab.experiment.training import train_run

__all__ = ["Plan", "Reporter", "Run", "prepare", "train_run"]
