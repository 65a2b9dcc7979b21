"""Everything that can be known and refused before anything is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from mnistlab.config.schema import Config, option_keys
from mnistlab.core.data import Samples, lit_pixels
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import INITIALIZERS, MODELS
from mnistlab.core.objective import REDUCTIONS, Objective
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.schedules import SCHEDULES
from mnistlab.core.stability import SUBSET_ROWS, largest_eigenvalue, stability_limit, tell_limit
from mnistlab.core.trainer import Settings, Trainer, stack_parameters
from mnistlab.datasets import DATASETS, Dataset, Progress, as_rows, load, resolve
from mnistlab.errors import ConfigError

_OF_A_COLUMN = (
    *("name", "learning_rate", "weight_decay", "epochs", "stop_after", "init"),
    *("early_stopping", "checkpoint_every"),
)


@dataclass(frozen=True)
class Plan:
    """Configs that may share a stack, their data, and the largest stable rate of each."""

    configs: Sequence[Config]
    dataset: Dataset
    settings: Settings
    limits: Sequence[float | None]
    compact: "Compact | None" = None

    @property
    def test(self) -> Samples:
        """The test split as rows."""
        return as_rows(self.dataset.test)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch, the one with a partial last batch included."""
        return -(-len(self.dataset.train) // self.settings.batch_size)

    @property
    def learning_rate_limit(self) -> float | None:
        """The largest stable learning rate of the first config, None if no limit is known."""
        return self.limits[0]

    def trainer(self, before_step: Callable[[], None] | None = None) -> Trainer:
        """Return a trainer of the whole stack before its first step.

        A config's seed feeds two generators, one for its weights and one for the data order,
        so that in a stack each configuration gets what it would get alone.
        """
        weights = self._initial_weights()
        validation = self.dataset.validation
        train = as_rows(self.dataset.train)
        held_out = None if validation is None else as_rows(validation)
        if self.compact is not None:
            weights = [W[self.compact.pixels] for W in weights]
            train, held_out = self.compact.train, self.compact.validation
        return Trainer(
            self.settings,
            stack_parameters(weights, self.configs[0].dtype),
            train,
            held_out,
            self.dataset.pixels,
            _generators(self.configs[0].seed)[1],
            before_step,
        )

    def whole(self, parameters: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return one configuration's parameters (D+1, C) from those the trainer has."""
        if self.compact is None:
            return parameters
        D = self.dataset.train.images[0].size
        whole = np.zeros((D + 1, parameters.shape[1]), parameters.dtype)
        whole[[*self.compact.pixels, D]] = parameters
        return whole

    def _initial_weights(self) -> list[NDArray[np.float64]]:
        D, C = self.dataset.train.images[0].size, len(self.dataset.classes)
        weights = []
        for config in self.configs:
            generator, _ = _generators(config.seed)
            init = INITIALIZERS[config.init]
            weights.append(init.weights(D, C, config.init_scale or 0.0, generator))
        return weights

    def warning(self) -> str | None:
        """Return what to say of a learning rate beyond its limit, None if there is none."""
        rate, limit = self.configs[0].learning_rate, self.limits[0]
        if limit is None or rate <= limit:
            return None
        return (
            f"learning rate {rate:g} is beyond the stability limit of this data, "
            f"{tell_limit(limit)}: the loss will grow until it overflows; choose one well below "
            "the limit"
        )


def prepare(
    configs: Sequence[Config], progress: Progress | None = None, *, exact_limit: bool = False
) -> Plan:
    """Load the data and check all that can be checked before a run folder is made.

    The learning-rate limit comes from 10,000 images, or with `exact_limit` from the whole
    training split. Raises InputError or FetchError.
    """
    return plan_on(open_data(configs[0], progress, exact=exact_limit), configs)


@dataclass(frozen=True)
class Data:
    """A dataset with the largest eigenvalue of the mean outer product of its [x, 1]."""

    dataset: Dataset
    eigenvalue: float

    @cached_property
    def compact(self) -> "Compact | None":
        """The splits without dark pixels, None where a dark pixel does not mean a zero."""
        if np.ndim(self.dataset.pixels.scale) or np.any(self.dataset.pixels.shift):
            return None
        train, validation = as_rows(self.dataset.train), self.dataset.validation
        pixels = lit_pixels(train.images)
        held_out = None if validation is None else as_rows(validation).only(pixels)
        return Compact(pixels, train.only(pixels), held_out)


@dataclass(frozen=True)
class Compact:
    """Training and validation split without the pixels that are dark in every training image.

    These never get a gradient, so weights of zero stay zero there. Of MNIST's 784 pixels 67 are
    dark in all of the first 50,000 images: epochs then took 7 to 11 % less time.
    """

    pixels: NDArray[np.intp]
    train: Samples
    validation: Samples | None


def open_data(config: Config, progress: Progress | None = None, *, exact: bool = False) -> Data:
    """Load a config's data and find its eigenvalue, from 10,000 images or the `exact` one."""
    dataset = load(
        config.data.dataset,
        validation=config.data.validation,
        preprocess=config.data.preprocess,
        progress=progress,
    )
    with threadpoolctl.threadpool_limits(1, "blas"):
        rows = None if exact else SUBSET_ROWS
        eigenvalue = largest_eigenvalue(as_rows(dataset.train), dataset.pixels, rows)
    return Data(dataset, eigenvalue)


def plan_on(data: Data, configs: Sequence[Config], *, compact: bool = False) -> Plan:
    """Return the plan of a stack on data that is already there; raise ConfigError.

    With `compact` it is trained without dark pixels, if its weights are zero to begin with.
    """
    configs = [with_absolute_data(config) for config in configs]
    images = len(data.dataset.train)
    largest = max(config.batch_size for config in configs)
    if largest > images:
        raise ConfigError(
            f"batch_size {largest} is larger than the training split of "
            f"{images} images; choose at most that"
        )
    settings = _settings(configs)
    limits = [_learning_rate_limit(data, config, settings) for config in configs]
    plan = Plan(configs, data.dataset, settings, limits)
    if not compact or any(np.any(W) for W in plan._initial_weights()):
        return plan
    return replace(plan, compact=data.compact)


def stack_key(config: Config) -> str:
    """Return a text that is the same for configs that may share a stack.

    They agree on everything but what each column has for itself: learning rate, weight decay,
    epochs, weights to start from, and the options of optimizer and schedule.
    """
    return config.model_dump_json(exclude={*_OF_A_COLUMN, *option_keys()})


def with_absolute_data(config: Config) -> Config:
    """Return the config with a path to data made absolute, so that it holds from anywhere."""
    name = config.data.dataset
    resolve(name)
    if name in DATASETS:
        return config
    data = config.data.model_copy(update={"dataset": str(Path(name).expanduser().resolve())})
    return config.model_copy(update={"data": data})


def objective_of(config: Config) -> Objective:
    """Return what a config minimises."""
    return Objective(MODELS[config.model], LOSSES[config.loss], REDUCTIONS[config.reduction])


def _settings(configs: Sequence[Config]) -> Settings:
    shared = configs[0]
    optimizer, schedule = OPTIMIZERS[shared.optimizer], SCHEDULES[shared.schedule]
    free = ("learning_rate", "weight_decay", "epochs", *optimizer.options, *schedule.options)
    hyper = {key: np.array([getattr(c, key) for c in configs], float) for key in free}
    hyper["last_epoch"] = np.array([c.stop_after or c.epochs for c in configs], float)
    hyper["early_stopping"] = np.array([c.early_stopping or np.inf for c in configs], float)
    return Settings(
        objective=objective_of(shared),
        optimizer=optimizer,
        schedule=schedule,
        batch_size=shared.batch_size,
        hyper=hyper,
        evaluate_every=shared.evaluate_every,
    )


def _learning_rate_limit(data: Data, config: Config, settings: Settings) -> float | None:
    return stability_limit(
        data.eigenvalue,
        settings.objective,
        settings.optimizer,
        momentum=config.momentum or 0.0,
        weight_decay=config.weight_decay,
        batch_size=config.batch_size,
    )


def _generators(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return independent generators for the initial weights and for the data order."""
    return np.random.default_rng([seed, 1]), np.random.default_rng(seed)
