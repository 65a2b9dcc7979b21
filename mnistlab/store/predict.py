"""Runs the model that a run has learned: on pictures and test images, and as a graph for ONNX.

Shapes: N images of H x W pixels, D = H * W features, C classes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mnistlab
from mnistlab.config.load import load_config, to_yaml
from mnistlab.config.schema import Config
from mnistlab.core.losses import LOSSES, gives_probabilities, softmax
from mnistlab.core.metrics import largest_class, pre_activations
from mnistlab.core.models import MODELS, Linear, Sigmoid
from mnistlab.core.objective import Objective
from mnistlab.datasets import PREPROCESSING, Dataset, MovePixels, Progress, with_fitted_steps
from mnistlab.datasets.picture import as_digit, check_file, read_picture
from mnistlab.datasets.preprocess import invert, transpose
from mnistlab.errors import DataError, InputError, RunFolderError, escape, shown
from mnistlab.experiment.prepare import objective_of, open_images
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import write_bytes
from mnistlab.run_folders.folder import SweepFolder
from mnistlab.run_folders.provenance import check_same_data, check_undamaged
from mnistlab.run_folders.weights import load_features, load_weights

_IR_VERSION, _OPSET = 8, 17
"""Those of ONNX 1.12, of 2022, so that older runtimes read the file."""

_ACTIVATIONS = {Linear: "Identity", Sigmoid: "Sigmoid"}
"""The operator that makes outputs of pre-activations, by the class of a model."""


@dataclass(frozen=True)
class Prediction:
    """What a run says of one image.

    `image` is what was asked for, `seen` (H, W) uint8 what the model saw, before its bytes became
    features. `outputs` are C numbers; `label` is the true class, known of test images alone.
    """

    image: str
    predicted: int
    outputs: list[float]
    label: int | None
    seen: NDArray[np.uint8]

    @property
    def right(self) -> bool | None:
        """Whether the prediction is the true class; None where that is not known."""
        return None if self.label is None else self.predicted == self.label


@dataclass(frozen=True)
class Predictions:
    """What a run says of some images; their outputs are probabilities where the loss says so."""

    run: str
    are_probabilities: bool
    classes: tuple[str, ...]
    images: list[Prediction]

    @property
    def outputs(self) -> str:
        """What the number of a class is."""
        return "softmax probability" if self.are_probabilities else "model output"

    def as_json(self) -> dict[str, Any]:
        """Return everything but the pixels, with the names of the classes."""
        return {
            "run": self.run,
            "outputs": self.outputs,
            "classes": self.classes,
            "images": [
                {
                    "image": one.image,
                    "predicted": one.predicted,
                    "class": self.classes[one.predicted],
                    "outputs": one.outputs,
                    "label": one.label,
                    "label_class": None if one.label is None else self.classes[one.label],
                    "right": one.right,
                }
                for one in self.images
            ],
        }


def predict(
    folder: RunFolder, images: Sequence[str], progress: Progress | None = None
) -> Predictions:
    """Return what a run says of `images`: files of pictures, or indices into the test split.

    A picture is brought into the form of the dataset's images and then, as these were, through
    the run's own preprocessing. Raises InputError for a run without weights, weights that do
    not fit the data, data that are no longer those of the run, and an image that is missing,
    broken or blank; FetchError where the data cannot be had.
    """
    _check_has_weights(folder)
    for word in images:
        if not _is_index(word):
            check_file(Path(word))
    config, dataset, parameters = open_model(folder, progress)
    looked = [_look_at(word, dataset) for word in images]
    seen = np.stack([image for image, _ in looked])
    with np.errstate(over="ignore", invalid="ignore"):  # of weights that all but diverged
        A = pre_activations(parameters, seen.reshape(len(seen), -1), dataset.features)
        outputs = objective_of(config).scores(A[:, None, :])
        predicted = largest_class(outputs)[:, 0]
        are_probabilities = gives_probabilities(LOSSES[config.loss])
        if are_probabilities:
            outputs = softmax(outputs)
    rows = zip(images, predicted, outputs[:, 0], looked, strict=True)
    return Predictions(
        run=folder.name,
        are_probabilities=are_probabilities,
        classes=dataset.classes,
        images=[
            Prediction(word, int(c), values.tolist(), label, image)
            for word, c, values, (image, label) in rows
        ],
    )


def open_model(
    folder: RunFolder, progress: Progress | None = None
) -> tuple[Config, Dataset, NDArray[np.floating]]:
    """Return a run's config, its data and its parameters (D+1, C), which fit each other.

    Raises InputError for a run without weights, weights that do not fit the data, and data that
    are no longer those of the run; FetchError where the data cannot be had.
    """
    _check_has_weights(folder)
    config = load_config(folder.config)
    dataset = open_images(config, progress)
    if config.features:
        dataset = with_fitted_steps(dataset, load_features(folder.features))
    parameters = _parameters(folder, dataset, objective_of(config))
    check_same_data(folder, config.data.dataset, dataset.sha256)
    return config, dataset, parameters


def _check_has_weights(folder: RunFolder) -> None:
    name = folder.name
    if isinstance(folder, SweepFolder):
        raise RunFolderError(f"{name}: is a sweep; name one of its runs, {name}/0 for its first")
    status = folder.read_status()["status"]
    if status == "diverged":
        raise RunFolderError(f"{name}: has diverged, so it has no weights to predict with")
    if not folder.model.exists():
        raise RunFolderError(f"{name}: is {status} and has no weights to predict with")
    for path in (folder.model, folder.features):
        if path.name in folder.damaged_files():
            raise RunFolderError(f"{path}: is not what the run wrote; it is damaged")


def _parameters(folder: RunFolder, dataset: Dataset, objective: Objective) -> NDArray[np.floating]:
    """Return weights and biases (D+1, C); raise RunFolderError if they do not fit the data."""
    parameters = load_weights(folder.model)
    columns = objective.coding.columns(len(dataset.classes))
    shape = (dataset.test.feature_count + 1, columns)
    if parameters.shape != shape or not np.issubdtype(parameters.dtype, np.floating):
        raise RunFolderError(
            f"{folder.model}: weights of shape {parameters.shape} in {parameters.dtype} do not fit "
            f"the images of {dataset.name}, which take {shape}"
        )
    if not np.isfinite(parameters).all():
        raise RunFolderError(f"{folder.model}: has weights that are not finite")
    return parameters


def _is_index(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _look_at(word: str, dataset: Dataset) -> tuple[NDArray[np.uint8], int | None]:
    """Return a test image with its class, or a picture in the form of these, its moves made."""
    if _is_index(word):
        N = len(dataset.test)
        if len(word) > len(str(N)) + 10 or int(word) >= N:
            shortened = word if len(word) < 20 else f"{word[:20]}…"
            raise InputError(
                f"{shortened}: the test split has {N:,} images, 0 to {N - 1}; a file of this name "
                f"is ./{shortened}"
            )
        return dataset.test.images[int(word)], int(dataset.test.labels[int(word)])
    path = Path(word)
    height, width = dataset.test.images.shape[1:]
    levels = read_picture(path)
    try:
        image = as_digit(levels, (height, width))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    for name in dataset.preprocess:
        step = PREPROCESSING[name]
        if isinstance(step, MovePixels):
            image = step.move(image[np.newaxis])[0]
    return image, None


def write_model(
    path: Path, folders: Sequence[RunFolder | None], progress: Progress | None = None
) -> None:
    """Write the model of the only run among `folders`; see `model_as_onnx` for what it raises."""
    opened = [folder for folder in folders if folder is not None]
    if len(opened) != 1:
        raise InputError(
            f"--to {shown(path)}: a .onnx holds one run, not {len(opened)}; name one, SWEEP/7 for "
            "run 7 of a sweep"
        )
    write_bytes(path, model_as_onnx(opened[0], progress))


def model_as_onnx(folder: RunFolder, progress: Progress | None = None) -> bytes:
    """Return a run's model as the content of an .onnx file; the same run gives the same bytes.

    The preprocessing is part of the graph: scaling to [0, 1], `standardize`, any other map of each
    pixel by itself, `transpose` and `invert`. It computes in the number type of the run's weights.
    The graph's input is `images`, uint8 (N, H, W), as the dataset's files hold them. Its outputs
    are `label` (N,) int64, the class that `mnistlab.Run.predict` gives, and `outputs` (N, C),
    what the model gives: logits, where the loss is the cross-entropy of a softmax. Then there is
    `probabilities` (N, C) too, the softmax of the logits. The metadata has `run`, `config` (YAML),
    `data_sha256` and `classes` (a JSON list).

    Raises InputError without the extra `onnx`, for a run without weights or with files that were
    changed, for data that are no longer those of the run, and for a model or a preprocessing step
    that the graph cannot hold; FetchError where the data cannot be had.
    """
    try:
        import onnx  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(
            "a .onnx needs onnx, which is not installed: pip install 'mnistlab[onnx]'"
        ) from None
    check_undamaged(folder)
    config, dataset, parameters = open_model(folder, progress)
    model = _Graph(onnx, config, parameters.dtype).build(folder.name, dataset, parameters)
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """The nodes and constants of a graph as they are put together, one after the other."""

    def __init__(self, onnx: Any, config: Config, dtype: np.dtype[Any]) -> None:
        self._onnx = onnx
        self._config = config
        self._dtype = dtype
        self._number = onnx.helper.np_dtype_to_tensor_dtype(dtype)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._last = "images"

    def build(self, name: str, dataset: Dataset, parameters: NDArray[np.floating]) -> Any:
        """Return the model of a run with this name, from parameters (D+1, C)."""
        H, W = self._preprocess(dataset)
        C = parameters.shape[1]
        self._add("MatMul", "products", parameters[:-1])
        self._add("Add", "pre_activations", parameters[-1])
        activation = _ACTIVATIONS.get(type(MODELS[self._config.model]))
        if activation is None:
            raise InputError(
                f"the model {self._config.model} cannot be written as ONNX, only linear and "
                "sigmoid can"
            )
        self._add(activation, "outputs")
        helper, types = self._onnx.helper, self._onnx.TensorProto
        describe = helper.make_tensor_value_info
        outputs = [
            describe("label", types.INT64, ["N"]),
            describe("outputs", self._number, ["N", C]),
        ]
        self._nodes.append(
            helper.make_node("ArgMax", ["outputs"], ["label"], "label", axis=1, keepdims=0)
        )  # of equal outputs the first, as the run takes it
        if gives_probabilities(LOSSES[self._config.loss]):
            self._add("Softmax", "probabilities", axis=1)
            outputs.append(describe("probabilities", self._number, ["N", C]))
        graph = helper.make_graph(
            self._nodes,
            escape(name),
            [describe("images", types.UINT8, ["N", H, W])],
            outputs,
            self._constants,
        )
        model = helper.make_model(
            graph,
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", _OPSET)],
            producer_name="mnistlab",
            producer_version=mnistlab.__version__,
        )
        about = {
            "run": name,
            "config": to_yaml(self._config),
            "data_sha256": dataset.sha256,
            "classes": json.dumps(dataset.classes),
        }
        helper.set_model_props(model, {key: escape(text, keep="\n") for key, text in about.items()})
        return model

    def _preprocess(self, dataset: Dataset) -> tuple[int, int]:
        """Turn bytes (N, H, W) into features (N, D) as the run does; return H and W."""
        if steps := dataset.features.steps:
            raise InputError(
                f"the feature step {steps[0].name} cannot be written as ONNX; a run without "
                "`features` can be"
            )
        self._add("Cast", "levels", to=self._number)
        H, W = dataset.test.images.shape[1:]  # after the moves
        for number, name in enumerate(self._config.data.preprocess):
            step = PREPROCESSING[name]
            if not isinstance(step, MovePixels):
                continue  # it is in the map of the pixels
            if step.move is transpose:
                self._add("Transpose", f"transposed_{number}", perm=[0, 2, 1])
                H, W = W, H
            elif step.move is invert:
                self._add("Neg", f"negative_{number}")
                self._add("Add", f"inverted_{number}", np.array(255))
            else:
                raise InputError(
                    f"{name} moves pixels, which the graph cannot do; a run without it can be "
                    "written as ONNX"
                )
        self._add("Flatten", "rows", axis=1)
        pixels = dataset.features.pixels
        self._add("Mul", "scaled", np.asarray(pixels.scale))
        if np.any(pixels.shift):
            self._add("Add", "shifted", np.asarray(pixels.shift))
        return H, W

    def _add(
        self, operator: str, result: str, constant: NDArray[Any] | None = None, **attributes: Any
    ) -> None:
        """Add a node that works on the last result, and on a constant if one is given."""
        inputs = [self._last]
        if constant is not None:
            values = np.ascontiguousarray(constant, self._dtype).reshape(constant.shape)
            self._constants.append(self._onnx.numpy_helper.from_array(values, f"{result}_by"))
            inputs.append(f"{result}_by")
        self._nodes.append(
            self._onnx.helper.make_node(operator, inputs, [result], result, **attributes)
        )
        self._last = result
