"""A sweep is a run folder whose runs lie in `runs/0`, `runs/1`, … inside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistlab.errors import RunFolderError
from mnistlab.runs.atomic import clear_asides, sync_folder, write_json, write_text
from mnistlab.runs.folder import RunFolder
from mnistlab.runs.forms import read_json, to_csv

if TYPE_CHECKING:
    from filelock import BaseFileLock


@dataclass(frozen=True)
class SweepFolder(RunFolder):
    """The files of one sweep; `config` is the sweep file that repeats it."""

    @property
    def plan(self) -> Path:
        """Which runs share a column and which columns share a stack: what resuming keeps to."""
        return self.path / "plan.json"

    @property
    def summary(self) -> Path:
        """What `sweep --json` prints."""
        return self.path / "sweep.json"

    @property
    def results(self) -> Path:
        """A row a run: its parameters and metrics."""
        return self.path / "results.csv"

    @property
    def checkpoints(self) -> Path:
        """What resuming needs, a file a stack; gone once the sweep is complete."""
        return self.path / "checkpoints"

    @property
    def claimed(self) -> tuple[Path, ...]:
        """The files whose content the status of a sweep that has ended vouches for."""
        return (
            *(self.config, self.environment, self.uncommitted_patch),
            *(self.plan, self.results, self.summary),
        )

    def checkpoint_of(self, stack: str) -> Path:
        """Return where the checkpoint of this stack is."""
        return self.checkpoints / f"{stack}.safetensors"

    def hold(self) -> "BaseFileLock":
        """Take the sweep's lock as that of a run, and clear away half checkpoints too."""
        lock = super().hold()
        clear_asides(self.checkpoints)
        return lock

    def run(self, number: int) -> RunFolder:
        """Return the folder of one run, whether it is there yet or not."""
        return RunFolder(self.path / "runs" / str(number))

    def runs(self) -> list[int]:
        """Return the numbers of the runs that have a folder."""
        folder = self.path / "runs"
        names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
        return sorted(int(name) for name in names if name.isascii() and name.isdecimal())

    def sync_runs(self) -> None:
        """Make the folders of the runs so far last; raise OSError where that fails."""
        folder = self.path / "runs"
        if folder.is_dir():
            sync_folder(folder)
        sync_folder(self.path)

    def _check_summary(self, summary: Mapping[str, Any]) -> None:
        """What sweep.json says is only for people, and checked where it is shown."""

    def write_plan(self, plan: Any) -> None:
        """Replace plan.json."""
        write_json(self.plan, plan)

    def read_plan(self) -> dict[str, Any]:
        """Return plan.json; raise RunFolderError if it is missing or damaged."""
        plan = read_json(self.plan)
        if plan is None:
            raise RunFolderError(f"{self.plan}: is missing or cannot be read")
        return plan

    def write_results(self, columns: list[str], rows: list[dict[str, Any]]) -> None:
        """Replace results.csv; missing values are empty cells."""
        write_text(self.results, to_csv(columns, rows))


def is_sweep(path: Path) -> bool:
    """Return whether a run folder is that of a sweep."""
    return SweepFolder(path).plan.exists()
