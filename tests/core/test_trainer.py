"""The one trainer: against plain loops, and a stack against its single runs."""

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pytest

from mnistlab.core.models import INITIALIZERS
from mnistlab.core.objective import trainable_pairs
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.samples import AS_THEY_ARE, FeatureMap, PixelMap, Samples
from mnistlab.core.schedules import SCHEDULES

from .helpers import C, only, random_samples, random_weights, run, settings, trainer

STEPPING = [name for name in OPTIMIZERS if name != "exact"]
COMBINATIONS = [
    (*pair, *rest) for pair, *rest in itertools.product(trainable_pairs(), STEPPING, SCHEDULES)
]


def test_two_steps_of_linear_regression_by_hand():
    """One pixel, two classes in use, batch size 1, learning rate 0.1, from zero.

    Sample (x = 1, class 0): y = 0, gradient 2 (0 - 1) = -2 for class 0: w0 = b0 = 0.2.
    The same sample again: y0 = 0.4, gradient 2 (0.4 - 1) = -1.2: w0 = b0 = 0.32.
    """
    train = Samples(np.full((2, 1), 255, np.uint8), np.zeros(2, np.uint8))
    chosen = settings(learning_rate=0.1, batch_size=1, epochs=1)
    records, final = run(trainer(chosen, [np.zeros((1, C))], train=train))
    np.testing.assert_allclose(final[0][:, 0], [0.32, 0.32], rtol=1e-15)
    assert not final[0][:, 1:].any()
    # y0 = 0.64: the loss is 0.36^2
    np.testing.assert_allclose(records[0].train.loss, 0.36**2, rtol=1e-14)
    np.testing.assert_array_equal(records[0].train.accuracy, 1.0)


def test_twenty_steps_against_plain_loops():
    """The assignment's own formulas, sample by sample: W -= rate / n * sum 2 (y - t) x^T."""
    train, rate, batch = random_samples(N=190, D=6), 0.05, 10  # 19 steps and one of a partial batch
    train = Samples(
        np.concatenate([train.images, train.images[:5]]), np.r_[train.labels, 0, 1, 2, 3, 4]
    )
    generator = np.random.default_rng(5)
    W = np.zeros((C, 6))
    b = np.zeros(C)
    x = train.images / 255
    order = generator.permutation(195)
    for start in range(0, 195, batch):
        chosen = order[start : start + batch]
        gW, gb = np.zeros_like(W), np.zeros_like(b)
        for j in chosen:
            for c in range(C):
                prediction = b[c] + sum(W[c, d] * x[j, d] for d in range(6))
                error = prediction - (1.0 if train.labels[j] == c else 0.0)
                gb[c] += 2 * error
                for d in range(6):
                    gW[c, d] += 2 * error * x[j, d]
        W -= rate * gW / len(chosen)
        b -= rate * gb / len(chosen)
    training = trainer(
        settings(learning_rate=rate, batch_size=batch, epochs=1), [np.zeros((6, C))], train=train
    )
    _, final = run(training)
    np.testing.assert_allclose(final[0][:-1], W.T, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(final[0][-1], b, rtol=1e-12, atol=1e-15)


def test_sum_is_mean_times_the_batch_size():
    weights = random_weights(1)
    summed = settings(reduction="sum", learning_rate=0.0002, batch_size=46)  # 5 whole batches
    mean = settings(reduction="mean", learning_rate=0.0002 * 46, batch_size=46)
    _, one = run(trainer(summed, weights))
    _, other = run(trainer(mean, weights))
    np.testing.assert_allclose(one[0], other[0], rtol=1e-12)


def test_weight_decay_spares_the_biases():
    """With blank images the loss has no gradient by W, so decay alone shrinks it."""
    train = Samples(np.zeros((40, 3), np.uint8), np.arange(40, dtype=np.uint8) % C)
    weights = random_weights(1, D=3)
    chosen = settings(weight_decay=0.5, learning_rate=0.1, epochs=1, batch_size=10)
    _, final = run(trainer(chosen, weights, train=train))
    np.testing.assert_allclose(final[0][:-1], weights[0] * 0.95**4, rtol=1e-12)
    free = settings(weight_decay=0.0, learning_rate=0.1, epochs=1, batch_size=10)
    _, without = run(trainer(free, weights, train=train))
    np.testing.assert_array_equal(final[0][-1], without[0][-1])


@pytest.mark.parametrize(
    ("model", "loss", "optimizer", "schedule", "dtype", "tolerance"),
    [  # in turn, so that each part comes with both
        (*parts, *(("float32", 1e-5), ("float64", 1e-12))[at % 2])
        for at, parts in enumerate(COMBINATIONS)
    ],
)
def test_a_stack_equals_its_single_runs(model, loss, optimizer, schedule, dtype, tolerance):
    K = 8
    generator = np.random.default_rng(8)
    hyper = {
        "learning_rate": (0.002 * generator.uniform(0.5, 2, K)).tolist(),
        "weight_decay": [0.0, 0.01] * (K // 2),
        "epochs": [3.0, 2.0, 1.0, 3.0] * (K // 4),
        **{
            key: (np.array(value) * generator.uniform(0.8, 1, K)).tolist()
            for key, value in OPTIMIZERS[optimizer].options.items()
        },
    }
    if schedule == "step":
        hyper["step_epochs"] = [1.0, 2.0] * (K // 2)
    chosen = settings(
        model=model, loss=loss, optimizer=optimizer, schedule=schedule, batch_size=60, **hyper
    )
    weights, validation = random_weights(K, model=model), random_samples(seed=9)
    records, stacked = run(trainer(chosen, weights, dtype=dtype, validation=validation))
    assert records[0].columns.tolist() == list(range(K))
    for k in range(K):
        single = trainer(only(chosen, k), [weights[k]], dtype=dtype, validation=validation)
        single_records, alone = run(single)
        scale = np.abs(alone[0]).max()
        np.testing.assert_allclose(stacked[k], alone[0], rtol=tolerance, atol=tolerance * scale)
        for record, single_record in zip(records, single_records, strict=False):
            position = list(record.columns).index(k)
            for split in ("train", "validation"):
                mine, other = getattr(record, split), getattr(single_record, split)
                np.testing.assert_allclose(mine.loss[position], other.loss[0], rtol=10 * tolerance)


def test_a_diverging_neighbour_changes_no_other_column():
    weights = [np.zeros((17, C))] * 3
    calm = settings(learning_rate=[0.001, 0.001, 0.002], epochs=2)
    wild = settings(learning_rate=[0.001, 1e6, 0.002], epochs=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calm_records, expected = run(trainer(calm, weights, dtype="float32"))
        records, final = run(trainer(wild, weights, dtype="float32"))
    assert records[0].diverged.tolist() == [False, True, False]
    assert records[1].columns.tolist() == [0, 2]
    assert records[-1].finished.tolist() == [True, True]
    np.testing.assert_array_equal(records[0].train.loss[[0, 2]], calm_records[0].train.loss[[0, 2]])
    for k in (0, 2):
        np.testing.assert_allclose(final[k], expected[k], rtol=1e-6, atol=1e-9)


def test_tracing_a_divergence_is_not_disturbed():
    """What is raised before a step belongs to training; here it is over for this column."""
    stopped = []

    def before_step():
        if stopped:
            raise KeyboardInterrupt

    training = trainer(settings(learning_rate=1e100), random_weights(1), before_step=before_step)
    (record,) = training.epochs()
    stopped.append(True)
    assert record.diverged.all()
    assert not np.isfinite(training.trace_last_epoch(0)[-1])


def test_divergence_shows_step_by_step():
    wild = settings(learning_rate=[0.001, 5.0], epochs=3)
    training = trainer(wild, [np.zeros((17, C))] * 2, dtype="float32")
    record = next(iter(training.epochs()))
    while not record.diverged.any():
        record = next(training.epochs())
    losses = training.trace_last_epoch(1)
    assert not np.isfinite(losses[-1])
    assert np.isfinite(losses[:-1]).all()
    if record.epoch == 1:
        np.testing.assert_allclose(losses[0], 1.0)  # outputs of zero miss each target by 1


def test_columns_leave_when_they_are_done():
    chosen = settings(learning_rate=[0.01] * 4, epochs=[1, 3, 2, 3])
    training = trainer(chosen, random_weights(4))
    seen = [record.columns.tolist() for record in training.epochs()]
    assert seen == [[0, 1, 2, 3], [1, 2, 3], [1, 3]]


def test_a_column_may_leave_before_its_schedule_ends():
    whole, _ = run(trainer(settings(schedule="cosine", epochs=6), random_weights(1)))
    cut, _ = run(trainer(settings(schedule="cosine", epochs=6, last_epoch=4), random_weights(1)))
    assert len(cut) == 4
    for record, same in zip(cut, whole, strict=False):
        assert record.train.loss == same.train.loss


def test_a_neighbours_evaluation_is_not_ones_own():
    chosen = settings(learning_rate=[0.01] * 2, epochs=[3, 4], evaluate_every=2, early_stopping=9)
    records, _ = run(trainer(chosen, random_weights(2), validation=random_samples(N=40, seed=7)))
    assert [record.evaluated.tolist() for record in records] == [
        [False, False],
        [True, True],
        [True, False],
        [True],
    ]


def test_early_stopping_counts_due_evaluations_only():
    """A neighbour that ends in an odd epoch must not give the other one a chance to stop then."""
    hyper = {"learning_rate": 0.4, "early_stopping": 3, "batch_size": 20, "evaluate_every": 2}
    validation, (weights,) = random_samples(N=40, seed=77), random_weights(1)
    alone, _ = run(trainer(settings(epochs=50, **hyper), [weights], validation=validation))
    hyper["learning_rate"] = [0.4] * 9
    epochs = [50, 1, 3, 5, 7, 9, 11, 13, 15]
    beside, _ = run(trainer(settings(epochs=epochs, **hyper), [weights] * 9, validation=validation))
    ends = [record.epoch for record in beside if 0 in record.columns]
    assert len(alone) == len(ends) < 50
    assert len(alone) % 2 == 0


def test_what_is_raised_before_a_step_leaves_the_last_epoch_whole():
    steps = []

    def before_step():
        steps.append(1)
        if len(steps) > 3 * 5:
            raise KeyboardInterrupt

    chosen = settings(epochs=9, batch_size=50)
    training = trainer(chosen, random_weights(1), before_step=before_step)
    per_epoch = 200 // 50
    with pytest.raises(KeyboardInterrupt):
        run(training)
    assert training.snapshot.epoch == 3 * 5 // per_epoch
    _, whole = run(trainer(settings(epochs=3, batch_size=50), random_weights(1)))
    np.testing.assert_array_equal(training.snapshot.parameters[:, 0, :], whole[0])


def test_early_stopping_waits_for_a_better_validation_loss():
    chosen = settings(learning_rate=0.4, epochs=50, early_stopping=3, batch_size=20)
    validation = random_samples(N=40, seed=77)
    records, _ = run(trainer(chosen, random_weights(1), validation=validation))
    losses = [float(record.validation.loss[0]) for record in records]
    best = int(np.argmin(losses)) + 1
    assert len(records) == min(50, best + 3) < 50
    assert records[-1].finished.all()


def test_evaluation_only_when_due():
    records, _ = run(trainer(settings(epochs=5, evaluate_every=2), random_weights(1)))
    assert [record.train is not None for record in records] == [False, True, False, True, True]
    assert all(record.validation is None for record in records)


def test_schedules_reach_the_record():
    records, _ = run(trainer(settings(schedule="cosine", epochs=4), random_weights(1)))
    rates = [float(record.learning_rate[0]) for record in records]
    np.testing.assert_allclose(rates, 0.01 * (1 + np.cos(np.pi * np.arange(4) / 4)) / 2)


@pytest.mark.parametrize("optimizer", STEPPING)
def test_going_on_from_a_snapshot_is_bit_identical(optimizer):
    chosen = settings(
        optimizer=optimizer, learning_rate=[0.01, 0.02], epochs=[5, 4], early_stopping=9
    )
    weights, validation = random_weights(2), random_samples(seed=3)
    whole = trainer(chosen, weights, dtype="float32", validation=validation)
    snapshots = {}
    final = {}
    for record in whole.epochs():
        snapshots[record.epoch] = whole.snapshot
        for position, column in enumerate(record.columns):
            final[int(column)] = whole.parameters[:, position, :].copy()
    for epoch in (1, 2, 3):
        later = trainer(chosen, weights, dtype="float32", validation=validation, seed=999)
        later.restore(snapshots[epoch])
        _, resumed = run(later)
        for column, parameters in resumed.items():
            np.testing.assert_array_equal(parameters, final[column])
    without = trainer(chosen, weights, dtype="float32", validation=validation, seed=999)
    snapshots[2].generator = np.random.default_rng(1).bit_generator.state
    without.restore(snapshots[2])
    _, resumed = run(without)
    assert not np.array_equal(resumed[0], final[0])


def test_some_columns_of_a_snapshot_go_on_without_the_others():
    chosen = settings(optimizer="adam", learning_rate=[0.01, 0.02, 0.03], epochs=[4, 4, 4])
    weights = random_weights(3)
    stack = trainer(chosen, weights)
    epochs = stack.epochs()
    next(epochs)
    taken = stack.snapshot.keep(np.array([False, True, True]))
    _, expected = run(trainer(chosen, weights))
    stack.restore(taken)
    _, final = run(stack)
    assert sorted(final) == [1, 2]
    for column in (1, 2):
        np.testing.assert_allclose(final[column], expected[column], rtol=1e-12)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initial_weights_have_their_scale(name):
    weights = INITIALIZERS[name].weights(500, C, 0.3, np.random.default_rng(0))
    spread = {"zeros": 0.0, "normal": 0.3, "uniform": 0.3 / np.sqrt(3)}[name]
    assert weights.shape == (500, C)
    assert abs(weights.std() - spread) < 0.01


def test_a_pixel_map_of_arrays_equals_its_scalar_twin():
    chosen, weights = settings(), random_weights(1)
    array = FeatureMap(PixelMap(np.full(17, 1 / 255), np.zeros(17)))
    _, one = run(trainer(chosen, weights))
    _, other = run(trainer(chosen, weights, train=replace(random_samples(), features=array)))
    np.testing.assert_allclose(one[0], other[0], rtol=1e-10)


@pytest.mark.parametrize("N", [230, 2500])  # fewer and more than one chunk
def test_floats_train_as_the_bytes_that_they_are_made_of(N):
    samples = random_samples(N)
    floats = Samples((samples.rows / 255).astype(np.float32), samples.labels, AS_THEY_ARE)
    chosen, weights = settings(learning_rate=[0.01, 0.02]), random_weights(2)
    _, expected = run(trainer(chosen, weights, train=samples))
    _, final = run(trainer(chosen, weights, train=floats))
    for k in range(2):
        np.testing.assert_allclose(final[k], expected[k], rtol=1e-5, atol=1e-7)
