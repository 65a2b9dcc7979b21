"""Shallow classifiers as scikit-learn estimators, trained by the trainer of `mnistlab train`.

Shapes: N samples, D features, C classes.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import threadpoolctl
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from mnistlab.config.load import load_config, plain
from mnistlab.config.schema import Config
from mnistlab.core.losses import LOSSES, gives_probabilities, softmax
from mnistlab.core.optimizers import OPTIMIZERS, Exact
from mnistlab.core.trainer import Snapshot
from mnistlab.errors import InputError
from mnistlab.sklearn.stacks import (
    TYPES,
    Fitted,
    LabelledRows,
    fit_together,
    held_out_count,
    loss_of_guessing,
    outputs_together,
    seed_of,
    train_one_epoch,
)

LEAST_STEPS = 2000
LEAST_EPOCHS = 10
"""How long `epochs=None` trains: so many steps at least, and so many epochs."""

OF_A_CONFIG = (
    *("optimizer", "learning_rate", "epochs", "batch_size", "weight_decay", "schedule"),
    *("momentum", "beta1", "beta2", "step_epochs", "step_factor", "early_stopping"),
)
"""The parameters that are keys of a config, of the same meaning."""

_NEVER_NONE = {"optimizer", "batch_size", "weight_decay", "schedule"}
"""Those of which None is no value."""

_HARDLY = 0.95
"""Of the loss of guessing; training that ends above this share has learned next to nothing."""


def _gives_probabilities(estimator: "ShallowClassifier") -> bool:
    """Return whether the loss is one of probabilities, or raise AttributeError that says why."""
    if gives_probabilities(LOSSES[estimator.loss]):
        return True
    raise AttributeError(
        f"{estimator.loss} gives no probabilities; decision_function has what the model gives, "
        "CalibratedClassifierCV turns it into probabilities"
    )


class ShallowClassifier(ClassifierMixin, BaseEstimator):
    """A linear map of the features, a model and a loss of mnistlab, trained by mini-batches.

    What it minimises over a batch is the mean of the loss plus `weight_decay`/2 times the sum of
    the squared weights; biases are free of the penalty. Values are used as they are: nothing is
    scaled or centred, so put a StandardScaler in front where features differ much in size. Rows of
    uint8 or float32 are trained on in float32, all others in float64.

    This is the base of `SoftmaxClassifier`, `LeastSquaresClassifier` and `SigmoidClassifier`. A
    subclass with the names of another registered `model` and `loss` is a classifier as well.

    Parameters:
        optimizer: How a gradient becomes a step: sgd, momentum, nesterov or adam.
        learning_rate: The size of a step. None is 0.01, but with adam 1 / the mean of the rows'
            sums of absolute values: its first step then changes an output by about 1, whatever
            the size of the values.
        epochs: Passes over the training rows. None is at least 10, and as many as give 2,000
            steps.
        batch_size: Rows a step; at most all of them.
        weight_decay: The factor w of the penalty w/2 ||W||^2.
        schedule: How the learning rate changes from epoch to epoch: constant, cosine or step.
        momentum, beta1, beta2, step_epochs, step_factor: Options of some of the optimizers and
            schedules, None for the usual value. One that nothing reads is refused.
        early_stopping: End after so many epochs without a better loss on held-out rows; None
            never does.
        validation_fraction: The share of rows that early stopping holds out, drawn at random with
            the same share of each class. Not used without early stopping.
        random_state: Decides the order of the rows and which are held out; an int for the same
            result each time.

    Attributes:
        classes_: The labels, (C,), sorted.
        coef_: The weights, (C, D), for two classes as well.
        intercept_: The biases, (C,).
        n_iter_: Epochs trained.
        loss_curve_: The mean loss over the training rows after each epoch, (`n_iter_`,). The
            penalty is not part of it.
        n_features_in_, feature_names_in_: As in every estimator.
    """

    model: ClassVar[str]
    loss: ClassVar[str]

    _known: tuple[Any, NDArray[np.floating]] | None = None
    """Rows whose outputs are known already, and these: a search computes many at once."""

    _snapshot: Snapshot | None = None
    """What `partial_fit` goes on from."""

    def __init__(
        self,
        *,
        optimizer: str = "adam",
        learning_rate: float | None = None,
        epochs: int | None = None,
        batch_size: int = 100,
        weight_decay: float = 0.0,
        schedule: str = "cosine",
        momentum: float | None = None,
        beta1: float | None = None,
        beta2: float | None = None,
        step_epochs: int | None = None,
        step_factor: float | None = None,
        early_stopping: int | None = None,
        validation_fraction: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.momentum = momentum
        self.beta1 = beta1
        self.beta2 = beta2
        self.step_epochs = step_epochs
        self.step_factor = step_factor
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on rows X (N, D) with labels y (N,), from the beginning; return self.

        Raises ValueError for values that are not finite, fewer than two classes, a parameter out
        of its range, and a loss that overflows.
        """
        (error,) = fit_together([self], X, y)
        if error is not None:
            raise error
        shares = np.unique(np.asarray(y), return_counts=True)[1] / len(np.asarray(y))
        guessing = loss_of_guessing(self.model, self.loss, shares)
        if self.loss_curve_[-1] > _HARDLY * guessing:
            warnings.warn(
                f"the training loss ended at {self.loss_curve_[-1]:.3g}, where guessing has "
                f"{guessing:.3g}: put a StandardScaler in front, or try another learning_rate",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: Sequence[Any] | None = None) -> Self:
        """Train one more epoch, on rows X (N, D) with labels y (N,); return self.

        The first call must name all `classes`, unless `fit` came before it: then training goes on
        from the weights that there are. The learning rate is the same in all epochs, and nothing
        is held out. Raises ValueError as `fit` does, and for a label that is none of the classes.
        """
        is_first = _check_partial_fit_first_call(self, classes)
        values, y = validate_data(self, X, y, dtype=TYPES, reset=is_first)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            label = unknown.tolist()[0]
            raise InputError(f"the label {label!r} is none of the classes {self.classes_}")
        start: Snapshot | NDArray[np.floating] | None = None if is_first else self._snapshot
        if not is_first and start is None:
            start = np.vstack([self.coef_.T, self.intercept_])
        if not is_first and values.dtype != np.uint8:
            values = values.astype(self.coef_.dtype, copy=False)
        rows = LabelledRows(values, np.searchsorted(self.classes_, y), len(self.classes_))
        config = self._config(rows, seed_of(self.random_state), is_partial=True)
        epoch = start.epoch + 1 if isinstance(start, Snapshot) else 1
        config = config.model_copy(update={"epochs": epoch})
        with threadpoolctl.threadpool_limits(1, "blas"):
            fitted, snapshot = train_one_epoch(config, rows.dataset(config), start)
        before = (0, []) if is_first else (self.n_iter_, self.loss_curve_)
        self._take(replace(fitted, epochs=before[0] + 1, losses=before[1] + fitted.losses))
        self._snapshot = snapshot
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return what the model gives for rows X (N, D): (N, C), or for two classes (N,).

        With two classes it is the second output minus the first: the second class is predicted
        where it is above zero.
        """
        outputs = self._outputs(X)
        difference: NDArray[np.floating] = outputs[:, 1] - outputs[:, 0]
        return difference if len(self.classes_) == 2 else outputs

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the label of each row of X (N, D), (N,); of equal outputs the first."""
        labels: NDArray[Any] = self._outputs(X).argmax(axis=1)
        predicted: NDArray[Any] = self.classes_[labels]
        return predicted

    @available_if(_gives_probabilities)
    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the logarithm of each class's probability for rows X (N, D), (N, C)."""
        outputs = self._outputs(X)
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))

    @available_if(_gives_probabilities)
    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the probability of each class for rows X (N, D), (N, C): a softmax."""
        return np.asarray(softmax(self._outputs(X)))

    def _outputs(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return what the model gives for rows X (N, D), (N, C)."""
        check_is_fitted(self)
        if self._known is not None and self._known[0] is X:
            return self._known[1]
        return outputs_together([self], X)[0]

    @contextmanager
    def knowing(self, X: Any, outputs: NDArray[np.floating]) -> Iterator[None]:
        """Take `outputs` (N, C) for those of the very object X while the block runs."""
        self._known = (X, outputs)
        try:
            yield
        finally:
            del self._known

    def _check_rows(self, X: ArrayLike, y: ArrayLike) -> LabelledRows:
        """Return rows (N, D) and labels (N,) to train on."""
        values, y = validate_data(self, X, y, dtype=TYPES)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError("y has one class only; a classifier needs two at least")
        return LabelledRows(values, labels, len(self.classes_))

    def _config(self, rows: LabelledRows, seed: int, *, is_partial: bool = False) -> Config:
        """Return the config to train on these rows; raise InputError, a ValueError."""
        given = {name: getattr(self, name) for name in OF_A_CONFIG}
        data: dict[str, Any] = {"validation": 0}
        if is_partial:
            given |= {"schedule": "constant", "step_epochs": None, "step_factor": None}
            given["early_stopping"] = None
        elif self.early_stopping is not None:
            if not 0 < self.validation_fraction < 1:
                raise InputError(
                    f"validation_fraction must be between 0 and 1, not {self.validation_fraction}"
                )
            data = {"validation": self.validation_fraction, "split": "stratified"}
            data["split_seed"] = seed
        if self.learning_rate is None and self.optimizer == "adam" and rows.size:
            given["learning_rate"] = 1 / rows.size
        config = load_config(
            {
                **{
                    name: plain(value)
                    for name, value in given.items()
                    if value is not None or name in _NEVER_NONE
                },
                "model": self.model,
                "loss": self.loss,
                "dtype": "float64" if rows.values.dtype == np.float64 else "float32",
                "seed": seed,
                "data": data,
            }
        )
        N = len(rows) - held_out_count(config, len(rows))
        batch_size, epochs = min(config.batch_size, N), config.epochs
        is_exact = isinstance(OPTIMIZERS[config.optimizer], Exact)
        if is_exact and is_partial:
            raise InputError("the optimizer exact solves for all rows at once: use fit")
        if self.epochs is None and not is_exact:
            epochs = max(LEAST_EPOCHS, math.ceil(LEAST_STEPS / math.ceil(N / batch_size)))
        return config.model_copy(update={"batch_size": batch_size, "epochs": epochs})

    def _take(self, fitted: Fitted) -> Self:
        """Become what training came to; raise ValueError if it diverged."""
        if fitted.diverged_in is not None:
            raise InputError(
                f"the loss overflowed in epoch {fitted.diverged_in}: choose a smaller "
                "learning_rate or another optimizer, or put a StandardScaler in front"
            )
        self.coef_ = np.ascontiguousarray(fitted.parameters[:-1].T)
        self.intercept_ = fitted.parameters[-1].copy()
        self.loss_curve_ = fitted.losses
        self.n_iter_ = fitted.epochs
        self._snapshot = None
        return self


class SoftmaxClassifier(ShallowClassifier):
    """Softmax (multinomial logistic) regression: a linear model under softmax cross-entropy."""

    model = "linear"
    loss = "softmax_cross_entropy"


class LeastSquaresClassifier(ShallowClassifier):
    """Linear regression on one-hot labels: a linear model under the squared error."""

    model = "linear"
    loss = "squared_error"


class SigmoidClassifier(ShallowClassifier):
    """A sigmoid for each class, under the squared error to one-hot labels."""

    model = "sigmoid"
    loss = "squared_error"


def fitted_as(config: Config, fitted: Fitted) -> ShallowClassifier:
    """Return the classifier that a config stands for, as one that training came to.

    The classes are the numbers from 0 to C-1. Raises InputError for a model and a loss of which
    there is no classifier here.
    """
    kinds = (SoftmaxClassifier, LeastSquaresClassifier, SigmoidClassifier)
    for kind in kinds:
        if (kind.model, kind.loss) == (config.model, config.loss):
            break
    else:
        raise InputError(
            f"there is no classifier for model {config.model} with loss {config.loss}; a subclass "
            "of mnistlab.sklearn.ShallowClassifier with these names is one"
        )
    chosen = {name: getattr(config, name) for name in OF_A_CONFIG}
    classifier = kind(**chosen, random_state=config.seed)
    classifier.classes_ = np.arange(fitted.parameters.shape[1])
    classifier.n_features_in_ = len(fitted.parameters) - 1
    return classifier._take(fitted)
