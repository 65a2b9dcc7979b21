"""Writes the metrics of runs as event files for TensorBoard, at once or while the runs train.

The events of a run lie in FOLDER/RUN, in one file whose name and bytes follow from the run's folder
alone. So a later export of a longer run begins with what the file holds, and only the rest is
appended: a TensorBoard that shows the file sees the new epochs. Where the file does not hold such a
beginning, it is replaced. No export doubles a scalar.
"""

import json
import math
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mnistlab.errors import InputError, RunFolderError, escape, shown
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import append_bytes, clear_temporary_files, read_csv, write_bytes
from mnistlab.run_folders.places import check_outside_runs
from mnistlab.store.facts import Facts, is_number, is_of_config, read_facts
from mnistlab.store.opening import Given, single_runs

try:
    from google.protobuf.struct_pb2 import Value
    from tensorboardX.proto.api_pb2 import Status
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.plugin_hparams_pb2 import (
        HParamsPluginData,
        SessionEndInfo,
        SessionStartInfo,
    )
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboardX.record_writer import masked_crc32c
except ImportError:  # an extra, and this module is imported only where events are to be written
    raise InputError(
        "--format tensorboard needs tensorboardX, which is not installed: "
        "pip install 'mnistlab[tensorboard]'"
    ) from None

EVENT_FILE = "events.out.tfevents.0.mnistlab"
"""The file of a run; TensorBoard looks for `tfevents` in the name."""

TAGS = {
    "train_loss": "loss/train",
    "validation_loss": "loss/validation",
    "train_accuracy": "accuracy/train",
    "validation_accuracy": "accuracy/validation",
    "learning_rate": "learning_rate",
    "seconds": "seconds",
}
"""The tag of each column of metrics.csv that is written as a scalar of its epoch."""

TEST_TAGS = {"test.loss": "loss/test", "test.accuracy": "accuracy/test"}
"""The tags of the facts that are written as scalars of the last epoch."""

_ENDS = {"completed": "STATUS_SUCCESS", "diverged": "STATUS_FAILURE", "failed": "STATUS_FAILURE"}
"""What TensorBoard calls the statuses of runs that have ended; the others may go on."""

_PAUSE = 0.5  # seconds between two looks at runs that train


def write_events(
    to: Path, given: Sequence[Given], *, follow: bool = False
) -> tuple[dict[str, str], int]:
    """Write the metrics of runs into the folder `to`, each run's into `to`/RUN.

    A sweep stands for its runs; what is refused is left out. With `follow` this goes on until none
    of the runs and sweeps is running. Returns by run which of its files are missing or damaged, as
    text, and how many runs were written. Raises InputError for a place that holds anything but an
    export, or belongs to a run folder; OSError where it cannot be written.
    """
    files: dict[Path, _EventFile] = {}
    while True:
        # asked first, so that nothing that a run writes at its end is missed
        named = [one.folder for one in given if one.folder is not None]
        goes_on = follow and any(one.read_status()["status"] == "running" for one in named)
        for one in single_runs(given):
            if one.folder is not None and one.path not in files:
                files[one.path] = _EventFile(one.folder, to / one.label)
        for file in files.values():
            file.update()
        if not goes_on:
            break
        time.sleep(_PAUSE)
    damaged = {file.folder.name: file.damaged for file in files.values() if file.damaged}
    return damaged, sum(file.is_written for file in files.values())


class _EventFile:
    """The event file of one run, and what it is to hold so far."""

    def __init__(self, folder: RunFolder, place: Path) -> None:
        check_outside_runs(place, "event file")
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise InputError(f"{shown(place)}: is no folder, so no events can be written there")
        clear_temporary_files(place)
        for path in place.glob("[!.]*"):
            if path.name != EVENT_FILE or path.is_symlink() or not path.is_file():
                raise InputError(
                    f"{shown(path)}: is no export of {shown(folder.name)}; name another folder"
                )
        self.folder = folder
        self.path = place / EVENT_FILE
        self.damaged = ""
        self.is_written = False
        self._is_final = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._content = b""
        self._rows = 0  # of metrics.csv
        self._epoch = 0
        self._time = 0.0

    def update(self) -> None:
        """Write what the run has added to its metrics, and how it ended once it has.

        While a run trains, only the new lines of its metrics.csv become events.
        """
        if self._is_final:
            return
        status = self.folder.read_status()["status"]
        is_running = status == "running"
        if not is_running:
            self._begin_anew()  # a run replaces its metrics.csv when it ends
        facts = {} if self._content and is_running else read_facts(self.folder)
        self.damaged = ", ".join(map(str, facts.get("damaged", ())))
        try:
            columns = read_csv(
                self.folder.metrics, {"epoch": int, **dict.fromkeys(TAGS, _number_or_none)}
            )
        except RunFolderError:
            if not is_running:  # one that has just begun has no metrics yet
                self.damaged = self.damaged or self.folder.metrics.name
            return
        if not self._content:
            self._add(_seconds_of(facts.get("started")), file_version="brain.Event:2")
            self._add(self._time, summary=_session_start(facts, self._time))
        for values in list(zip(*columns.values(), strict=True))[self._rows :]:
            row = dict(zip(columns, values, strict=True))
            self._epoch, passed = row["epoch"], row["seconds"] or 0.0
            passed = passed if math.isfinite(passed) and passed > 0 else 0.0
            scalars = {TAGS[name]: row[name] for name in TAGS if row[name] is not None}
            self._add(self._time + passed, summary=_scalars(scalars))
        self._rows = len(columns["epoch"])
        if status in _ENDS:
            self._add_end(facts, _ENDS[status])
        self._write()
        self._is_final = status in _ENDS

    def _add(self, at: float, **what: Any) -> None:
        """Add an event of the epoch at a time in seconds since 1970."""
        self._time = at
        event = Event(wall_time=at, step=self._epoch, **what)
        self._content += _record(event.SerializeToString(deterministic=True))

    def _add_end(self, facts: Facts, status: str) -> None:
        """Add the results on the test split, where there are any, and how the run has ended."""
        ended = _seconds_of(facts.get("ended")) or self._time
        end = SessionEndInfo(status=Status.Value(status), end_time_secs=ended)
        summary = _hparams("session_end_info", end)
        summary.MergeFrom(
            _scalars({TEST_TAGS[key]: facts[key] for key in TEST_TAGS if is_number(facts.get(key))})
        )
        self._add(ended, summary=summary)

    def _write(self) -> None:
        """Make the file hold what it is to hold; append to it where that is enough."""
        held = None
        if self.path.exists():
            with self.path.open("rb") as file:
                held = file.read(len(self._content) + 1)
        if held is None or not self._content.startswith(held):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(self.path, self._content)
        elif len(held) < len(self._content):
            append_bytes(self.path, self._content[len(held) :])
        self.is_written = True


def _number_or_none(cell: str) -> float | None:
    return float(cell) if cell else None


def _record(data: bytes) -> bytes:
    """Return data as a record of a TFRecord file: its length, that one's checksum, it, its own."""
    length = struct.pack("<Q", len(data))
    checksums = [struct.pack("<I", masked_crc32c(part)) for part in (length, data)]
    return length + checksums[0] + data + checksums[1]


def _scalars(values: Mapping[str, float]) -> Any:
    """Return a summary with a scalar a tag; numbers that are not finite stay what they are."""
    return Summary(value=[Summary.Value(tag=tag, simple_value=values[tag]) for tag in values])


def _session_start(facts: Facts, started: float) -> Any:
    """Return a summary with the keys of a run's config, for the page HPARAMS."""
    values = {key: value for key, value in facts.items() if is_of_config(key) and key != "name"}
    start = SessionStartInfo(hparams=dict(_hparam_values(values)), start_time_secs=started)
    return _hparams("session_start_info", start)


def _hparam_values(values: Facts) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, bool):
            yield key, Value(bool_value=value)
        elif is_number(value):
            yield key, Value(number_value=value)
        elif isinstance(value, str | list):
            text = value if isinstance(value, str) else json.dumps(value)
            yield key, Value(string_value=escape(text))


def _hparams(kind: str, information: Any) -> Any:
    """Return the summary in which the page HPARAMS looks for this kind of information."""
    data = HParamsPluginData(version=0, **{kind: information})
    content = data.SerializeToString(deterministic=True)
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content)
    metadata = SummaryMetadata(plugin_data=plugin)
    return Summary(value=[Summary.Value(tag=f"_hparams_/{kind}", metadata=metadata)])


def _seconds_of(time_of_status: object) -> float:
    """Return a time of status.json in seconds since 1970, 0 for one that is missing or is none."""
    try:
        return datetime.fromisoformat(str(time_of_status)).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
