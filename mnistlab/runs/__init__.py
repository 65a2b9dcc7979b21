"""Run folders: where a run's files are, how they are written, and what they record."""

from mnistlab.runs.places import create_run_folder, default_runs_dir
from mnistlab.runs.folder import RunFolder

__all__ = ["RunFolder", "create_run_folder", "default_runs_dir"]
