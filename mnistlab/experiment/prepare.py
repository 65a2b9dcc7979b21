"""From checked configs to a plan: everything that can be refused before anything is written.

Shapes: D features, C classes, K configurations; parameters of one configuration are (D+1, C).
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

from mnistlab.config.schema import Config, option_keys
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import INITIALIZERS, MODELS
from mnistlab.core.objective import (
    REDUCTIONS,
    SUBSET_ROWS,
    Curvature,
    Objective,
    curvature,
    format_limit,
    stability_limit,
    stack_parameters,
)
from mnistlab.core.optimizers import OPTIMIZERS, Exact
from mnistlab.core.schedules import SCHEDULES
from mnistlab.core.trainer import Settings, Trainer
from mnistlab.datasets import (
    DATASETS,
    Dataset,
    FittedStep,
    Progress,
    Silent,
    data_dir,
    is_random,
    load,
    with_features,
)
from mnistlab.errors import ConfigError

_OF_A_COLUMN = (
    *("name", "learning_rate", "weight_decay", "epochs", "stop_after", "init"),
    *("early_stopping", "checkpoint_every"),
)


@dataclass(frozen=True, eq=False)
class Plan:
    """Configs that may share a stack, and the data that they train on.

    With `without_dark_pixels` the stack trains on fewer pixels, if its weights start from zero.
    """

    configs: Sequence[Config]
    dataset: Dataset
    exact_limit: bool = False
    without_dark_pixels: bool = False

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch, the one with a partial last batch included."""
        return -(-len(self.dataset.train) // self.configs[0].batch_size)

    @cached_property
    def settings(self) -> Settings:
        """What the trainer needs to know of the configs."""
        shared = self.configs[0]
        optimizer, schedule = OPTIMIZERS[shared.optimizer], SCHEDULES[shared.schedule]
        free = ("learning_rate", "weight_decay", "epochs", *optimizer.options, *schedule.options)
        hyper = {key: np.array([getattr(c, key) for c in self.configs], float) for key in free}
        hyper["last_epoch"] = np.array([c.stop_after or c.epochs for c in self.configs], float)
        stopping = [c.early_stopping or np.inf for c in self.configs]
        hyper["early_stopping"] = np.array(stopping, float)
        return Settings(
            objective=objective_of(shared),
            optimizer=optimizer,
            schedule=schedule,
            batch_size=shared.batch_size,
            hyper=hyper,
            evaluate_every=shared.evaluate_every,
        )

    @property
    def curvature(self) -> Curvature:
        """How steep a linear model's squared error is on the training split."""
        known = self.dataset.curvatures  # which outlive the plan
        if self.exact_limit not in known:
            with threadpoolctl.threadpool_limits(1, "blas"):
                rows = None if self.exact_limit else SUBSET_ROWS
                known[self.exact_limit] = curvature(self.dataset.train, rows)
        return known[self.exact_limit]

    @cached_property
    def limits(self) -> list[float | None]:
        """The largest stable learning rate of each config, None where no limit is known."""
        return [
            stability_limit(
                self.curvature,
                self.settings.objective,
                self.settings.optimizer,
                momentum=config.momentum or 0.0,
                weight_decay=config.weight_decay,
                batch_size=config.batch_size,
                images=len(self.dataset.train),
            )
            for config in self.configs
        ]

    @cached_property
    def pixels(self) -> NDArray[np.intp] | None:
        """The pixels that the stack trains on, None for all.

        A pixel that is dark in every training image never gets a gradient, so a weight of zero
        stays zero there. Of MNIST's 784 pixels 67 are dark in all of the first 50,000 images:
        epochs then took 7 to 11 % less time.
        """
        if not self.without_dark_pixels or any(np.any(W) for W in self._initial_weights()):
            return None
        return self.dataset.lit_pixels

    def trainer(self, before_step: Callable[[], None] | None = None) -> Trainer:
        """Return a trainer of the whole stack before its first step.

        A config's seed feeds two generators, one for its weights and one for the data order,
        so that in a stack each configuration gets what it would get alone.
        """
        weights, data = self._initial_weights(), self.dataset
        train, validation = data.train, data.validation
        if self.pixels is not None:
            weights = [W[self.pixels] for W in weights]
            train, validation = data.lit
        return Trainer(
            self.settings,
            stack_parameters(weights, self.configs[0].dtype),
            train,
            validation,
            _generators(self.configs[0].seed)[1],
            before_step,
        )

    def with_all_pixels(self, parameters: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return one configuration's parameters (D+1, C) from those that the trainer has."""
        if self.pixels is None:
            return parameters
        D = self.dataset.train.feature_count
        whole = np.zeros((D + 1, parameters.shape[1]), parameters.dtype)
        whole[[*self.pixels, D]] = parameters
        return whole

    def warnings(self) -> list[str]:
        """Return warnings of a learning rate beyond its limit and of data that are odd."""
        config, limit = self.configs[0], self.limits[0]
        rate, patience = config.learning_rate, config.early_stopping
        found = [oddity.message for oddity in self.dataset.oddities]
        last, every = config.stop_after or config.epochs, config.evaluate_every
        if patience is not None and patience * every >= last:
            rhythm = f" that are evaluated every {every}" if every > 1 else ""
            found.append(f"early_stopping {patience} can end nothing within {last} epochs{rhythm}")
        rest = len(self.dataset.train) % config.batch_size
        solved = isinstance(self.settings.optimizer, Exact)
        if 0 < rest <= _FEW * config.batch_size and not solved:
            found.append(
                f"the last batch of an epoch has {rest} of {config.batch_size} images, and its "
                "step counts as much as that of any other batch"
            )
        if limit is not None and rate > limit:
            found.append(
                f"learning rate {rate:g} is beyond the stability limit of this data and batch "
                f"size, about {format_limit(limit)}: the loss is likely to grow until it "
                "overflows; choose one well below the limit"
            )
        return found

    def _initial_weights(self) -> list[NDArray[np.float64]]:
        D = self.dataset.train.feature_count
        C = self.settings.objective.coding.columns(len(self.dataset.classes))
        return [
            INITIALIZERS[config.init].weights(
                D, C, config.init_scale or 0.0, _generators(config.seed)[0]
            )
            for config in self.configs
        ]


_FEW = 0.01  # of a batch: a step on so few images is mostly noise


def prepare(
    configs: Sequence[Config],
    progress: Progress | None = None,
    *,
    exact_limit: bool = False,
    anew: bool = False,
    fitted: Sequence[FittedStep] | None = None,
) -> Plan:
    """Load the data and return the plan of a stack; raise InputError or FetchError.

    The learning-rate limit comes from 10,000 images, or with `exact_limit` from the whole
    training split. `anew` and `fitted` are those of `open_data`.
    """
    data = open_data(configs[0], progress, anew=anew, fitted=fitted)
    return plan_on(data, configs, exact_limit=exact_limit)


def open_data(
    config: Config,
    progress: Progress | None = None,
    *,
    anew: bool = False,
    fitted: Sequence[FittedStep] | None = None,
) -> Dataset:
    """Return the data that a config trains on; raise InputError or FetchError.

    With `anew` nothing that the cache has of preprocessing and features is used. Its feature steps
    are fitted, or they are the `fitted` ones of a run of that config.
    """
    data = open_images(config, progress, anew=anew)
    if not config.features:
        return data
    return with_features(
        data,
        config.features,
        config.seed,
        fitted=fitted,
        cache=None if anew else data_dir(),
        progress=progress or Silent(),
    )


def open_images(config: Config, progress: Progress | None = None, *, anew: bool = False) -> Dataset:
    """Return the data that a config trains on, without its feature steps."""
    return load(
        config.data.dataset,
        validation=config.data.validation,
        split=config.data.split,
        split_seed=config.data.split_seed,
        folds=config.data.folds,
        fold=config.data.fold,
        preprocess=config.data.preprocess,
        progress=progress,
        anew=anew,
    )


def plan_on(
    dataset: Dataset,
    configs: Sequence[Config],
    *,
    exact_limit: bool = False,
    without_dark_pixels: bool = False,
) -> Plan:
    """Return the plan of a stack on data that is already there; raise ConfigError."""
    configs = [with_absolute_data(config) for config in configs]
    images = len(dataset.train)
    largest = max(config.batch_size for config in configs)
    if largest > images:
        raise ConfigError(
            f"batch_size {largest} is larger than the training split of "
            f"{images} images; choose at most that"
        )
    return Plan(configs, dataset, exact_limit, without_dark_pixels)


def data_key(config: Config) -> str:
    """Return a text that is the same for configs that train on the same features."""
    seed = config.seed if is_random(config.features) else None
    return json.dumps([config.data.model_dump(), config.features, seed])


def stack_key(config: Config) -> str:
    """Return a text that is the same for configs that may share a stack.

    They agree on everything but what each column has for itself: learning rate, weight decay,
    epochs, weights to start from, and the options of optimizer and schedule.
    """
    return config.model_dump_json(exclude={*_OF_A_COLUMN, *option_keys()})


def with_absolute_data(config: Config) -> Config:
    """Return the config with a path to data made absolute, so that it holds from anywhere."""
    name = config.data.dataset
    if name in DATASETS:
        return config
    data = config.data.model_copy(update={"dataset": str(Path(os.path.expanduser(name)).resolve())})
    return config.model_copy(update={"data": data})


def objective_of(config: Config) -> Objective:
    """Return what a config minimises."""
    return Objective(MODELS[config.model], LOSSES[config.loss], REDUCTIONS[config.reduction])


def _generators(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return independent generators for the initial weights and for the data order."""
    return np.random.default_rng([seed, 1]), np.random.default_rng(seed)
