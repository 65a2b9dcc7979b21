"""The one trainer: mini-batch gradient descent on any number of configurations at once.

Shapes: B batch, D features, K configurations, C classes, N samples. Parameters are
(D+1, K, C), weights and, in the last row, biases; hyperparameters are (K,) to the outside
and (K, 1) inside, so that they broadcast. A single run is K = 1.

Configurations of a stack share data, data order, batch size, dtype, objective and
optimizer; all that stands in `Settings.hyper` is free to differ. A column leaves the stack at
the end of an epoch, when it has finished or diverged.
"""

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistlab.core.metrics import Evaluator, Metrics
from mnistlab.core.objective import Objective, Products, batch_gradient, copy_stack
from mnistlab.core.optimizers import Exact, Optimizer, State
from mnistlab.core.samples import Samples, shuffled
from mnistlab.core.schedules import Schedule

Array = NDArray[np.floating]
PerColumn = NDArray[np.float64]

_TARGETS = 100_000  # samples whose targets are made at once: 4 MB of ten classes


@dataclass(frozen=True)
class Settings:
    """What the configurations of a stack share, and in `hyper` what may differ, each (K,).

    `hyper` holds learning_rate, weight_decay, epochs (what a schedule counts), last_epoch (after
    which a column leaves), early_stopping (epochs without a better validation loss; inf for
    never) and the options of the optimizer and the schedule. Every `evaluate_every` epochs, and
    when a column leaves, both splits are evaluated; 0 never does.
    """

    objective: Objective
    optimizer: Optimizer | Exact
    schedule: Schedule
    batch_size: int
    hyper: Mapping[str, PerColumn]
    evaluate_every: int = 1


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch did; arrays have an entry for each column that took part in it.

    `columns` are positions in the original stack. `evaluated` tells for which of them an
    evaluation was due, as it would have been had they been trained alone; the others' metrics
    are not theirs to keep. Metrics are None in epochs without any, `validation` also where
    there is no such split.
    """

    epoch: int
    columns: NDArray[np.intp]
    learning_rate: PerColumn
    train: Metrics | None
    validation: Metrics | None
    evaluated: NDArray[np.bool_]
    diverged: NDArray[np.bool_]
    finished: NDArray[np.bool_]
    train_seconds: float
    evaluate_seconds: float


@dataclass
class Snapshot:
    """All that training needs to go on from the end of an epoch."""

    epoch: int
    columns: NDArray[np.intp]
    parameters: Array
    state: State
    best_loss: PerColumn
    best_epoch: PerColumn
    generator: Mapping[str, object]

    def copy(self) -> "Snapshot":
        """Return a copy that shares no array with it."""
        return replace(
            self,
            columns=self.columns.copy(),
            parameters=copy_stack(self.parameters),
            state={name: _copy(array) for name, array in self.state.items()},
            best_loss=self.best_loss.copy(),
            best_epoch=self.best_epoch.copy(),
        )

    def keep(self, kept: NDArray[np.bool_]) -> "Snapshot":
        """Return a copy of the same stack with only some of its columns left."""
        k = np.flatnonzero(kept).tolist()
        return replace(
            self,
            columns=self.columns[kept],
            parameters=copy_stack(self.parameters[:, k, :]),
            state={name: _copy(array.take(k, axis=-2)) for name, array in self.state.items()},
            best_loss=self.best_loss[kept],
            best_epoch=self.best_epoch[kept],
        )


class Trainer:
    """Trains a stack epoch by epoch: `for record in trainer.epochs(): ...`.

    While a record is in the caller's hands, `snapshot` holds the end of its epoch. `parameters`
    are those too, unless the `evaluator` works beside: then the next epoch has changed them.
    `snapshot` stays the end of the last epoch that was told of, so whoever is interrupted has
    something whole to save.
    """

    def __init__(
        self,
        settings: Settings,
        parameters: Array,
        train: Samples,
        validation: Samples | None,
        generator: np.random.Generator,
        before_step: Callable[[], None] | None = None,
    ) -> None:
        """Take the stack before its first step; what `before_step` raises ends an epoch early."""
        self._settings = settings
        self._before_step = before_step
        self._train = train
        self._generator = generator
        K = parameters.shape[1]
        state = settings.optimizer.init(parameters)
        best_loss, best_epoch = np.full(K, np.inf), np.zeros(K)
        known = generator.bit_generator.state
        self._now = Snapshot(0, np.arange(K), parameters, state, best_loss, best_epoch, known)
        self._hyper: dict[str, PerColumn] = dict(settings.hyper)
        splits = [train] if validation is None else [train, validation]
        self.evaluator = Evaluator(settings.objective, splits)
        self._before_epoch = self.snapshot = self._now.copy()

    @property
    def parameters(self) -> Array:
        """The stack as it is now, (D+1, K, C)."""
        return self._now.parameters

    def epochs(self) -> Iterator[EpochRecord]:
        """Yield a record after each epoch, until no column is left.

        With an evaluator beside, an epoch of a single run is evaluated while the next one trains,
        and its record comes when both are done, or the next one was cut short.
        """
        following: tuple[EpochRecord, Snapshot] | None = None
        while len(self._now.columns):
            trained, end = following or self._train_epoch(self.snapshot.epoch)
            following, failure = None, None
            if trained.evaluated.any():
                self.evaluator.start(end.parameters)
                is_next_likely = len(end.columns) == 1 and not (trained.finished | trained.diverged)
                if self.evaluator.is_beside and is_next_likely:  # its losses may yet end the run
                    try:
                        following = self._train_epoch(end.epoch)
                    except BaseException as error:
                        failure = error
            record = self._evaluate(trained, end)
            self._before_epoch, self.snapshot = self.snapshot, end
            yield record
            self._keep(~(record.diverged | record.finished))
            # of a run that has ended, the next epoch's own errors are of no interest
            goes_on = len(self._now.columns) > 0
            if failure is not None and (goes_on or isinstance(failure, KeyboardInterrupt)):
                raise failure

    def restore(self, snapshot: Snapshot) -> None:
        """Go back (or forward) to a snapshot of this stack; training continues from there.

        Raises ValueError, and leaves all as it was, for what cannot be a snapshot of this stack.
        """
        self._check_fits(snapshot)
        self._set_generator(snapshot.generator)
        self._now, self.snapshot = snapshot.copy(), snapshot
        kept = snapshot.columns
        self._hyper = {name: values[kept] for name, values in self._settings.hyper.items()}

    def _check_fits(self, snapshot: Snapshot) -> None:
        """Raise ValueError unless the arrays of a snapshot can be those of this stack."""
        columns, last = snapshot.columns, self._settings.hyper["last_epoch"]
        if columns.ndim != 1 or columns.dtype.kind != "i" or not len(columns):
            raise ValueError("it has no columns")
        if columns.min() < 0 or columns.max() >= len(last) or (np.diff(columns) <= 0).any():
            raise ValueError("its columns are not those of the stack")
        if not 0 < snapshot.epoch < last[columns].min():
            raise ValueError(f"nothing is left to train after its epoch {snapshot.epoch}")
        K, ours, theirs = len(columns), _arrays_of(self.snapshot), _arrays_of(snapshot)
        if ours.keys() != theirs.keys():
            raise ValueError(f"it has {', '.join(theirs)} in place of {', '.join(ours)}")
        for name, array in ours.items():
            shape = (*array.shape[:-2], K, *array.shape[-1:]) if array.ndim > 1 else (K,)
            if (theirs[name].shape, theirs[name].dtype) != (shape, array.dtype):
                raise ValueError(f"its {name} has another shape or type")
        if not np.isfinite(snapshot.parameters).all():
            raise ValueError("its parameters are not finite")

    def _set_generator(self, state: Any) -> None:
        bits = self._generator.bit_generator
        known = bits.state
        try:
            bits.state = state
            if bits.state != state:
                raise ValueError("another state")
        except (TypeError, ValueError, KeyError, OverflowError, AttributeError):
            bits.state = known
            raise ValueError("its generator has no such state") from None

    def trace_last_epoch(self, column: int) -> PerColumn:
        """Repeat the last epoch for one column; return its mean batch loss before each step.

        Ends with the first loss that is not finite: this shows how a run diverged, which a
        figure an epoch cannot. (S,) for S steps.
        """
        before = self._before_epoch.keep(self._before_epoch.columns == column)
        hyper = {name: values[[column]] for name, values in self._settings.hyper.items()}
        losses: list[float] = []
        optimizer = self._settings.optimizer
        if not isinstance(optimizer, Exact):
            generator = copy.deepcopy(self._generator)
            generator.bit_generator.state = before.generator
            order = self._train.draw_order(generator)
            self._take_steps(optimizer, before, hyper, before.epoch, order, losses)
        return np.array(losses)

    def _train_epoch(self, index: int) -> tuple[EpochRecord, Snapshot]:
        """Return what an epoch did but for its evaluation, and the stack at its end."""
        started = time.perf_counter()
        settings, now, epoch = self._settings, self._now, index + 1
        if isinstance(settings.optimizer, Exact):
            from mnistlab.core.least_squares import solve  # noqa: PLC0415 - few runs need it

            decays = self._hyper["weight_decay"].tolist()
            check, coding = self._before_step or (lambda: None), settings.objective.coding
            found = solve(self._train, coding, now.parameters.shape[2], decays, check)
            for k, parameters in enumerate(found):
                now.parameters[:, k, :] = parameters
        else:
            order = self._train.draw_order(self._generator)
            self._take_steps(settings.optimizer, now, self._hyper, index, order)
        now.epoch, now.generator = epoch, self._generator.bit_generator.state
        finished = epoch >= self._hyper["last_epoch"]
        diverged = np.asarray(~np.isfinite(now.parameters).all(axis=(0, 2)))
        every = settings.evaluate_every
        due = finished | diverged | (epoch % every == 0) if every else np.zeros_like(finished)
        end = now.copy()
        record = EpochRecord(
            epoch=epoch,
            columns=end.columns,
            learning_rate=self._learning_rate(index, self._hyper),
            train=None,
            validation=None,
            evaluated=due,
            diverged=diverged,
            finished=finished,
            train_seconds=time.perf_counter() - started,
            evaluate_seconds=0.0,
        )
        return record, end

    def _evaluate(self, record: EpochRecord, end: Snapshot) -> EpochRecord:
        """Return what an epoch did, when its evaluation is there."""
        began = time.perf_counter()
        train, validation, finished, diverged = None, None, record.finished, record.diverged
        if record.evaluated.any():
            train, *others = self.evaluator.result()
            diverged = diverged | ~np.isfinite(train.loss) & record.evaluated
            if others:
                (validation,) = others
                finished = finished | self._has_stalled(record, validation.loss)
        end.best_loss, end.best_epoch = self._now.best_loss.copy(), self._now.best_epoch.copy()
        return replace(
            record,
            train=train,
            validation=validation,
            diverged=diverged,
            finished=finished & ~diverged,
            evaluate_seconds=time.perf_counter() - began,
        )

    def _take_steps(
        self,
        optimizer: Optimizer,
        stack: Snapshot,
        hyper: Mapping[str, PerColumn],
        epoch: int,
        order: NDArray[np.intp],
        losses: list[float] | None = None,
    ) -> None:
        """Take every step of an epoch, on the samples in this order.

        With a list for `losses` (K = 1) each batch's mean loss before its step goes in there,
        and the first that is not finite ends the epoch.
        """
        settings, objective = self._settings, self._settings.objective
        parameters, state = stack.parameters, stack.state
        C, dtype = parameters.shape[2], parameters.dtype
        reader = self._train.reader(0, dtype)
        products = Products(parameters, settings.batch_size)
        labels = self._train.labels
        stretch = _TARGETS // settings.batch_size * settings.batch_size or settings.batch_size
        targets = np.empty(0, dtype)
        broadcast = {name: values.astype(dtype)[:, None] for name, values in hyper.items()}
        broadcast["learning_rate"] = self._learning_rate(epoch, hyper).astype(dtype)[:, None]
        penalised = bool(broadcast["weight_decay"].any())
        decoupled = getattr(optimizer, "decouples_decay", False)
        weight_decay = broadcast["weight_decay"] if penalised and not decoupled else None
        start = 0
        with np.errstate(over="ignore", invalid="ignore"):  # divergence is looked for afterwards
            for x in shuffled(self._train.inputs, order, settings.batch_size, reader):
                if self._before_step is not None and losses is None:
                    self._before_step()
                at = start % stretch
                if at == 0:
                    part = order[start : start + stretch]
                    targets = objective.coding.targets(labels[part], C, dtype)
                t = targets[at : at + len(x)]
                start += len(x)
                A = products.pre_activations(x, reader.factor)
                if losses is not None:
                    losses.append(float(objective.values(A, t).mean()))
                    if not np.isfinite(losses[-1]):
                        return
                gradient = batch_gradient(
                    objective, products, x, reader.factor, A, t, parameters, weight_decay
                )
                step = optimizer.update(gradient, state, broadcast)
                if penalised and decoupled:
                    parameters[:-1] *= 1 - broadcast["learning_rate"] * broadcast["weight_decay"]
                parameters -= step

    def _learning_rate(self, epoch: int, hyper: Mapping[str, PerColumn]) -> PerColumn:
        factor = self._settings.schedule.factor(epoch, hyper["epochs"], hyper)
        return hyper["learning_rate"] * factor

    def _has_stalled(self, record: EpochRecord, loss: PerColumn) -> NDArray[np.bool_]:
        """Return which columns saw no better validation loss for `early_stopping` epochs."""
        now, due = self._now, record.evaluated
        better = due & (loss < now.best_loss)
        now.best_loss = np.where(better, loss, now.best_loss)
        now.best_epoch = np.where(better, record.epoch, now.best_epoch)
        stalled: NDArray[np.bool_] = record.epoch - now.best_epoch >= self._hyper["early_stopping"]
        return due & stalled

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        """Shrink the stack to the columns kept."""
        if not kept.all():
            self._now = self._now.keep(kept)
            self._hyper = {name: values[kept] for name, values in self._hyper.items()}
            self.snapshot = self.snapshot.keep(kept)


def _arrays_of(snapshot: Snapshot) -> dict[str, Array]:
    state = {f"state.{name}": array for name, array in snapshot.state.items()}
    ours = ("parameters", "best_loss", "best_epoch")
    return {name: getattr(snapshot, name) for name in ours} | state


def _copy(array: Array) -> Array:
    """Copy an array of a state; the large ones keep the stack's memory order."""
    return copy_stack(array) if array.ndim == 3 else array.copy()
