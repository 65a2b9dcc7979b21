"""Optimizers, schedules, sample reading, metrics and curvature, each on its own."""

import gc
import threading
import time
import warnings

import numpy as np
import pytest

from mnistlab.core import Registry
from mnistlab.core.losses import LOSSES
from mnistlab.core.metrics import evaluate, largest_class, score_images
from mnistlab.core.models import MODELS, ONE_HOT
from mnistlab.core.objective import (
    REDUCTIONS,
    Curvature,
    Objective,
    Products,
    copy_stack,
    curvature,
    stability_limit,
    stack_parameters,
)
from mnistlab.core.optimizers import OPTIMIZERS
from mnistlab.core.samples import (
    AS_THEY_ARE,
    FeatureMap,
    FeatureReader,
    PixelMap,
    shuffled,
)
from mnistlab.core.schedules import SCHEDULES
from mnistlab.errors import UnknownNameError

from .helpers import C, random_samples, random_weights, run, settings, trainer

HYPER = {
    "learning_rate": np.array([[0.1]]),
    "momentum": np.array([[0.5]]),
    "beta1": np.array([[0.9]]),
    "beta2": np.array([[0.99]]),
}


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("sgd", [0.1, 0.2]),  # 0.1 g
        ("momentum", [0.1, 0.25]),  # v = 1, then 0.5 + 2 = 2.5
        ("nesterov", [0.15, 0.325]),  # 0.1 (1 + 0.5 * 1), then 0.1 (2 + 0.5 * 2.5)
        # m = 0.1, v = 0.01: corrected both are 1; then m = 0.29/0.19, v = 0.0499/0.0199
        ("adam", [0.1, 0.1 * (0.29 / 0.19) / np.sqrt(0.0499 / 0.0199)]),
    ],
)
def test_two_steps_of_an_optimizer_by_hand(name, steps):
    optimizer = OPTIMIZERS[name]
    state = optimizer.init(np.zeros((1, 1, 1)))
    for gradient, expected in zip((1.0, 2.0), steps, strict=True):
        step = optimizer.update(np.full((1, 1, 1), gradient), state, HYPER)
        np.testing.assert_allclose(step, expected, rtol=1e-7)


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "exact"])
def test_an_optimizer_keeps_shape_and_dtype(name):
    parameters = np.zeros((4, 3, 2), np.float32)
    state = OPTIMIZERS[name].init(parameters)
    hyper = {key: np.full((3, 1), value[0, 0], np.float32) for key, value in HYPER.items()}
    step = OPTIMIZERS[name].update(np.ones_like(parameters), state, hyper)
    assert (step.shape, step.dtype) == (parameters.shape, parameters.dtype)
    assert all(array.shape[-2] == 3 and array.dtype == np.float32 for array in state.values())


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("constant", [1, 1, 1, 1]),
        ("cosine", [1, (1 + np.sqrt(0.5)) / 2, 0.5, (1 - np.sqrt(0.5)) / 2]),
        ("step", [1, 1, 0.1, 0.1]),
    ],
)
def test_a_schedule_by_hand(name, factors):
    hyper = {"step_epochs": np.array([2.0]), "step_factor": np.array([0.1])}
    for epoch, expected in enumerate(factors):
        factor = SCHEDULES[name].factor(epoch, np.array([4.0]), hyper)
        np.testing.assert_allclose(factor, [expected], rtol=1e-12)


def as_they_are(D):
    return FeatureReader(AS_THEY_ARE, D, 0, np.float32)


@pytest.mark.parametrize(("N", "batch"), [(1, 1), (10, 3), (2500, 100), (2501, 999), (3000, 3000)])
def test_shuffled_batches_are_the_rows_in_order(N, batch):
    images = np.random.default_rng(0).integers(0, 256, (N, 5), np.uint8)
    order = np.random.default_rng(1).permutation(N)
    batches = [x.copy() for x in shuffled(images, order, batch, as_they_are(5))]
    np.testing.assert_array_equal(np.concatenate(batches)[:, :-1], images[order])
    assert [len(rows) for rows in batches] == [batch] * (N // batch) + [N % batch] * (N % batch > 0)


def test_a_batch_stays_whole_while_the_next_is_gathered():
    images = np.arange(3000, dtype=np.uint16).view(np.uint8).reshape(3000, 2)
    order = np.random.default_rng(1).permutation(3000)
    for index, x in enumerate(shuffled(images, order, 1000, as_they_are(2))):
        time.sleep(0.02)  # long enough for the other thread to fill its own buffer
        expected = images[order[1000 * index : 1000 * (index + 1)]]
        np.testing.assert_array_equal(x[:, :-1], expected)


def test_values_that_no_float32_holds_are_no_warning_in_the_other_thread():
    values = np.full((2500, 2), 1e300)  # more than a chunk
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        batches = list(shuffled(values, np.arange(2500), 100, as_they_are(2)))
    assert np.isinf(batches[0][:, :-1]).all()
    assert told == []


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "pixels",
    [PixelMap(), PixelMap(0.5), PixelMap(1 / 255, -0.3), PixelMap(np.arange(1, 6) / 9, np.ones(5))],
)
def test_features_follow_the_pixel_map(pixels, dtype):
    rows = np.random.default_rng(0).integers(0, 256, (7, 5), np.uint8)
    reader = FeatureReader(FeatureMap(pixels), 5, 9, dtype)
    x = reader.factor * reader.read(rows)
    assert x.dtype == dtype
    np.testing.assert_allclose(x[:, :-1], rows * pixels.scale + pixels.shift, rtol=1e-6)
    np.testing.assert_allclose(x[:, -1], 1, rtol=1e-6)


@pytest.mark.parametrize(("n", "K"), [(7, 1), (300, 1), (300, 2), (130, 5)])
def test_products_equal_plain_products(n, K):
    generator = np.random.default_rng(0)
    parameters = copy_stack(generator.normal(size=(12, K, C)))
    x, dA = generator.normal(size=(n, 12)), generator.normal(size=(n, K, C))
    products = Products(parameters, 300)
    np.testing.assert_allclose(
        products.pre_activations(x, 0.5), 0.5 * np.einsum("bd,dkc->bkc", x, parameters), rtol=1e-10
    )
    np.testing.assert_allclose(
        products.parameter_gradient(x, dA, 2.0), 2 * np.einsum("bd,bkc->dkc", x, dA), rtol=1e-10
    )


def test_evaluation_against_a_plain_loop():
    samples, K = random_samples(N=2310), 3
    parameters = copy_stack(np.random.default_rng(2).normal(size=(18, K, C)))
    objective = Objective(MODELS["sigmoid"], LOSSES["squared_error"], REDUCTIONS["mean"])
    result = evaluate(parameters, objective, samples)
    x = np.c_[samples.images / 255, np.ones(len(samples))]
    for k in range(K):
        y = 1 / (1 + np.exp(-(x @ parameters[:, k, :])))
        loss = np.square(y - np.eye(C)[samples.labels]).sum(1).mean()
        np.testing.assert_allclose(result.metrics.loss[k], loss, rtol=1e-12)
        np.testing.assert_array_equal(result.predictions[:, k], y.argmax(1))
        assert result.metrics.accuracy[k] == np.mean(y.argmax(1) == samples.labels)


def test_a_tie_goes_to_the_lowest_class():
    samples = random_samples()
    objective = Objective(MODELS["linear"], LOSSES["squared_error"], REDUCTIONS["mean"])
    result = evaluate(copy_stack(np.zeros((18, 1, C))), objective, samples)
    assert not result.predictions.any()
    np.testing.assert_allclose(result.metrics.loss, 1)


def test_one_hot_by_hand():
    np.testing.assert_array_equal(
        ONE_HOT.targets(np.array([2, 0]), 3, np.float32), [[[0, 0, 1]], [[1, 0, 0]]]
    )


def test_largest_eigenvalue_against_numpy():
    samples = random_samples(N=500)
    x = np.c_[samples.images / 255, np.ones(500)]
    expected = np.linalg.eigvalsh(x.T @ x / 500)[-1]
    found = curvature(samples)
    assert found.largest == pytest.approx(expected, rel=1e-5)
    assert curvature(samples, rows=300).largest == pytest.approx(expected, rel=0.1)
    v = np.linalg.eigh(x.T @ x / 500)[1][:, -1]
    single = (np.square(x).sum(axis=1) * np.square(x @ v)).mean() / expected
    assert found.single == pytest.approx(single, rel=1e-4)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
def test_the_limit_parts_stable_from_diverging_runs(optimizer, reduction):
    """Full batches: 2 % below the limit the loss falls, 2 % above it grows without bound."""
    samples = random_samples(N=200)
    chosen = settings(optimizer=optimizer, reduction=reduction)
    limit = stability_limit(
        curvature(samples),
        chosen.objective,
        chosen.optimizer,
        momentum=0.9,
        weight_decay=0.1,
        batch_size=200,
        images=200,
    )
    assert limit is not None
    both = settings(
        optimizer=optimizer,
        reduction=reduction,
        learning_rate=[0.98 * limit, 1.02 * limit],
        weight_decay=0.1,
        epochs=800,
        evaluate_every=200,
        batch_size=200,
    )
    records, _ = run(trainer(both, random_weights(1) * 2, train=samples))
    assert records[-1].train.loss[0] < 1
    last = next(r for r in reversed(records) if r.train is not None and 1 in r.columns)
    assert not last.train.loss[-1] < 1e3


@pytest.mark.parametrize(
    ("optimizer", "reduction", "limit"),
    [
        ("sgd", "mean", 2 / (2 * 39.2 + 5)),
        ("momentum", "mean", 3 / (2 * 39.2 + 5)),
        ("nesterov", "mean", 1.5 / (2 * 39.2 + 5)),
        ("sgd", "sum", 2 / (2 * 39.2 * 100 + 5)),
    ],
)
def test_the_limit_by_hand(optimizer, reduction, limit):
    chosen = settings(optimizer=optimizer, reduction=reduction)
    known = {"momentum": 0.5, "weight_decay": 5.0, "batch_size": 100, "images": 100}
    curve = Curvature(39.2, 106.3)
    found = stability_limit(curve, chosen.objective, chosen.optimizer, **known)
    assert found == pytest.approx(limit, rel=1e-12)


@pytest.mark.parametrize(
    ("batch", "diverged"), [(1, 0.0106), (2, 0.0165), (5, 0.0224), (10, 0.0241), (100, 0.0252)]
)
def test_the_limit_of_small_batches_of_mnist(batch, diverged):
    """1/(39.2 (1 - 1/B) + 106.3/B), against the rates from which runs on MNIST diverged."""
    chosen = settings()
    known = {"momentum": 0.0, "weight_decay": 0.0, "batch_size": batch, "images": 10**9}
    curve = Curvature(39.2, 106.3)
    found = stability_limit(curve, chosen.objective, chosen.optimizer, **known)
    assert found == pytest.approx(1 / (39.2 * (1 - 1 / batch) + 106.3 / batch), rel=1e-6)
    assert 0.8 * diverged < found < diverged


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("noise", [0.0, 0.01, 1.0, 30.0])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
def test_noisy_steps_are_stable_up_to_the_limit(optimizer, noise, momentum):
    """The second moments of (x, velocity) grow from there on: the matrix that maps them says so.

    With a step that is linear in both, (M0 + a M1) (x, velocity), and a curvature a of mean 1, it
    is M0 x M0 + M0 x M1 + M1 x M0 + (1 + noise) M1 x M1, with Kronecker's product for x.
    """
    limit = OPTIMIZERS[optimizer].stability(momentum, noise)

    def growth(rate):
        m = momentum if optimizer != "sgd" else 0.0
        steps = {
            "sgd": ([[1, 0], [0, 0]], [[-rate, 0], [0, 0]]),
            "momentum": ([[1, -rate * m], [0, m]], [[-rate, 0], [1, 0]]),
            "nesterov": ([[1, -rate * m * m], [0, m]], [[-rate * (1 + m), 0], [1, 0]]),
        }
        M0, M1 = (np.array(one, float) for one in steps[optimizer])
        moments = np.kron(M0, M0) + np.kron(M0, M1) + np.kron(M1, M0)
        return np.abs(np.linalg.eigvals(moments + (1 + noise) * np.kron(M1, M1))).max()

    assert growth(0.999 * limit) < 1 < growth(1.001 * limit)


@pytest.mark.parametrize(
    ("model", "loss", "optimizer"),
    [
        ("sigmoid", "squared_error", "sgd"),
        ("linear", "softmax_cross_entropy", "sgd"),
        ("linear", "squared_error", "adam"),
    ],
)
def test_no_limit_is_claimed_where_none_is_known(model, loss, optimizer):
    chosen = settings(model=model, loss=loss, optimizer=optimizer)
    known = {"momentum": 0.0, "weight_decay": 0.0, "batch_size": 1, "images": 100}
    curve = Curvature(39.2, 106.3)
    assert stability_limit(curve, chosen.objective, chosen.optimizer, **known) is None


def test_a_registry_names_what_is_valid_and_what_is_near():
    registry: Registry[int] = Registry("fruit")
    registry.register("apple")(1)
    registry.add("pear", 2)
    assert (list(registry), len(registry), registry["pear"], "plum" in registry) == (
        ["apple", "pear"],
        2,
        2,
        False,
    )
    with pytest.raises(UnknownNameError, match=r"unknown fruit 'aple'; did you mean 'apple'\?"):
        registry["aple"]
    with pytest.raises(ValueError, match="registered twice"):
        registry.add("pear", 3)


def test_shuffled_leaves_no_thread_behind_when_it_is_left_early():
    before = threading.active_count()
    images = np.zeros((5000, 4), np.uint8)
    for _ in shuffled(images, np.arange(5000), 100, as_they_are(4)):
        break
    gc.collect()
    assert threading.active_count() == before


def test_a_fault_while_gathering_reaches_the_caller():
    images = np.zeros((2500, 4), np.uint8)  # more than a chunk: gathered on another thread
    with pytest.raises(TypeError):
        next(shuffled(images, np.array(["x"] * 2500), 2, as_they_are(4)))


@pytest.mark.parametrize("K", [1, 7, 8, 33])
def test_the_largest_output_wins_and_the_lowest_class_on_a_tie(K):
    outputs = np.random.default_rng(K).integers(0, 4, (50, K, 10)).astype(np.float32)
    stored = np.ascontiguousarray(outputs.transpose(1, 2, 0)).transpose(2, 0, 1)
    np.testing.assert_array_equal(largest_class(stored), np.argmax(outputs, axis=-1))


@pytest.mark.parametrize("K", [1, 9])
def test_each_images_scores_add_up_to_the_metrics(K):
    chosen = Objective(MODELS["linear"], LOSSES["squared_error"], REDUCTIONS["mean"])
    samples = random_samples(N=2345)
    parameters = stack_parameters(random_weights(K), "float64")
    losses, right = score_images(parameters, chosen, samples)
    metrics = evaluate(parameters, chosen, samples).metrics
    np.testing.assert_allclose(losses.mean(axis=0), metrics.loss)
    np.testing.assert_allclose(right.mean(axis=0), metrics.accuracy)
    assert losses.shape == right.shape == (2345, K)
