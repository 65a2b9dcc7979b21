"""Trains configurations on arrays in memory, any number of them in one stack.

Shapes: N samples, D features, C classes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import threadpoolctl
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from mnistlab.config.schema import Config
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS, ONE_HOT
from mnistlab.core.objective import coding_of
from mnistlab.core.samples import AS_THEY_ARE, Samples, Values
from mnistlab.core.trainer import Snapshot
from mnistlab.datasets import SPLITS, Dataset
from mnistlab.errors import InputError
from mnistlab.experiment.prepare import plan_on
from mnistlab.sweeps.plan import Stack, last_epoch, plan_stacks
from mnistlab.sweeps.workers import Workers

if TYPE_CHECKING:
    from mnistlab.sklearn.estimators import ShallowClassifier

Array = NDArray[np.floating]

TYPES = [np.float64, np.float32, np.uint8]
"""What X may be without a conversion; anything else becomes the first."""

_OF_ROWS = {"classes_", "n_features_in_", "feature_names_in_"}
"""The attributes that say what an estimator was fitted on."""


@dataclass(frozen=True)
class Fitted:
    """What training one configuration came to.

    `parameters` are (D+1, C), the biases in the last row; `losses` has the mean training loss
    after each epoch that was evaluated. `diverged_in` is the epoch in which the loss or a
    parameter stopped being finite, None if none did.
    """

    parameters: Array
    epochs: int
    losses: list[float]
    diverged_in: int | None


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Rows to train on: `values` (N, D), bytes or floats, and the `labels` (N,) of C classes."""

    values: Values
    labels: NDArray[np.intp]
    classes: int

    def __len__(self) -> int:
        """Return N."""
        return len(self.values)

    @cached_property
    def size(self) -> float:
        """The mean over the rows of the sum of absolute values."""
        return float(np.abs(self.values).sum(axis=1, dtype=np.float64).mean())

    def dataset(self, config: Config) -> Dataset:
        """Return the rows as a dataset whose values are used as they are.

        As many as the config's `data.validation` says are held out, in the way that `data.split`
        names.
        """
        train, validation = Samples(self.values, self.labels, AS_THEY_ARE), None
        if config.data.validation:
            generator = np.random.default_rng(config.data.split_seed)
            count = held_out_count(config, len(self))
            stays, goes = SPLITS[config.data.split](self.labels, count, generator)
            train, validation = train.take(stays), train.take(goes)
        return Dataset(
            name="arrays",
            train=train,
            validation=validation,
            test=train,
            hashes=tuple,
            classes=tuple(map(str, range(self.classes))),
            preprocess=(),
        )


def held_out_count(config: Config, N: int) -> int:
    """Return how many of N rows a config holds out; raise InputError if that is all of them."""
    held_out = config.data.validation
    count = round(held_out * N) if isinstance(held_out, float) else held_out
    if count >= N:
        raise InputError(f"early stopping would hold out all of the {N} rows")
    return max(count, 1) if held_out else 0


def loss_of_guessing(model: str, loss: str, shares: Array) -> float:
    """Return the mean loss of weights of zero, with biases that suit the classes' shares (C,).

    Which biases do depends on model and loss: zeros, the shares, their logarithms or log-odds. It
    is infinite, so that nothing is worse, where a column of the model does not stand for a class.
    """
    C = len(shares)
    if coding_of(MODELS[model]) is not ONE_HOT:
        return np.inf
    with np.errstate(divide="ignore"):
        biases = np.stack([0 * shares, shares, np.log(shares), np.log(shares / (1 - shares))])
    outputs, _ = MODELS[model].forward(np.repeat(biases[:, None, :], C, axis=1))
    losses = LOSSES[loss].value(outputs, np.eye(C)[:, None, :].transpose(1, 0, 2))
    return float(np.nanmin((losses * shares).sum(axis=1)))


def train_stack(
    stack: Stack,
    configs: Mapping[int, Config],
    dataset: Dataset,
    before_step: Callable[[], None] | None = None,
) -> dict[int, Fitted]:
    """Train a stack of `plan_stacks`, and return what each of its runs came to."""
    trainer = plan_on(dataset, [column.config for column in stack.columns]).trainer(before_step)
    losses: list[list[float]] = [[] for _ in stack.columns]
    fitted: dict[int, Fitted] = {}
    for record in trainer.epochs():
        for position, column in enumerate(record.columns.tolist()):
            if record.train is not None and record.evaluated[position]:
                losses[column].append(float(record.train.loss[position]))
            diverged, finished = record.diverged[position], record.finished[position]
            for run in stack.columns[column].runs:
                ends = diverged or finished or record.epoch == last_epoch(configs[run])
                if ends and run not in fitted:
                    fitted[run] = Fitted(
                        trainer.parameters[:, position, :].copy(),
                        record.epoch,
                        losses[column][:],
                        record.epoch if diverged else None,
                    )
    return fitted


def train_one_epoch(
    config: Config,
    dataset: Dataset,
    start: Snapshot | Array | None,
) -> tuple[Fitted, Snapshot]:
    """Train the last epoch of a config, and return also the snapshot to go on from.

    It starts from the snapshot after the epoch before, from parameters (D+1, C), or from the
    config's own weights.
    """
    trainer = plan_on(dataset, [config]).trainer()
    if isinstance(start, Snapshot):
        trainer.restore(start)
    elif start is not None:
        np.copyto(trainer.parameters[:, 0, :], start)
    record = next(trainer.epochs())
    losses = [] if record.train is None else [float(record.train.loss[0])]
    parameters = trainer.parameters[:, 0, :].copy()
    diverged_in = record.epoch if record.diverged[0] else None
    return Fitted(parameters, record.epoch, losses, diverged_in), trainer.snapshot


def fit_together(
    classifiers: Sequence["ShallowClassifier"],
    X: ArrayLike,
    y: ArrayLike,
    workers: Workers | None = None,
    jobs: int = 1,
) -> list[Exception | None]:
    """Fit classifiers on the same rows X (N, D) and labels y (N,), as few stacks as can be.

    Returns for each why it could not be fitted, None for those that are. With `workers` they are
    trained on so many threads, and have an empty `loss_curve_`, as none is computed. Those
    without a random state get the same one. Raises ValueError for rows or labels of no use.
    """
    first = classifiers[0]
    rows = first._check_rows(X, y)
    configs: dict[int, Config] = {}
    datasets: dict[str, Dataset] = {}
    errors: list[Exception | None] = [None] * len(classifiers)
    shared = seed_of(None)
    for k, classifier in enumerate(classifiers):
        for name in _OF_ROWS & vars(first).keys():
            setattr(classifier, name, getattr(first, name))
        state = classifier.random_state
        try:
            config = classifier._config(rows, shared if state is None else seed_of(state))
        except InputError as error:
            errors[k] = error
            continue
        if workers is not None and config.early_stopping is None:
            config = config.model_copy(update={"evaluate_every": 0})
        configs[k] = config
        key = config.data.model_dump_json()
        if key not in datasets:
            datasets[key] = rows.dataset(config)
    if not configs:
        return errors
    check = None if workers is None else workers.check
    tasks = []
    for stack in plan_stacks(configs, workers=jobs, images=len(rows)):
        dataset = datasets[stack.columns[0].config.data.model_dump_json()]
        tasks.append(partial(train_stack, stack, configs, dataset, check))
    with threadpoolctl.threadpool_limits(1, "blas"):  # one configuration keeps one thread busy
        done = [task() for task in tasks] if workers is None else workers.run_all(tasks)
    for fitted in done:
        for k, one in fitted.items():
            try:
                classifiers[k]._take(one)
            except InputError as error:
                errors[k] = error
    return errors


def outputs_together(
    classifiers: Sequence["ShallowClassifier"], X: ArrayLike
) -> list[NDArray[np.floating]]:
    """Return what each classifier gives for rows X (N, D), (N, C); one product for all."""
    values = validate_data(classifiers[0], X, dtype=TYPES, reset=False)
    weights = np.vstack([one.coef_ for one in classifiers])
    A = values @ weights.T + np.hstack([one.intercept_ for one in classifiers])
    A = A.reshape(len(values), len(classifiers), -1)
    return [
        np.asarray(coding_of(model).scores(model.forward(A[:, [k], :])[0])[:, 0])
        for k, model in enumerate(MODELS[one.model] for one in classifiers)
    ]


def seed_of(random_state: Any) -> int:
    """Return the seed that a random state stands for: a number is its own."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
