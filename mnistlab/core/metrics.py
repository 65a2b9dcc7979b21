"""Loss and accuracy of a stack over a whole split, worked out here or in a process beside.

Shapes: B rows at a time, D features, K configurations, C classes, N samples.
"""

import mmap
import os
import select
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.objective import Objective, Products
from mnistlab.core.samples import FeatureMap, FeatureReader, Samples, Values

Array = NDArray[np.floating]

BLOCK_ROWS = 1000
"""Rows whose outputs are reduced together, which hides the cost of the calls."""


_WIDE = 8
"""Columns from which on a comparison class by class beats argmax, which strides over a block for
each image: 0.25 ms a thousand rows instead of 1.4 at K = 32, but 0.06 instead of 0.02 at K = 1."""


@dataclass(frozen=True)
class Metrics:
    """Mean loss (K,) and share of correct predictions (K,) over a split."""

    loss: NDArray[np.float64]
    accuracy: NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """Metrics of a split together with each sample's predicted class (N, K)."""

    metrics: Metrics
    predictions: NDArray[np.unsignedinteger]


def evaluate(parameters: Array, objective: Objective, samples: Samples) -> Evaluation:
    """Return metrics and predictions of stacked parameters (D+1, K, C) over all samples.

    The prediction is the class of the largest output, the lowest such class on a tie. Sums
    run in float64 whatever the dtype of the parameters.
    """
    _, K, P = parameters.shape
    C = len(objective.coding.code(P))
    predictions = np.empty((len(samples), K), np.min_scalar_type(C - 1))
    return Evaluation(measure(parameters, objective, samples, predictions), predictions)


def measure(
    parameters: Array,
    objective: Objective,
    samples: Samples,
    predictions: NDArray[np.unsignedinteger] | None = None,
) -> Metrics:
    """Return the metrics alone; each sample's class goes into `predictions` (N, K) if given."""
    total, correct = np.zeros(parameters.shape[1]), np.zeros(parameters.shape[1], np.intp)
    for part, losses, classes in _blocks(parameters, objective, samples):
        with np.errstate(over="ignore", invalid="ignore"):
            total += losses.sum(axis=0, dtype=np.float64)
        correct += np.count_nonzero(classes == samples.labels[part, None], axis=0)
        if predictions is not None:
            predictions[part] = classes
    return Metrics(total / len(samples), correct / len(samples))


def score_images(
    parameters: Array, objective: Objective, samples: Samples
) -> tuple[Array, NDArray[np.bool_]]:
    """Return each image's loss (N, K) and whether its prediction is right (N, K)."""
    N, K = len(samples), parameters.shape[1]
    losses, right = np.empty((N, K), parameters.dtype), np.empty((N, K), bool)
    for part, values, classes in _blocks(parameters, objective, samples):
        losses[part] = values
        right[part] = classes == samples.labels[part, None]
    return losses, right


def pre_activations(parameters: Array, rows: Values, features: FeatureMap) -> Array:
    """Return A (n, C) of some rows of values (n, V) by one configuration's parameters (D+1, C)."""
    reader = FeatureReader(features, len(parameters) - 1, max(1, len(rows)), parameters.dtype)
    A: Array = reader.read(rows) @ parameters * reader.factor
    return A


def _blocks(
    parameters: Array, objective: Objective, samples: Samples
) -> Iterator[tuple[slice, Array, NDArray[np.integer]]]:
    """Yield a stretch of samples at a time with their losses (n, K) and predictions (n, K)."""
    N, P = len(samples), parameters.shape[2]
    block = min(BLOCK_ROWS, N)
    products = Products(parameters, block)
    tile = products.tile  # features that are used at once are still in the cache
    reader = samples.reader(tile, parameters.dtype)
    for first in range(0, N, block):
        part = slice(first, first + block)
        inputs, labels = samples.inputs[part], samples.labels[part]
        with np.errstate(over="ignore", invalid="ignore"):  # a diverged column shows in its loss
            for start in range(0, len(labels), tile):
                x = reader.read(inputs[start : start + tile])
                products.pre_activations(x, reader.factor, start)
            outputs, _ = objective.model.forward(products.A[: len(labels)])
            targets = objective.coding.targets(labels, P, parameters.dtype)
            losses = objective.loss_of(outputs, targets)
        yield part, losses, largest_class(objective.coding.scores(outputs))


def largest_class(outputs: Array) -> NDArray[np.integer]:
    """Return the class of the largest output, the lowest such class on a tie, (n, K).

    What is not a number is not looked for: such a column has diverged, which its loss tells.
    """
    K, C = outputs.shape[1:]
    if K < _WIDE:
        classes: NDArray[np.integer] = outputs.argmax(axis=-1)
        return classes
    largest = outputs[..., 0].copy(order="K")
    class_type = np.min_scalar_type(C - 1).type
    classes = np.zeros_like(largest, class_type)
    for c in range(1, C):
        larger = (outputs[..., c] > largest).view(np.uint8)
        np.maximum(largest, outputs[..., c], out=largest)
        np.maximum(classes, larger * class_type(c), out=classes)
    return classes


class Evaluator:
    """Measures a stack on some splits: first `start`, then `result`.

    Within `beside` a second process does it, and the caller can do other work in between.
    """

    def __init__(self, objective: Objective, splits: Sequence[Samples]) -> None:
        self._objective, self._splits = objective, splits
        self._parameters: Array = np.empty((0, 0, 0))
        self._shared: Array | None = None
        self._questions = self._answers = -1

    @property
    def is_beside(self) -> bool:
        """Whether a second process evaluates."""
        return self._shared is not None

    def start(self, parameters: Array) -> None:
        """Take parameters (D+1, K, C), which must not change before `result` returns."""
        self._parameters = parameters
        if self._shared is not None:
            np.copyto(self._shared, parameters)
            with suppress(BrokenPipeError):
                os.write(self._questions, b"?")

    def result(self) -> list[Metrics]:
        """Return the metrics of the parameters, one for each split.

        If the second process has ended before its time, this one evaluates, to the same numbers.
        """
        if self._shared is not None:
            answer = os.read(self._answers, select.PIPE_BUF)
            if answer:
                numbers = np.frombuffer(answer).reshape(len(self._splits), 2, -1)
                return [Metrics(*of_split) for of_split in numbers]
        return [measure(self._parameters, self._objective, split) for split in self._splits]

    @contextmanager
    def beside(self, parameters: Array) -> Iterator[None]:
        """Have parameters like these, of a stack of one, evaluated in a second process.

        It is a copy of this one (a fork), so the data take no more memory, and there must be no
        other threads, for which it would wait. It ends with the block or with this process. Raises
        OSError where the system refuses another process.
        """
        rows, K, C = parameters.shape
        memory = np.frombuffer(mmap.mmap(-1, parameters.nbytes), parameters.dtype)
        shared = memory.reshape(K, C, rows).transpose(2, 0, 1)  # in the order of `empty_stack`
        theirs, self._questions = os.pipe()
        self._answers, answers = os.pipe()
        process = 0
        try:
            process = self._fork(shared, theirs, answers)
            self._shared = shared
            yield
        finally:
            self._shared = None
            os.close(self._questions)
            os.close(self._answers)
            if process:
                with suppress(ProcessLookupError, ChildProcessError):  # where SIGCHLD is ignored
                    os.kill(process, signal.SIGKILL)
                    os.waitpid(process, 0)

    def _fork(self, shared: Array, questions: int, answers: int) -> int:
        """Start the second process, which hears no signals: this one decides what they end."""
        unheard = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, unheard)
        try:
            with warnings.catch_warnings():
                # Python 3.12 warns of threads; BLAS libraries prepare theirs for a fork.
                warnings.simplefilter("ignore", DeprecationWarning)
                process = os.fork()
            if process == 0:
                self._answer(shared, questions, answers)
            return process
        finally:
            os.close(questions)
            os.close(answers)
            signal.pthread_sigmask(signal.SIG_SETMASK, heard)  # raises what came meanwhile

    def _answer(self, shared: Array, questions: int, answers: int) -> NoReturn:
        """Evaluate what is in shared memory at each byte that comes, until the pipe is closed."""
        try:
            os.close(self._questions)
            self._parameters = shared
            while os.read(questions, 1):
                found = [[metrics.loss, metrics.accuracy] for metrics in self.result()]
                os.write(answers, np.array(found).tobytes())
        finally:
            os._exit(0)  # the files that this process has opened are none of its business
