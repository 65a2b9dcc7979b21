"""Everything of mnistlab that reads what somebody else may have written, behind one interface.

A target turns any bytes into files, reads them, and either returns or raises one of our own
errors, whose text is a sentence on one line. Whatever else comes out of it is a fault.
"""

import contextlib
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy

from mnistlab.config.config_files import MAX_SWEEP_BYTES, read_file
from mnistlab.config.load import load_config, parse_overrides
from mnistlab.core.trainer import Snapshot
from mnistlab.datasets.data_files import KEYS, read_idx, read_npz
from mnistlab.datasets.sanity import check_images, check_labels
from mnistlab.errors import MnistlabError
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.provenance import is_intact
from mnistlab.run_folders.weights import (
    _digest,
    load_checkpoint,
    load_weights,
    save_checkpoint,
    save_weights,
)
from mnistlab.store.facts import read_facts
from mnistlab.store.selection import parse
from mnistlab.sweeps.trials import load_sweep
from tests.fuzz.restoring import restore

LONGEST_MESSAGE = 600
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """One kind of input: `read(content, folder)` writes it into `folder` and reads it.

    `seeds` are valid inputs; `longest` is how many bytes an input may have.
    """

    read: Callable[[bytes, Path], None]
    seeds: tuple[bytes, ...]
    longest: int = 4096


class BadMessageError(AssertionError):
    """An error of ours whose text is not a sentence on one line."""


def attempt(target: Target, content: bytes, folder: Path) -> None:
    """Have a target read `content`; raise whatever it may not raise, and BadMessageError."""
    try:
        target.read(content, folder)
    except MnistlabError as error:
        check_message(str(error))


def check_message(text: str) -> None:
    """Raise BadMessageError unless `text` is one line without anything that a terminal obeys."""
    if not text.strip() or not text.isprintable() or len(text) > LONGEST_MESSAGE:
        raise BadMessageError(repr(text[: 2 * LONGEST_MESSAGE]))


def _config(content: bytes, folder: Path) -> None:
    path = folder / "fuzz.yaml"
    path.write_bytes(content)
    load_config(path)


def _sweep(content: bytes, folder: Path) -> None:
    path = folder / "fuzz.yaml"
    (folder / "base.yaml").write_bytes(b"epochs: 3\n")
    path.write_bytes(content)
    load_sweep(path)


def _words(content: bytes, folder: Path) -> None:
    """Read what was typed, a word a line, as `train` and as `sweep` do."""
    words = content.decode("utf-8", "surrogateescape").split("\n")
    with told():
        parse_overrides(words)
    with told():
        load_config(None, words)
    path = folder / "fuzz.yaml"
    path.write_bytes(b"epochs: 3\n")
    load_sweep(path, words)


@contextlib.contextmanager
def told():
    """Let an error of ours end a part of a target, and the next part begin."""
    try:
        yield
    except MnistlabError as error:
        check_message(str(error))


def _idx(content: bytes, folder: Path) -> None:
    path = folder / "images"
    path.write_bytes(content)
    with told():
        images = read_idx(path, 3)
        check_images(images, "images")
    with told():
        labels = read_idx(path, 1)
        check_labels(labels, "labels")


def _packed_idx(content: bytes, folder: Path) -> None:
    """Read `content` packed, so that what is found out about gzip is not all there is."""
    _idx(gzip.compress(content, 1, mtime=0), folder)


def _npz(content: bytes, folder: Path) -> None:
    path = folder / "fuzz.npz"
    path.write_bytes(content)
    arrays = read_npz(path)
    for key in KEYS[1::2]:
        check_labels(arrays[key], key)
    for key in KEYS[::2]:
        check_images(arrays[key], key)


def _npy(content: bytes, folder: Path) -> None:
    """Read `content` as the first member of an .npz whose checksums are right."""
    _npz(npz(**{**members(), "x_train.npy": content}), folder)


def _weights(content: bytes, folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(content)
    parameters = load_weights(path)
    assert parameters.ndim == 2


def _checkpoint(content: bytes, folder: Path) -> None:
    path = folder / "checkpoint.safetensors"
    path.write_bytes(content)
    load_checkpoint(path)


def _notes(content: bytes, folder: Path) -> None:
    """Read a checkpoint whose SHA-256 is right and that says `content` of itself."""
    about = content.decode("utf-8", "replace")
    arrays = safetensors.numpy.load(TARGETS["safetensors: checkpoints"].seeds[0])
    metadata = {"snapshot": about, "sha256": _digest(arrays, about)}
    _checkpoint(safetensors.numpy.save(arrays, metadata), folder)


RUN_FILES = ("metrics.csv", "summary.json", "status.json", "environment.json", "divergence.csv")
SWEEP_FILES = ("plan.json", "sweep.json", "results.csv", "config.yaml")


def _run_files(content: bytes, folder: Path) -> None:
    """Read a run whose files are all `content`, then one of them among valid ones."""
    one = RUN_FILES[sum(content) % len(RUN_FILES)]
    for changed in (RUN_FILES, (one,)):
        for name in RUN_FILES:
            (folder / name).write_bytes(content if name in changed else RUN_SEEDS[name])
        (folder / "config.yaml").write_bytes(b"epochs: 1\n")
        run = RunFolder(folder)
        for read in (run.read_metrics, run.read_summary, run.read_divergence):
            with told():
                read()
        run.read_environment()
        status = run.read_status()
        assert isinstance(status["status"], str)
        is_intact(run)
        read_facts(run)


def _sweep_files(content: bytes, folder: Path) -> None:
    for name in SWEEP_FILES:
        (folder / name).write_bytes(content)
    (folder / "status.json").write_bytes(RUN_SEEDS["status.json"])
    sweep = SweepFolder(folder)
    for read in (sweep.read_plan, sweep.read_summary):
        with told():
            read()
    with told():
        read_file(sweep.config, MAX_SWEEP_BYTES)
    read_facts(sweep)


FACTS = {
    "run": "20260101-000000-a-0000",
    "learning_rate": 0.1,
    "epochs": 10,
    "data.preprocess": ["deskew"],
    "model": "linear",
    "shuffle": True,
    "huge": 10**400,
}


def _filter(content: bytes, folder: Path) -> None:  # noqa: ARG001 - no file is needed
    matches = parse(content.decode("utf-8", "surrogateescape")).matches
    for facts in (FACTS, {}):
        with told():
            matches(facts)


def npz(**files: bytes) -> bytes:
    """Return the bytes of a zip archive that holds these files, deflated."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    """Return the bytes of a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def members(count: int = 4) -> dict[str, bytes]:
    """Return the four files of a small .npz dataset."""
    images = np.arange(count * 12, dtype=np.uint8).reshape(count, 3, 4)
    labels = np.arange(count) % 3
    return {f"{key}.npy": npy(images if key.startswith("x") else labels) for key in KEYS}


def idx(*shape: int, data: bytes) -> bytes:
    """Return the bytes of an IDX file."""
    sizes = b"".join(size.to_bytes(4, "big") for size in shape)
    return bytes([0, 0, 8, len(shape)]) + sizes + data


def _saved(save: Callable[[Path], None]) -> bytes:
    import tempfile  # noqa: PLC0415 - nothing else here writes files of its own

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        save(path)
        return path.read_bytes()


def _snapshot() -> Snapshot:
    return Snapshot(
        epoch=2,
        columns=np.arange(1),
        parameters=np.zeros((3, 1, 2), np.float32),
        state={"velocity": np.zeros((3, 1, 2), np.float32)},
        best_loss=np.full(1, np.inf),
        best_epoch=np.zeros(1),
        generator=np.random.default_rng(0).bit_generator.state,
    )


RUN_SEEDS = {
    "metrics.csv": (
        b"epoch,train_loss,train_accuracy,validation_loss,validation_accuracy,learning_rate,seconds"
        b"\n1,0.5,0.9,0.5,0.9,0.01,0.1\n2,0.4,0.9,,,0.01,0.1\n"
    ),
    "summary.json": json.dumps(
        {"epochs": 2, "seconds": {"total": 1.0}}
        | {split: {"loss": 0.5, "accuracy": 0.9} for split in ("train", "validation", "test")}
    ).encode(),
    "status.json": b'{"status": "completed", "files": {"config.yaml": "0"}, "started": "2026"}',
    "environment.json": b'{"key": "0", "data_sha256": "1", "git": {"dirty": false}}',
    "divergence.csv": b"step,loss\n10,1.5\n11,inf\n",
}

_CONFIGS = tuple(path.read_bytes() for path in sorted((ROOT / "configs").glob("*.yaml")))
_SWEEPS = tuple(
    re.sub(rb"\.\./\w+\.yaml", b"base.yaml", path.read_bytes())
    for path in sorted((ROOT / "configs/sweeps").glob("*.yaml"))
)
_IDX = (idx(2, 3, 4, data=bytes(range(24))), idx(3, data=b"\0\1\2"), idx(0, 9, 9, data=b""))

TARGETS = {
    "configs": Target(_config, _CONFIGS),
    "sweeps": Target(
        _sweep,
        (
            *_SWEEPS,
            b"base: {data: {validation: 9}}\nparameters: {seed: 'range(0,9)', momentum: [0, 0.9]}",
            b"""parameters: {learning_rate: {min: 0.1, max: 1, distribution: uniform}}\nseeds: 3
base: {}\nmethod: random\nmax_trials: 3\nmetric: validation.loss\nrandom_seed: 1""",
        ),
        2048,
    ),
    "overrides": Target(
        _words,
        (
            b"learning_rate=logspace(1e-3,1,9)\nseed=1,2\ndata.validation=5000",
            b"learning_rate=0.1\ndata.validation=5000\ndata.preprocess=[deskew]",
            b"learning_rate=log_uniform(0.1,1)\nzip=seed,epochs\nseed=1,2\nepochs=1,2",
            b"@list.csv\nhalving.factor=3",
        ),
        1024,
    ),
    "IDX files": Target(_idx, (*_IDX, *(gzip.compress(one, mtime=0) for one in _IDX))),
    "IDX files inside gzip": Target(_packed_idx, _IDX),
    "npz": Target(_npz, (npz(**members()), npz(other=b"x"))),
    "npy inside npz": Target(_npy, tuple(members().values())),
    "safetensors: weights": Target(
        _weights,
        (
            _saved(lambda path: save_weights(path, np.zeros((3, 2), np.float32))),
            safetensors.numpy.save({"W": np.zeros((3, 2, 2)), "b": np.zeros((2, 2))}),
            safetensors.numpy.save({"W": np.zeros((3, 2), np.int8), "b": np.zeros(2, np.int8)}),
        ),
    ),
    "safetensors: checkpoints": Target(
        _checkpoint, (_saved(lambda path: save_checkpoint(path, _snapshot(), {"a": 1})),)
    ),
    "safetensors: notes of checkpoints": Target(
        _notes,
        (json.dumps({"epoch": 2, "generator": _snapshot().generator, "notes": {"a": 1}}).encode(),),
    ),
    "restored checkpoints": Target(restore, (b"",)),
    "files of a run": Target(_run_files, tuple(RUN_SEEDS.values())),
    "files of a sweep": Target(
        _sweep_files,
        (
            b'{"stacks": [[0, 1]], "columns": {"0": 1}, "best": {"test": {"loss": 0.1}}}',
            b"run,seed\n0,1\n1,2\n",
            *_SWEEPS,
        ),
    ),
    "filters": Target(
        _filter,
        (
            b"learning_rate > 0.01 and validation.loss < 0.4",
            b"not (model = 'linear' or epochs in (1, 2)) and data.preprocess contains deskew",
            b"huge >= 1e3 and run != null",
        ),
        2048,
    ),
}
