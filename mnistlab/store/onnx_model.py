"""Turns a run's model into an ONNX graph, which other programs run without mnistlab.

The graph takes images as bytes, so the preprocessing is part of it: scaling to [0, 1],
`standardize`, any other map of each pixel by itself, `transpose` and `invert`. It computes in the
number type of the run's weights, as the run does.

Shapes: N images of H x W pixels, D = H * W features, C classes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mnistlab
from mnistlab.config.load import to_yaml
from mnistlab.config.schema import Config
from mnistlab.core.losses import LOSSES, gives_probabilities
from mnistlab.core.models import MODELS, Linear, Sigmoid
from mnistlab.datasets import PREPROCESSING, Dataset, MovePixels, Progress
from mnistlab.datasets.preprocess import invert, transpose
from mnistlab.errors import InputError, escape, shown
from mnistlab.run_folders import RunFolder
from mnistlab.run_folders.files import write_bytes
from mnistlab.run_folders.provenance import check_undamaged
from mnistlab.store.predict import open_model

try:
    from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
except ImportError:  # an extra, and this module is imported only where a model is to be written
    raise InputError(
        "a .onnx needs onnx, which is not installed: pip install 'mnistlab[onnx]'"
    ) from None

_IR_VERSION, _OPSET = 8, 17
"""Those of ONNX 1.12, of 2022, so that older runtimes read the file."""

_ACTIVATIONS = {Linear: "Identity", Sigmoid: "Sigmoid"}
"""The operator that makes outputs of pre-activations, by the class of a model."""


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

    The graph's input is `images`, uint8 (N, H, W), as the dataset's files hold them. Its outputs
    are `label` (N,) int64, the class that `mnistlab.Run.predict` gives, and `outputs` (N, C),
    what the model gives: logits, where the loss is the cross-entropy of a softmax. Then there is
    `probabilities` (N, C) too, the softmax of the logits. Both have the number type of the
    weights. The metadata has `run`, `config` (YAML), `data_sha256` and `classes` (a JSON list).

    Raises InputError without the extra `onnx`, for a run without weights or with files that were
    changed, for data that are no longer those of the run, and for a model or a preprocessing step
    that the graph cannot hold; FetchError where the data cannot be had.
    """
    check_undamaged(folder)
    config, dataset, parameters = open_model(folder, progress)
    model = _Graph(config, parameters.dtype).build(folder.name, dataset, parameters)
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """The nodes and constants of a graph as they are put together, one after the other."""

    def __init__(self, config: Config, dtype: np.dtype[Any]) -> None:
        self._config = config
        self._dtype = dtype
        self._number = helper.np_dtype_to_tensor_dtype(dtype)
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._last = "images"

    def build(self, name: str, dataset: Dataset, parameters: NDArray[np.floating]) -> ModelProto:
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
        describe = helper.make_tensor_value_info
        outputs = [
            describe("label", TensorProto.INT64, ["N"]),
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
            [describe("images", TensorProto.UINT8, ["N", H, W])],
            outputs,
            self._constants,
        )
        model: ModelProto = helper.make_model(
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
            self._constants.append(numpy_helper.from_array(values, f"{result}_by"))
            inputs.append(f"{result}_by")
        self._nodes.append(helper.make_node(operator, inputs, [result], result, **attributes))
        self._last = result
