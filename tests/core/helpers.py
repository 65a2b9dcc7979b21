"""Small random problems for the tests of the core."""

from collections.abc import Callable, Mapping

import numpy as np

from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
from mnistlab.core.objective import REDUCTIONS, Objective, coding_of, stack_parameters
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.samples import Samples
from mnistlab.core.schedules import SCHEDULES
from mnistlab.core.trainer import EpochRecord, Settings, Trainer

C = 10


def random_samples(N: int = 230, D: int = 17, seed: int = 0) -> Samples:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, C, N).astype(np.uint8)
    centres = generator.integers(0, 200, (C, D))
    images = centres[labels] + generator.integers(0, 56, (N, D))
    return Samples(images.astype(np.uint8), labels)


def settings(
    *,
    model: str = "linear",
    loss: str = "squared_error",
    optimizer: str = "sgd",
    schedule: str = "constant",
    reduction: str = "mean",
    batch_size: int = 50,
    evaluate_every: int = 1,
    **hyper: float | list[float],
) -> Settings:
    """Return settings whose hyperparameters are scalars or one value a column."""
    K = max((len(value) for value in hyper.values() if isinstance(value, list)), default=1)
    defaults: Mapping[str, float] = {
        "learning_rate": 0.01,
        "weight_decay": 0.0,
        "epochs": 3,
        "early_stopping": np.inf,
        **OPTIMIZERS[optimizer].options,
        **SCHEDULES[schedule].options,
    }
    chosen = {**defaults, **hyper}
    chosen.setdefault("last_epoch", chosen["epochs"])
    return Settings(
        Objective(MODELS[model], LOSSES[loss], REDUCTIONS[reduction]),
        OPTIMIZERS[optimizer],
        SCHEDULES[schedule],
        batch_size,
        {key: np.broadcast_to(np.asarray(value, float), K).copy() for key, value in chosen.items()},
        evaluate_every,
    )


def only(chosen: Settings, k: int) -> Settings:
    """Return the settings of one column as those of a run of its own."""
    hyper = {key: values[[k]] for key, values in chosen.hyper.items()}
    return Settings(
        chosen.objective,
        chosen.optimizer,
        chosen.schedule,
        chosen.batch_size,
        hyper,
        chosen.evaluate_every,
    )


def trainer(
    chosen: Settings,
    weights: list[np.ndarray],
    *,
    dtype: str = "float64",
    train: Samples | None = None,
    validation: Samples | None = None,
    seed: int = 5,
    before_step: Callable[[], None] | None = None,
) -> Trainer:
    return Trainer(
        chosen,
        stack_parameters(weights, dtype),
        train or random_samples(),
        validation,
        np.random.default_rng(seed),
        before_step,
    )


def run(training: Trainer) -> tuple[list[EpochRecord], dict[int, np.ndarray]]:
    """Train to the end; return all records and each column's last parameters (D+1, C)."""
    records, final = [], {}
    for record in training.epochs():
        records.append(record)
        for position, column in enumerate(record.columns):
            final[int(column)] = training.parameters[:, position, :].copy()
    return records, final


def random_weights(K: int, D: int = 17, seed: int = 1, model: str = "linear") -> list[np.ndarray]:
    P = coding_of(MODELS[model]).columns(C)
    return list(np.random.default_rng(seed).normal(0, 0.1, (K, D, P)))
