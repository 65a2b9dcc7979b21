"""The main path: from checked configs to finished run folders."""

from mnistlab.experiment.group import run_group
from mnistlab.experiment.plan import Plan, prepare
from mnistlab.experiment.reporter import Reporter
from mnistlab.experiment.run import Run

__all__ = ["Plan", "Reporter", "Run", "prepare", "run_group"]
