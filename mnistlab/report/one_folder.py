"""What a report sees of any folder, that of a run or of a sweep."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from mnistlab.config.strict_yaml import MAX_SWEEP_BYTES
from mnistlab.report.shelf import DataShelf
from mnistlab.runs import RunFolder
from mnistlab.store.facts import Facts, read_facts


@dataclass(frozen=True)
class ReportFolder:
    """A run or a sweep as a report sees it; each piece is read when it is first asked for.

    What cannot be read is None, and `missing` says so. `label` tells it from another one whose
    folder has the same name.
    """

    folder: RunFolder
    shelf: DataShelf
    label: str = ""

    @property
    def name(self) -> str:
        """Its name, SWEEP/7 for a run of a sweep."""
        return self.label or self.folder.name

    @cached_property
    def facts(self) -> Facts:
        """Its row in every table."""
        return read_facts(self.folder)

    @property
    def title(self) -> str:
        """The name that it was given, or the folder's."""
        return str(self.facts.get("name") or self.name)

    @property
    def contradictions(self) -> list[str]:
        """What in the folder does not agree, a few words each."""
        raise NotImplementedError

    @property
    def status(self) -> str:
        """The status as tables show it: `completed, damaged` where it is not to be believed."""
        status = str(self.facts["status"])
        if status == "damaged":
            return status
        is_hurt = self.facts.get("damaged") or self.changed or self.contradictions
        return f"{status}, damaged" if is_hurt else status

    @cached_property
    def changed(self) -> list[str]:
        """The files that are there, but are not those that the status vouches for."""
        known = self.facts.get("damaged", [])
        with suppress(OSError):
            return [name for name in self.folder.damaged_files() if name not in known]
        return []

    @property
    def text(self) -> str:
        """Its config.yaml as it is written, "" where that cannot be read."""
        with suppress(OSError, ValueError):
            if self.folder.config.stat().st_size <= MAX_SWEEP_BYTES:
                return self.folder.config.read_text("utf-8")
        return ""
