"""A second process that evaluates gives the numbers, and the moments, of one that does not."""

import os
import signal
import sys
from contextlib import nullcontext, suppress
from pathlib import Path

import numpy as np
import pytest

from tests.core.helpers import random_samples, random_weights, settings, trainer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are for Linux")


def train(chosen, weights, *, beside, **options):
    """Return what each record says, with the snapshot of its moment."""
    training = trainer(chosen, weights, **options)
    if not beside:
        return training, [described(record, training) for record in training.epochs()]
    with training.evaluator.beside(training.parameters):
        return training, [described(record, training) for record in training.epochs()]


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def described(record, training):
    snapshot = training.snapshot
    state = {name: array.copy() for name, array in snapshot.state.items()}
    numbers = [record.epoch, snapshot.epoch, record.evaluated, record.diverged, record.finished]
    for metrics in (record.train, record.validation):
        numbers += [None] if metrics is None else [metrics.loss, metrics.accuracy]
    best = [snapshot.best_loss, snapshot.best_epoch]
    return [*numbers, record.learning_rate, snapshot.parameters.copy(), state, *best]


def assert_same(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_equal(one, other)


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"optimizer": "momentum", "loss": "softmax_cross_entropy"},
        {"evaluate_every": 2, "schedule": "cosine"},
        {"last_epoch": 3},
        {"early_stopping": 1.0, "learning_rate": 0.4, "batch_size": 20, "epochs": 50.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("has_validation", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_record_and_snapshot_is_the_same(chosen, has_validation, dtype):
    chosen = settings(**{"epochs": 7, **chosen})
    weights = random_weights(1)
    validation = random_samples(N=40, seed=77) if has_validation else None
    options = {"validation": validation, "dtype": dtype}
    _, here = train(chosen, weights, beside=False, **options)
    _, there = train(chosen, weights, beside=True, **options)
    assert_same(there, here)
    assert not has_validation or len(here) < 9


@pytest.mark.parametrize(
    ("rate", "size"),
    [
        pytest.param(5.0, 0.1, id="weights overflow"),
        pytest.param(1e-30, 1e24, id="the loss alone overflows"),
    ],
)
def test_a_divergence_ends_the_run_in_its_epoch(rate, size):
    chosen, weights = settings(learning_rate=rate, epochs=9), [np.full((17, 10), size)]
    before, here = train(chosen, weights, beside=False, dtype="float32")
    after, there = train(chosen, weights, beside=True, dtype="float32")
    assert_same(there, here)
    np.testing.assert_array_equal(before.trace_last_epoch(0), after.trace_last_epoch(0))


def test_an_interruption_comes_after_the_record_of_the_epoch_before():
    """The second epoch's record is due when the third has trained; that may be cut short."""
    steps = []

    def before_step():
        steps.append(1)
        if len(steps) > 2 * 5 + 2:
            raise KeyboardInterrupt

    training = trainer(settings(epochs=9), random_weights(1), before_step=before_step)
    seen = []
    with training.evaluator.beside(training.parameters), pytest.raises(KeyboardInterrupt):
        seen.extend(described(record, training) for record in training.epochs())
    _, here = train(settings(epochs=9), random_weights(1), beside=False)
    assert_same(seen, here[:2])


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ZeroDivisionError])
def test_what_ends_the_epoch_after_the_last_leaves_nothing_to_go_on_with(failure):
    """An early stop is known when the next epoch has trained, or was cut short."""
    hyper = {"epochs": 50.0, "early_stopping": 1.0, "learning_rate": 0.4, "batch_size": 20}
    options = {"validation": random_samples(N=40, seed=77)}
    _, here = train(settings(**hyper), random_weights(1), beside=False, **options)
    steps, whole = [], len(here) * -(-230 // 20)

    def before_step():
        steps.append(1)
        if len(steps) > whole:
            raise failure

    training = trainer(settings(**hyper), random_weights(1), before_step=before_step, **options)
    seen = []
    expected = pytest.raises(failure) if failure is KeyboardInterrupt else nullcontext()
    with training.evaluator.beside(training.parameters), expected:
        seen.extend(described(record, training) for record in training.epochs())
    assert len(steps) == whole + 1
    assert_same(seen, here)
    assert not len(training.snapshot.columns)


def test_a_process_whose_end_nobody_hears_of_is_no_error():
    training = trainer(settings(), random_weights(1))
    known = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with training.evaluator.beside(training.parameters):
            assert training.evaluator.is_beside
    finally:
        signal.signal(signal.SIGCHLD, known)


def test_a_process_that_is_killed_is_not_missed(monkeypatch):
    forks = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forks.append(fork()) or forks[-1])
    chosen, weights = settings(epochs=6), random_weights(1)
    _, here = train(chosen, weights, beside=False)
    training, there = trainer(chosen, weights), []
    with training.evaluator.beside(training.parameters):
        for record in training.epochs():
            there.append(described(record, training))
            if record.epoch == 2:
                os.kill(forks[0], signal.SIGKILL)
    assert_same(there, here)
    with pytest.raises(ChildProcessError):
        os.waitpid(forks[0], 0)


def test_the_process_hears_no_signals_and_ends_with_the_block(monkeypatch):
    forks = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forks.append(fork()) or forks[-1])
    training = trainer(settings(), random_weights(1))
    opened = open_files()
    with suppress(RuntimeError), training.evaluator.beside(training.parameters):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(forks[0], number)
        training.evaluator.start(training.parameters)
        training.evaluator.result()
        assert os.waitpid(forks[0], os.WNOHANG) == (0, 0)
        raise RuntimeError
    with pytest.raises(ChildProcessError):
        os.waitpid(forks[0], 0)
    assert open_files() == opened
    assert not training.evaluator.is_beside


def test_where_no_process_can_be_made_nothing_stays_open(monkeypatch):
    def refuse():
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    training = trainer(settings(), random_weights(1))
    opened = open_files()
    with pytest.raises(OSError), training.evaluator.beside(training.parameters):  # noqa: PT011
        pass
    assert open_files() == opened
