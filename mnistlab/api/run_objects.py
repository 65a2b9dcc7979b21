"""Runs and sweeps as Python objects, each read from its folder when it is first asked for.

Shapes: N images of H x W pixels, D = H * W features, C classes.
"""

import html
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from mnistlab.config.config_files import MAX_SWEEP_BYTES, read_file
from mnistlab.config.load import load_config
from mnistlab.console.tables import MISSING
from mnistlab.core.losses import LOSSES, gives_probabilities, softmax
from mnistlab.core.metrics import largest_class, pre_activations
from mnistlab.core.models import MODELS
from mnistlab.core.objective import coding_of
from mnistlab.core.samples import FeatureMap, FeatureReader
from mnistlab.datasets import PREPROCESSING, MovePixels
from mnistlab.errors import InputError, MnistlabError, UnknownNameError, suggest
from mnistlab.experiment.prepare import open_data
from mnistlab.plots.drawing import encode
from mnistlab.plots.plot_registries import plots_of
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.weights import load_weights
from mnistlab.store.export import check_target
from mnistlab.store.facts import METRICS, Facts, columns_of, read_facts
from mnistlab.store.predict import open_model, write_model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mnistlab.sklearn import ShallowClassifier

_TIMES = ("started", "ended")
_SHOWN = 20  # rows of a table in a notebook


class _Folder:
    """What runs and sweeps have in common: a folder, and its row in every table."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """The folder."""
        return self._folder.path

    @property
    def name(self) -> str:
        """The folder's name, by which every command and `load_run` find it."""
        return self._folder.name

    @property
    def status(self) -> str:
        """Completed, diverged, failed, interrupted, running or damaged."""
        return str(self.facts["status"])

    @cached_property
    def config(self) -> dict[str, Any]:
        """The resolved config, nested; that of a sweep is a sweep file's."""
        return read_file(self._folder.config, MAX_SWEEP_BYTES)[0]

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What `--json` prints; raises InputError where there is none yet."""
        return self._folder.read_summary()

    @cached_property
    def facts(self) -> Facts:
        """Everything that `mnistlab runs list` knows of it, by dotted keys."""
        return read_facts(self._folder)

    def __getitem__(self, key: str) -> Any:
        """Return a fact by its key, such as `test.accuracy`; raise KeyError for an unknown one."""
        if key not in self.facts:
            raise KeyError(f"{self.name} has no {key!r}{suggest(key, self.facts)}")
        return self.facts[key]

    def __contains__(self, key: object) -> bool:
        """Return whether there is a fact of this key."""
        return key in self.facts

    def __iter__(self) -> Iterator[str]:
        """Yield the keys of all facts."""
        return iter(self.facts)

    def keys(self) -> list[str]:
        """Return the keys of all facts: dict(run) is all that is known."""
        return list(self.facts)

    def plot(self, name: str) -> "Figure":
        """Return a plot as a Matplotlib figure: that of this name in the folder's plots.

        Raises InputError for a name of no plot, and where there is no data for it.
        """
        plots, view = plots_of(self._folder)
        if name not in plots:
            raise UnknownNameError("plot", name, plots)
        figure: Figure | None = plots[name](view)
        if figure is None:
            raise InputError(f"{self.name}: has no data for the plot {name}")
        # a notebook without a backend of Matplotlib's shows this
        figure._repr_png_ = partial(encode, figure)  # type: ignore[attr-defined]
        return figure


class Run(_Folder):
    """A run, read from its folder."""

    def __repr__(self) -> str:
        """Return name, status and test accuracy."""
        accuracy = self.facts.get("test.accuracy")
        told = "" if accuracy is None else f", test accuracy {accuracy:.2%}"
        return f"<Run {self.name}: {self.status}{told}>"

    @cached_property
    def metrics(self) -> Any:
        """Losses, accuracies, learning rate and seconds, a row an epoch.

        A pandas.DataFrame indexed by epoch, or without pandas a dict of arrays (epochs,).
        """
        columns = {name: np.array(values) for name, values in self._folder.read_metrics().items()}
        epochs = columns["epoch"].astype(int)
        pandas = _pandas()
        if pandas is None:
            return {**columns, "epoch": epochs}
        del columns["epoch"]
        return pandas.DataFrame(columns, index=pandas.Index(epochs, name="epoch"))

    @cached_property
    def _parameters(self) -> NDArray[np.floating]:
        if not self._folder.model.exists():
            raise InputError(f"{self.name}: is {self.status} and has no weights")
        return load_weights(self._folder.model)

    @property
    def weights(self) -> NDArray[np.floating]:
        """The weights, (D, C); raises InputError for a run that has none."""
        return self._parameters[:-1]

    @property
    def biases(self) -> NDArray[np.floating]:
        """The biases, (C,); raises InputError for a run that has none."""
        biases: NDArray[np.floating] = self._parameters[-1]
        return biases

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Return what the model sees of images, (N, D): the run's own preprocessing applied.

        `images` are bytes as in the dataset's files, uint8 of shape (N, H, W) or (N, D); without
        preprocessing the features are the bytes divided by 255. Raises InputError for anything
        else, and for preprocessing that needs the training data where these cannot be had.
        """
        rows, features = self._seen(images)
        reader = FeatureReader(features, len(self.weights), len(rows), self._parameters.dtype)
        return reader.read(rows)[:, :-1] * reader.factor

    def outputs(self, images: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Return what the model gives for images, (N, C); `images` as `features` takes them.

        Of a model that compares classes in pairs these are the votes for each class less those
        against it, and less than half a vote for how clear they were.
        """
        rows, features = self._seen(images)
        A = pre_activations(self._parameters, rows, features)
        model = MODELS[str(self["model"])]
        outputs, _ = model.forward(A[:, None, :])
        return np.asarray(coding_of(model).scores(outputs)[:, 0])

    def _seen(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], FeatureMap]:
        """Return images as rows (N, D) with their pixels moved, and the map to features."""
        config = load_config(self._folder.config)
        images = np.asarray(images)
        pixels, features = len(self.weights), FeatureMap()
        if config.features:
            _, dataset, _ = open_model(self._folder)
            features = dataset.features
            pixels = dataset.test.rows.shape[1]
        side = int(np.sqrt(pixels))
        if images.dtype != np.uint8:
            raise InputError(
                f"images must be uint8, grey levels from 0 to 255, not {images.dtype}; "
                "(x * 255).round().astype('uint8') makes them of numbers from 0 to 1"
            )
        if images.ndim not in (2, 3) or images[:1].size != pixels * len(images[:1]):
            raise InputError(
                f"images must have the shape (N, H, W) or (N, D) with {pixels} pixels "
                f"each, not {images.shape}"
            )
        for step in (PREPROCESSING[name] for name in config.data.preprocess):
            if isinstance(step, MovePixels):
                squares = images if images.ndim == 3 else images.reshape(-1, side, side)
                images = step.move(squares)
            elif not config.features:
                features = open_data(config).features  # fitted on the training images
        return images.reshape(len(images), pixels), features

    def to_sklearn(self) -> "ShallowClassifier":
        """Return the run as a fitted scikit-learn classifier; needs the extra `sklearn`.

        Its rows are the run's features: `run.to_sklearn().predict(run.features(images))` is
        `run.predict(images)`. Raises InputError for a run without weights, and for a model and a
        loss of a plugin.
        """
        from mnistlab.sklearn.estimators import fitted_as  # noqa: PLC0415 - takes seconds
        from mnistlab.sklearn.stacks import Fitted  # noqa: PLC0415

        rows = self._folder.read_metrics()
        fitted = Fitted(self._parameters, int(rows["epoch"][-1]), list(rows["train_loss"]), None)
        return fitted_as(load_config(self._folder.config), fitted)

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.integer]:
        """Return the class of each image, (N,): its largest output, of equal ones the first.

        `images` as `features` takes them.
        """
        return largest_class(self.outputs(images)[:, None, :])[:, 0]

    def predict_proba(self, images: NDArray[np.uint8]) -> NDArray[np.floating]:
        """Return the probability of each class, (N, C): the softmax of `outputs`.

        `images` as `features` takes them. Raises InputError for a run whose loss gives no
        probabilities.
        """
        loss = str(self["loss"])
        if not gives_probabilities(LOSSES[loss]):
            raise InputError(
                f"{self.name}: {loss} gives no probabilities; outputs() has what the model gives"
            )
        return np.asarray(softmax(self.outputs(images)))

    def to_onnx(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the model as ONNX, as `mnistlab runs export` does, and return the file.

        The graph takes `images`, uint8 (N, H, W), and gives what `predict`, `outputs` and
        `predict_proba` give. Raises InputError for a run without weights, for preprocessing that
        the graph cannot hold, for a file that is there already, unless `force`, and without the
        extra `onnx`; FetchError where the run's data cannot be had.
        """
        target = Path(path)
        check_target(target, "onnx", force=force)
        write_model(target, [self._folder])
        return target

    def _repr_html_(self) -> str:
        """Return the run as a small table, for notebooks."""
        rows = [
            [split, *(_number(f"{split}.{name}", self.facts) for name in ("loss", "accuracy"))]
            for split in ("train", "validation", "test")
        ]
        told = f"{self.name}: {self.status}"
        if "error" in self.facts:
            told += f", {self.facts['error']}"
        return html_table(told, ["", "loss", "accuracy"], rows)


class Runs(Sequence[Run]):
    """Some runs in an order, and their rows as a table."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = list(runs)

    @overload
    def __getitem__(self, at: int) -> Run: ...
    @overload
    def __getitem__(self, at: slice) -> "Runs": ...
    def __getitem__(self, at: int | slice) -> "Run | Runs":
        """Return a run, or some of them."""
        return Runs(self._runs[at]) if isinstance(at, slice) else self._runs[at]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._runs)

    def __repr__(self) -> str:
        """Return how many there are."""
        return f"<{len(self)} runs>"

    def to_frame(self) -> Any:
        """Return a pandas.DataFrame with a row a run, whose columns are the keys of `runs list`.

        Times are timestamps in UTC. Raises MnistlabError without pandas.
        """
        pandas = _pandas()
        if pandas is None:
            raise MnistlabError("a table needs pandas, which is not installed: pip install pandas")
        frame = pandas.DataFrame([run.facts for run in self])
        for key in set(_TIMES) & set(frame.columns):
            frame[key] = pandas.to_datetime(frame[key], utc=True, format="ISO8601")
        return frame

    def _repr_html_(self) -> str:
        """Return the runs as a table, for notebooks."""
        facts = [run.facts for run in self]
        columns = columns_of(facts, of_sweep=any("/" in str(one["run"]) for one in facts))
        rows = [[_number(key, one) for key in columns] for one in facts[:_SHOWN]]
        more = f", the first {_SHOWN}" if len(facts) > _SHOWN else ""
        return html_table(f"{len(facts)} runs{more}", columns, rows)


class Sweep(_Folder):
    """A sweep, read from its folder: its runs, and the best of them."""

    _folder: SweepFolder

    def __init__(self, folder: SweepFolder) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        """Return name, status and how many runs there are."""
        return f"<Sweep {self.name}: {self.status}, {len(self._folder.runs())} runs>"

    @cached_property
    def runs(self) -> Runs:
        """Its runs by their numbers, those that have ended or are begun."""
        return Runs([Run(self._folder.run(number)) for number in self._folder.runs()])

    @property
    def best(self) -> Run | None:
        """The first run of the best trial by the validation split, None where all diverged.

        The test split is evaluated for it alone.
        """
        best = self.summary["best"]
        return None if best is None else Run(self._folder.run(best["runs"][0]))

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The values of the best trial, by their keys; empty where all diverged."""
        best = self.summary["best"]
        return {} if best is None else best["parameters"]

    def to_frame(self) -> Any:
        """Return a pandas.DataFrame with a row a run; see `Runs.to_frame`."""
        return self.runs.to_frame()

    def _repr_html_(self) -> str:
        """Return the best trials as a table, for notebooks."""
        results = {one["trial"]: one for one in self.summary["results"]}
        ranked = [results[trial] for trial in self.summary["ranking"]]
        keys = list(self.summary["parameters"])
        name = self.summary["metric"]["name"]
        split, _, measure = name.partition(".")
        rows = [
            [str(one["trial"]), *(str(one["parameters"][key]) for key in keys),
             _number(name, {name: one[split][measure]})]
            for one in ranked[:_SHOWN]
        ]  # fmt: skip
        told = f"{self.name}: {self.status}, {len(results)} trials, the best first"
        return html_table(told, ["trial", *keys, name], rows)


def _pandas() -> Any:
    """Return pandas if it is installed; it is imported by whoever asks for a table."""
    try:
        import pandas  # noqa: PLC0415 - slow, and not everybody has it
    except ImportError:
        return None
    return pandas


def html_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table as HTML without scripts; every text is escaped."""
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    told = f"<caption>{html.escape(caption)}</caption>"
    return f"<table>{told}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(key: str, facts: Mapping[str, Any]) -> str:
    value = facts.get(key)
    if value is None:
        return MISSING
    if key in METRICS:
        return f"{value:.2%}" if key.endswith("accuracy") else f"{value:.4f}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
