"""Everything that can be known and refused before anything is written."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import threadpoolctl

from mnistlab.config.schema import Config
from mnistlab.core.curvature import SUBSET_ROWS, largest_eigenvalue, stability_limit, tell_limit
from mnistlab.core.initializers import INITIALIZERS
from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
from mnistlab.core.objective import REDUCTIONS, Objective
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.samples import Samples
from mnistlab.core.schedules import SCHEDULES
from mnistlab.core.trainer import Settings, Trainer, stack_parameters
from mnistlab.datasets import DATASETS, Dataset, Progress, Split, load, resolve
from mnistlab.errors import ConfigError


@dataclass(frozen=True)
class Plan:
    """Configs that may share a stack, their data, and the largest stable learning rate."""

    configs: Sequence[Config]
    dataset: Dataset
    settings: Settings
    learning_rate_limit: float | None

    @property
    def test(self) -> Samples:
        """The test split as rows."""
        return _samples(self.dataset.test)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in an epoch, the one with a partial last batch included."""
        return -(-len(self.dataset.train) // self.settings.batch_size)

    @property
    def blas_threads(self) -> int:
        """Threads for the matrix products: below K = 4 a second one only waits for the first."""
        return 1 if len(self.configs) < 4 else os.cpu_count() or 1

    def trainer(self) -> Trainer:
        """Return a trainer of the whole stack before its first step.

        A config's seed feeds two generators, one for its weights and one for the data order,
        so that in a stack each configuration gets what it would get alone.
        """
        D = self.dataset.train.images[0].size
        weights = []
        for config in self.configs:
            generator, _ = _generators(config.seed)
            scale = config.init_scale or 0.0
            init = INITIALIZERS[config.init]
            weights.append(init.weights(D, len(self.dataset.classes), scale, generator))
        validation = self.dataset.validation
        return Trainer(
            self.settings,
            stack_parameters(weights, self.configs[0].dtype),
            _samples(self.dataset.train),
            None if validation is None else _samples(validation),
            self.dataset.pixels,
            _generators(self.configs[0].seed)[1],
        )

    def warning(self) -> str | None:
        """Return what to say of learning rates beyond the limit, None if there are none."""
        limit = self.learning_rate_limit
        if limit is None:
            return None
        rates = sorted({config.learning_rate for config in self.configs})
        beyond = [f"{rate:g}" for rate in rates if rate > limit]
        if not beyond:
            return None
        return (
            f"learning rate {', '.join(beyond)} is beyond the stability limit of this data, "
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
    configs = [_with_absolute_data(config) for config in configs]
    shared = configs[0]
    dataset = load(
        shared.data.dataset,
        validation=shared.data.validation,
        preprocess=shared.data.preprocess,
        progress=progress,
    )
    if shared.batch_size > len(dataset.train):
        raise ConfigError(
            f"batch_size {shared.batch_size} is larger than the training split of "
            f"{len(dataset.train)} images; choose at most that"
        )
    settings = _settings(configs)
    rows = None if exact_limit else SUBSET_ROWS
    return Plan(configs, dataset, settings, _learning_rate_limit(shared, dataset, settings, rows))


def _with_absolute_data(config: Config) -> Config:
    """Return the config with a path to data made absolute, so that it holds from anywhere."""
    name = config.data.dataset
    resolve(name)
    if name in DATASETS:
        return config
    data = config.data.model_copy(update={"dataset": str(Path(name).expanduser().resolve())})
    return config.model_copy(update={"data": data})


def _settings(configs: Sequence[Config]) -> Settings:
    shared = configs[0]
    free = ["learning_rate", "weight_decay", "epochs", *shared.part_options()]
    hyper = {key: np.array([getattr(c, key) for c in configs], float) for key in free}
    hyper["early_stopping"] = np.array([c.early_stopping or np.inf for c in configs], float)
    return Settings(
        objective=Objective(
            MODELS[shared.model], LOSSES[shared.loss], REDUCTIONS[shared.reduction]
        ),
        optimizer=OPTIMIZERS[shared.optimizer],
        schedule=SCHEDULES[shared.schedule],
        batch_size=shared.batch_size,
        hyper=hyper,
        evaluate_every=shared.evaluate_every,
    )


def _learning_rate_limit(
    config: Config, dataset: Dataset, settings: Settings, rows: int | None
) -> float | None:
    with threadpoolctl.threadpool_limits(1, "blas"):
        eigenvalue = largest_eigenvalue(_samples(dataset.train), dataset.pixels, rows)
    return stability_limit(
        eigenvalue,
        settings.objective,
        settings.optimizer,
        momentum=config.momentum or 0.0,
        weight_decay=config.weight_decay,
        batch_size=config.batch_size,
    )


def _generators(seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Return independent generators for the initial weights and for the data order."""
    return np.random.default_rng([seed, 1]), np.random.default_rng(seed)


def _samples(split: Split) -> Samples:
    return Samples(split.images.reshape(len(split), -1), split.labels)
