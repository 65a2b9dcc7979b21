"""Writes what is known of runs for other programs: as a table, as documents, or as event files.

The event files for TensorBoard lie in FOLDER/RUN, one for each run, whose name and bytes follow
from the run's folder alone. So a later export of a longer run begins with what the file holds, and
only the rest is appended: a TensorBoard that shows the file sees the new epochs. Where the file
does not hold such a beginning, it is replaced. No export doubles a scalar.
"""

import json
import math
import struct
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mnistlab.errors import InputError, RunFolderError, UnknownNameError, escape, shown
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import (
    append_bytes,
    clear_temporary_files,
    read_csv,
    to_csv,
    to_json,
    write_bytes,
)
from mnistlab.run_folders.folder import METRICS_COLUMNS
from mnistlab.run_folders.places import check_outside_runs, foreign_entries
from mnistlab.store.facts import (
    Facts,
    csv_cell,
    in_order,
    is_number,
    is_of_config,
    read_facts,
    varying_keys,
)
from mnistlab.store.opening import Given, single_runs

FILES = ("csv", "json", "onnx")
"""The formats that are one file, by its ending; `predict` writes the last one."""

EVENTS = "tensorboard"
"""The format that is a folder."""

_ENDINGS = f"{', '.join(f'.{ending}' for ending in FILES[:-1])} or .{FILES[-1]}"

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


def check_target(
    path: Path, given: str | None, *, epochs: bool = False, force: bool = False
) -> str:
    """Return the format that is asked for, by name or by the ending of a file.

    Raises InputError for an unknown one, for a place that cannot be exported to, and, without
    `force`, for a file that is there already.
    """
    if given not in (None, *FILES, EVENTS):
        raise UnknownNameError("format", given, (*FILES, EVENTS))
    form = given if given == EVENTS else path.suffix.removeprefix(".")
    if given not in (None, form):
        raise InputError(f"--to {shown(path)}: is no {given}; its name must end in .{given}")
    if form not in (*FILES, EVENTS):
        raise InputError(
            f"--to {shown(path)}: its name must end in {_ENDINGS}; --format {EVENTS} takes a folder"
        )
    if epochs and form != "csv":
        hint = f"; {form} holds the epochs anyway" if form in ("json", EVENTS) else ""
        raise InputError(f"--epochs goes with a .csv{hint}")
    if not path.parent.is_dir():
        raise InputError(f"--to {shown(path)}: there is no folder {shown(path.parent)}")
    if form == EVENTS:
        if path.exists() and not path.is_dir():
            raise InputError(f"--to {shown(path)}: is a file; --format {form} takes a folder")
        return form
    if path.is_dir():
        raise InputError(f"--to {shown(path)}: is a folder")
    if not force and (path.exists() or path.is_symlink()):
        raise InputError(f"--to {shown(path)}: is there already; --force replaces it")
    return form


def write(
    path: Path, given: Sequence[Given], runs: Sequence[Facts], *, epochs: bool
) -> tuple[dict[str, str], int]:
    """Write runs as .csv or .json, by the name of the file, with a row an epoch or a run.

    Of what is refused there are its facts only. Returns by run which of its files are missing or
    damaged, as text, none of a whole run; and how many runs were written.
    """
    count = len(runs)
    damaged = {
        one.label: ", ".join(map(str, facts["damaged"]))
        for one, facts in zip(given, runs, strict=True)
        if facts.get("damaged")
    }
    # what holds links is not opened
    opened = [
        None if one.folder is None or any(foreign_entries(one.path)) else one.folder
        for one in given
    ]
    if path.suffix == ".json":
        documents = [
            {
                "run": facts["run"],
                "facts": facts,
                "metrics": _metrics(folder),
                "environment": None if folder is None else folder.read_environment() or None,
            }
            for folder, facts in zip(opened, runs, strict=True)
        ]
        text = to_json(documents) + "\n"
    elif epochs:
        curves = [_metrics(folder) for folder in opened]
        text, count = _epochs(curves, runs), sum(metrics is not None for metrics in curves)
        damaged |= {
            one.label: folder.metrics.name
            for one, folder, metrics in zip(given, opened, curves, strict=True)
            if folder is not None and metrics is None
        }
    else:
        columns = in_order(key for facts in runs for key in facts)
        rows = [{key: csv_cell(value) for key, value in facts.items()} for facts in runs]
        text = to_csv(columns, rows)
    # bytes of names that are no UTF-8 are written as escapes
    write_bytes(path, text.encode("utf-8", "backslashreplace"))
    return damaged, count


def _epochs(curves: Sequence[Mapping[str, list[float]] | None], runs: Sequence[Facts]) -> str:
    """Return a CSV with a row an epoch and run, which names the run and what its config varies.

    The config's learning rate stands under `config.learning_rate`, as the epoch's has its name.
    Runs without metrics, None among the curves, have no row.
    """
    keys = {f"config.{key}" if key in METRICS_COLUMNS else key: key for key in varying_keys(runs)}
    rows: list[Facts] = []
    whose = [key for key in ("run", "who") if any(key in facts for facts in runs)]
    for metrics, facts in zip(curves, runs, strict=True):
        if metrics is None:
            continue
        known = {key: csv_cell(facts.get(key)) for key in whose} | {
            column: csv_cell(facts.get(key)) for column, key in keys.items()
        }
        rows += [
            known | {column: _number(value) for column, value in zip(metrics, values, strict=True)}
            for values in zip(*metrics.values(), strict=True)
        ]
    return to_csv([*whose, *keys, *METRICS_COLUMNS], rows)


def _metrics(folder: RunFolder | None) -> dict[str, list[float]] | None:
    try:
        return None if folder is None else folder.read_metrics()
    except RunFolderError:
        return None


def _number(value: float) -> float | int | str:
    """Return a metric as it stands in metrics.csv: epochs whole, nothing for what is missing."""
    if value != value:  # noqa: PLR0124 - the definition of NaN
        return ""
    return int(value) if value.is_integer() else value


def write_events(
    to: Path, given: Sequence[Given], *, follow: bool = False
) -> tuple[dict[str, str], int]:
    """Write the metrics of runs into the folder `to`, each run's into `to`/RUN.

    A sweep stands for its runs; what is refused is left out. With `follow` this goes on until none
    of the runs and sweeps is running. Returns by run which of its files are missing or damaged, as
    text, and how many runs were written. Raises InputError for a place that holds anything but an
    export, or belongs to a run folder; OSError where it cannot be written.
    """
    tensorboard = _import_tensorboard()
    files: dict[str, _EventFile] = {}
    while True:
        # asked first, so that nothing that a run writes at its end is missed
        named = [one.folder for one in given if one.folder is not None]
        goes_on = follow and any(one.read_status()["status"] == "running" for one in named)
        for one in single_runs(given):
            if one.folder is not None and one.label not in files:
                files[one.label] = _EventFile(one.folder, to / one.label, tensorboard)
        for file in files.values():
            file.update()
        if not goes_on:
            break
        time.sleep(_PAUSE)
    damaged = {label: file.damaged for label, file in files.items() if file.damaged}
    return damaged, sum(file.is_written for file in files.values())


def _import_tensorboard() -> SimpleNamespace:
    try:
        from google.protobuf.struct_pb2 import Value  # noqa: PLC0415 - an extra
        from tensorboardX.proto.event_pb2 import Event  # noqa: PLC0415
        from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData  # noqa: PLC0415
        from tensorboardX.record_writer import masked_crc32c  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "--format tensorboard needs tensorboardX, which is not installed: "
            "pip install 'mnistlab[tensorboard]'"
        ) from None
    return SimpleNamespace(
        Value=Value, Event=Event, HParamsPluginData=HParamsPluginData, checksum=masked_crc32c
    )


class _EventFile:
    """The event file of one run, and what it is to hold so far."""

    def __init__(self, folder: RunFolder, place: Path, tensorboard: SimpleNamespace) -> None:
        check_outside_runs(place, "event file")
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise InputError(f"{shown(place)}: is no folder, so no events can be written there")
        clear_temporary_files(place)
        for path in place.glob("[!.]*"):
            if path.name != EVENT_FILE or path.is_symlink() or not path.is_file():
                raise InputError(
                    f"{shown(path)}: is no export of {shown(folder.name)}; name another folder"
                )
        self._tensorboard = tensorboard
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
                self.folder.metrics,
                {"epoch": int, **dict.fromkeys(TAGS, lambda cell: float(cell) if cell else None)},
            )
        except RunFolderError:
            if not is_running:  # one that has just begun has no metrics yet
                self.damaged = self.damaged or self.folder.metrics.name
            return
        if not self._content:
            started = _seconds_of(facts.get("started"))
            self._add(started, file_version="brain.Event:2")
            hparams = {"hparams": self._config_of(facts), "start_time_secs": started}
            self._add(started, self._hparams("session_start_info", hparams))
        for values in list(zip(*columns.values(), strict=True))[self._rows :]:
            row = dict(zip(columns, values, strict=True))
            self._epoch, passed = row["epoch"], row["seconds"] or 0.0
            passed = passed if math.isfinite(passed) and passed > 0 else 0.0
            scalars = [_scalar(TAGS[name], row[name]) for name in TAGS if row[name] is not None]
            self._add(self._time + passed, *scalars)
        self._rows = len(columns["epoch"])
        if status in _ENDS:
            ended = _seconds_of(facts.get("ended")) or self._time
            information = {"status": _ENDS[status], "end_time_secs": ended}
            tests = [
                _scalar(tag, facts[key])
                for key, tag in TEST_TAGS.items()
                if is_number(facts.get(key))
            ]
            self._add(ended, self._hparams("session_end_info", information), *tests)
        self._write()
        self._is_final = status in _ENDS

    def _add(self, at: float, *values: Mapping[str, Any], **what: Any) -> None:
        """Add an event of the epoch, as a record of a TFRecord file, at seconds since 1970."""
        self._time = at
        summary = {"summary": {"value": values}} if values else {}
        event = self._tensorboard.Event(wall_time=at, step=self._epoch, **summary, **what)
        data = event.SerializeToString(deterministic=True)
        for part in (struct.pack("<Q", len(data)), data):
            self._content += part + struct.pack("<I", self._tensorboard.checksum(part))

    def _config_of(self, facts: Facts) -> dict[str, Any]:
        """Return the keys of a run's config as values of the page HPARAMS."""
        values: dict[str, Any] = {}
        for key, value in facts.items():
            if not is_of_config(key) or key == "name":
                continue
            if isinstance(value, bool):
                values[key] = self._tensorboard.Value(bool_value=value)
            elif is_number(value):
                values[key] = self._tensorboard.Value(number_value=value)
            elif isinstance(value, str | list):
                text = value if isinstance(value, str) else json.dumps(value)
                values[key] = self._tensorboard.Value(string_value=escape(text))
        return values

    def _hparams(self, kind: str, information: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value in which the page HPARAMS looks for this kind of information."""
        data = self._tensorboard.HParamsPluginData(version=0, **{kind: information})
        content = data.SerializeToString(deterministic=True)
        plugin = {"plugin_name": "hparams", "content": content}
        return {"tag": f"_hparams_/{kind}", "metadata": {"plugin_data": plugin}}

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


def _scalar(tag: str, value: float) -> dict[str, Any]:
    return {"tag": tag, "simple_value": value}


def _seconds_of(time_of_status: object) -> float:
    """Return a time of status.json in seconds since 1970, 0 for one that is missing or is none."""
    try:
        return datetime.fromisoformat(str(time_of_status)).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
