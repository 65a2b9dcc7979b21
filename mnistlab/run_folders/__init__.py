"""Run folders: where a run's files are, how they are written, and what they record."""

from mnistlab.run_folders.folder import RunFolder
from mnistlab.run_folders.places import create_run_folder, default_runs_dir

__all__ = ["RunFolder", "create_run_folder", "default_runs_dir"]
