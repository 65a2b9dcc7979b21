"""The referee: right gradients pass, slightly wrong ones do not, and mistakes get their name.

The long form, over many more seeds, is tests/stress/gradients.py.
"""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistlab.core.losses import LOSSES
from mnistlab.core.models import MODELS
from mnistlab.core.objective import (
    REDUCTIONS,
    Objective,
    Products,
    batch_gradient,
    coding_of,
    trainable_pairs,
)
from mnistlab.core.samples import Samples
from mnistlab.gradcheck.check import METHODS, check
from mnistlab.gradcheck.diagnosis import diagnose
from mnistlab.gradcheck.differences import study_steps
from mnistlab.gradcheck.mistakes import MISTAKES, Case
from mnistlab.gradcheck.suites import Batch, activations_problem, parameters_problem
from tests.late import Late

optimize, special = Late("scipy.optimize"), Late("scipy.special")
CASES = [
    Case(model, loss, coordinates, reduction, decay)
    for model, loss in trainable_pairs()
    for coordinates in ("pre-activations", "weights", "biases")
    for reduction in (None, "mean", "sum")
    for decay in ((0.0, 0.1) if coordinates != "pre-activations" else (0.0,))
]


def problem_of(case, seed=0, C=10, scale=1.0, mistake=None, B=5):
    generator = np.random.default_rng(seed)
    B, D = (1 if case.reduction is None else B), 7
    labels = generator.integers(C, size=B)
    P = coding_of(MODELS[case.model]).columns(C)
    if case.coordinates == "pre-activations":
        return activations_problem(case, generator.normal(0, scale, (B, P)), labels, mistake)
    images = generator.integers(0, 256, (B, D)).astype(np.uint8)
    parameters = generator.normal(0, scale / 2, (D + 1, P))
    batch = Batch(Samples(images, labels), parameters)
    return parameters_problem(case, batch, mistake)


def judge(problem, method="central", seed=0):
    return check(problem, method, np.random.default_rng(seed))


def altered(problem, analytic):
    return replace(problem, analytic=analytic)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_gradient_of_ours_is_right(case, method):
    found = judge(problem_of(case), method)
    assert found.passed, found.diagnosis
    assert found.relative_error <= METHODS[found.method]
    if found.complex_error is not None:
        assert found.method == method
        assert found.complex_error < 1e-13


def test_our_own_losses_are_all_judged_by_the_complex_step_too():
    for model in ("linear", "sigmoid"):
        for loss in ("squared_error", "softmax_cross_entropy"):
            assert judge(problem_of(Case(model, loss)), "complex").method == "complex"


@pytest.mark.parametrize("scale", [1, 30, 1000])
@pytest.mark.parametrize(("C", "seeds"), [(2, 5), (10, 5), (1000, 1)])
def test_softmax_passes_at_every_scale(C, seeds, scale):
    for seed in range(seeds):
        problem = problem_of(Case(), seed, C, scale)
        for method, bound in METHODS.items():
            found = judge(problem, method, seed)
            assert found.passed, (seed, found.diagnosis)
            assert found.relative_error <= bound


@settings(max_examples=10)
@given(
    seed=st.integers(0, 2**32),
    C=st.integers(2, 40),
    scale=st.floats(1e-3, 1e3),
    B=st.integers(1, 6),
    case=st.sampled_from(CASES),
)
def test_a_right_gradient_never_fails(seed, C, scale, B, case):
    problem = problem_of(case, seed, C, scale, B=B)
    assert judge(problem, "central", seed).passed
    assert judge(problem, "complex", seed).passed


@settings(max_examples=8)
@given(
    seed=st.integers(0, 2**32),
    relative=st.sampled_from([1e-3, 1e-5, -1e-5]),
    case=st.sampled_from(CASES),
    data=st.data(),
)
def test_one_slightly_wrong_coordinate_is_caught_and_named(seed, relative, case, data):
    problem = problem_of(case, seed)
    wrong = problem.analytic.copy()
    visible = np.flatnonzero(np.abs(wrong.ravel()) > 1e-4)
    flat = data.draw(st.sampled_from(visible.tolist()))
    wrong.ravel()[flat] *= 1 + relative
    for method in METHODS:
        found = judge(altered(problem, wrong), method)
        assert not found.passed
        assert found.worst_index == np.unravel_index(flat, wrong.shape)
        if wrong.size >= 4:
            assert "only" in found.diagnosis


def test_a_gradient_wrong_everywhere_by_little_is_caught():
    for case, relative in zip(CASES[::5], itertools.cycle([1e-5, 1e-5, 1e-3])):
        problem = problem_of(case)
        found = judge(altered(problem, problem.analytic * (1 + relative)))
        assert not found.passed
        assert "times what it should be" in found.diagnosis


@pytest.mark.parametrize(
    "name", [name for name, mistake in MISTAKES.items() if mistake.loss is None]
)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_every_mistake_is_caught_and_named(name, method, seed):
    mistake = MISTAKES[name]
    found = judge(problem_of(mistake.shown_by, seed, mistake=mistake), method)
    assert not found.passed
    assert found.diagnosis == mistake.sentence
    assert judge(problem_of(mistake.shown_by, seed), method).passed


def test_a_mistake_of_the_training_step_is_seen(monkeypatch):
    """The gradient under test comes from the code that trains."""
    problem = problem_of(Case(coordinates="weights", reduction="mean"))
    assert judge(problem).passed
    backward = Products.parameter_gradient
    monkeypatch.setattr(
        Products, "parameter_gradient", lambda self, x, dA, factor: backward(self, x, dA, -factor)
    )
    assert not judge(problem_of(Case(coordinates="weights", reduction="mean"))).passed


def test_the_batch_gradient_agrees_with_scipys_differences():
    case = Case("sigmoid", "squared_error", "weights", "mean", 0.1)
    problem = problem_of(case)
    numerical = optimize.approx_fprime(
        problem.point.ravel(),
        lambda flat: float(problem.values(flat.reshape(1, *problem.point.shape))[0]),
        1e-7,
    )
    np.testing.assert_allclose(problem.analytic.ravel(), numerical, atol=1e-6)


def test_losses_agree_with_scipys_log_softmax():
    problem = problem_of(Case(), scale=5.0)
    expected = -special.log_softmax(problem.point)[problem.labels[0]]
    assert judge(problem).loss == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("model", "loss"), trainable_pairs())
def test_gradients_agree_with_automatic_differentiation(model, loss):
    """By the package autograd; a new model or loss needs its formula here."""
    import autograd  # noqa: PLC0415 - takes a tenth of a second
    import autograd.numpy as anp  # noqa: PLC0415

    outputs = {
        "linear": lambda a: a,
        "sigmoid": lambda a: 1 / (1 + anp.exp(-a)),
        "pairwise": lambda a: a,
    }[model]
    value = {
        "squared_error": lambda y, t: anp.sum(anp.where(t != NOT_COUNTED, (y - t) ** 2, 0)),
        "softmax_cross_entropy": lambda y, t: anp.sum(
            anp.log(anp.sum(anp.exp(y), axis=1)) - anp.sum(y * t, axis=1)
        ),
    }[loss]
    problem = problem_of(Case(model, loss, "pre-activations", "sum"), scale=3.0)
    if model == "pairwise":
        targets = [pair_targets(label) for label in problem.labels]
    else:
        targets = [[int(k == label) for k in range(10)] for label in problem.labels]
    found = autograd.grad(lambda a: value(outputs(a), np.array(targets)))(problem.point)
    np.testing.assert_allclose(problem.analytic, found, rtol=1e-12, atol=1e-12)


NOT_COUNTED = 9


def pair_targets(label):
    """Return 1 where a pair begins with the label, -1 where it ends with it, for ten classes."""
    return [
        1 if label == i else -1 if label == j else NOT_COUNTED
        for i, j in itertools.combinations(range(10), 2)
    ]


def test_a_whole_image_takes_seconds_at_most():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (4, 784)).astype(np.uint8)
    batch = Batch(
        Samples(images, generator.integers(10, size=4)),
        generator.normal(0, 0.05, (785, 10)),
    )
    case = Case("sigmoid", "softmax_cross_entropy", "weights", "mean", 0.01)
    found = judge(parameters_problem(case, batch))
    assert found.passed
    assert found.numerical.shape == (784, 10)


class Hinge:
    """max(0, 1 + the largest other - the true output): it has kinks."""

    curvature = None

    def value(self, outputs, targets):
        others = np.where(targets > 0, -np.inf, outputs.real).max(axis=-1)
        return np.maximum(0, 1 + others - (outputs.real * targets).sum(axis=-1))

    def gradient(self, outputs, targets):
        others = np.where(targets > 0, -np.inf, outputs)
        worst = np.eye(outputs.shape[-1])[others.argmax(axis=-1)]
        return np.where(self.value(outputs, targets)[..., None] > 0, worst - targets, 0.0)


def test_a_loss_with_kinks_is_judged_by_differences(monkeypatch):
    monkeypatch.setitem(LOSSES, "hinge", Hinge())
    case = Case("linear", "hinge")
    found = judge(problem_of(case), "complex")
    assert found.passed
    assert found.method == "central"
    assert found.complex_error is None
    assert "central differences judge instead" in found.notes[0]
    at_kink = activations_problem(case, np.array([[1.0, 1.0, -1.0]]), np.array([2]))
    found = judge(at_kink)
    assert found.passed, found.diagnosis
    assert any("kink at coordinate" in note for note in found.notes)
    wrong = judge(altered(at_kink, at_kink.analytic + 1.5))
    assert not wrong.passed


def test_a_complex_step_that_means_nothing_is_not_believed():
    problem = problem_of(Case())

    def conjugated(coordinates, offsets):  # takes complex numbers and is not analytic
        moved = problem.point[coordinates] + offsets
        return moved * moved.conj()

    line = replace(
        problem,
        line=conjugated,
        values=lambda points: np.square(points).sum(axis=-1),
        analytic=2 * problem.point,
    )
    found = judge(line, "complex")
    assert found.passed, found.diagnosis
    assert found.complex_error is None
    assert found.method == "central"


def test_what_is_not_finite_or_too_rough_is_said():
    problem = problem_of(Case())
    hole = problem.analytic.copy()
    hole[3] = np.nan
    assert "coordinate 3 is nan" in judge(altered(problem, hole)).diagnosis
    generator = np.random.default_rng(0)

    def rough(coordinates, offsets):
        return problem.line(coordinates, offsets) + generator.normal(0, 0.1, len(offsets))

    assert "too rough to be checked" in judge(replace(problem, line=rough)).diagnosis

    def nowhere(coordinates, offsets):
        return problem.line(coordinates, offsets) * np.nan

    lost = judge(replace(problem, line=nowhere))
    assert not lost.passed
    assert "not finite around the point" in lost.diagnosis


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: 0 * s.g, "zero everywhere"),
        (lambda s: s.g / 2, "a factor 2 is missing"),
        (lambda s: -3 * s.g, "minus 3 times"),
        (lambda s: s.g / np.log(2), "a logarithm to base 2"),
        (lambda s: s.g / 10, "a mean over the 10 classes"),
        (lambda s: s.p - np.roll(s.t, 1), "subtracted at the wrong class"),
        (lambda s: s.p - 3 * s.t, "only the true class is wrong, there by -2"),
        (lambda s: s.g + 0.25, "the same number, +0.25, is added"),
        (lambda s: np.where(s.t > 0, -1 / s.p, 0), "derivative by the softmax' outputs"),
        (lambda s: np.where(s.t > 0, s.p - 1, 0), "only the true class has a derivative"),
        (lambda s: s.p * (1 - s.p), "the derivative of the softmax itself"),
        (lambda s: s.g.astype(np.float16), "digits only: look for float32"),
        (lambda s: s.g[::-1], "no known mistake explains it"),
    ],
)
def test_other_mistakes_get_a_sentence_too(change, sentence):
    problem = problem_of(Case(), seed=2)
    targets = np.eye(10)[problem.labels[0]]
    p = special.softmax(problem.point)
    wrong = np.asarray(change(SimpleNamespace(g=problem.analytic, p=p, t=targets)), float)
    assert sentence in judge(altered(problem, wrong)).diagnosis


@pytest.mark.parametrize("times", [1.5, 3, 12, 50])
def test_an_error_just_beyond_the_tolerance_is_no_known_mistake(times):
    for seed in range(5):
        problem = problem_of(Case(), seed)
        right = judge(problem, seed=seed)
        wrong = problem.analytic.copy()
        wrong[3] = right.numerical[3] + times * right.tolerance[3]
        found = judge(altered(problem, wrong), seed=seed)
        assert not found.passed
        assert "only 1 of 10 coordinates is wrong: 3 " in found.diagnosis


def test_two_mistakes_that_come_to_the_same_are_both_named():
    mistake = MISTAKES["batch_division_missing"]
    found = judge(problem_of(mistake.shown_by, mistake=mistake, B=2))
    assert mistake.sentence in found.diagnosis
    assert MISTAKES["factor_two"].sentence in found.diagnosis


def test_a_flat_function_is_judged_and_said_to_be_flat():
    problem = problem_of(Case(), scale=1000.0, C=2, seed=3)
    tiny = judge(problem)
    assert tiny.passed
    if np.abs(problem.analytic).max() > 0:
        assert any("the loss is flat here" in note for note in tiny.notes)
    constant = replace(
        problem,
        line=lambda _, offsets: 3.0 + 0 * offsets,
        values=lambda points: 3.0 + 0 * points.sum(axis=-1),
        analytic=np.zeros(2),
    )
    assert judge(constant).passed
    assert not judge(altered(constant, np.array([0.0, 1e-6]))).passed


def test_a_diagnosis_never_explains_with_nothing():
    """A mistake that changes nothing here cannot be what is wrong."""
    problem = problem_of(Case("linear", "squared_error", "pre-activations", "mean"))
    anatomy = problem.anatomy(problem.analytic)
    wrong = problem.analytic + np.arange(50).reshape(5, 10)
    sentence = diagnose(wrong, problem.analytic, np.full((5, 10), 1e-12), anatomy)
    assert sentence not in [mistake.sentence for mistake in MISTAKES.values()]


def test_the_v_of_steps_goes_down_and_up_again():
    found = judge(problem_of(Case()))
    study = study_steps(found.problem.line, found.differences, found.numerical.shape)
    forward, central, by_complex = study.errors.values()
    best = study.steps[np.nanargmin(central)]
    assert 1e-7 < best < 1e-3
    assert central[0] > 1e-3
    assert central[-1] > 1e-4
    assert np.nanmin(forward) > np.nanmin(central)
    assert by_complex[-1] < 1e-15
    assert study.chosen[1] < 1e-12
    assert study.exact


def test_the_batch_gradient_is_what_a_step_takes():
    """K = 1 of the stack: X^T (y - t) 2 w + decay W, written out plainly."""
    generator = np.random.default_rng(0)
    x, W = generator.normal(size=(4, 3)), generator.normal(size=(3, 1, 2))
    targets = np.eye(2)[[0, 1, 1, 0]][:, None]
    objective = Objective(MODELS["linear"], LOSSES["squared_error"], REDUCTIONS["mean"])
    products = Products(W, 4)
    A = products.pre_activations(x, 1.0)
    decay = np.array([[0.5]])
    gradient = batch_gradient(objective, products, x, 1.0, A, targets, W, decay)
    expected = x.T @ (2 * (x @ W[:, 0] - targets[:, 0])) / 4
    expected[:-1] += 0.5 * W[:-1, 0]
    np.testing.assert_allclose(gradient[:, 0], expected, rtol=1e-12)
