"""The classifiers are scikit-learn's in every respect, and mnistlab's in what they compute."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

import mnistlab
from mnistlab.datasets import load
from tests.late import Late

ours, exceptions = Late("mnistlab.sklearn"), Late("sklearn.exceptions")
selection, tables = Late("sklearn.model_selection"), Late("sklearn.datasets")
pipeline, preprocessing = Late("sklearn.pipeline"), Late("sklearn.preprocessing")
calibration, skops = Late("sklearn.calibration"), Late("skops.io")
stacks = Late("mnistlab.sklearn.stacks")

# most fits here are too short to have learned much
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CLASSIFIERS = ["SoftmaxClassifier", "LeastSquaresClassifier", "SigmoidClassifier"]
SHORT = {"epochs": 5, "random_state": 0}


@pytest.fixture
def kind(request):
    return getattr(ours, request.param)


@pytest.fixture(scope="module")
def digits():
    X, y = tables.load_digits(return_X_y=True)
    return X[:600], y[:600]


@pytest.mark.parametrize("kind", CLASSIFIERS, indirect=True)
def test_every_check_of_scikit_learn_passes(kind):
    # fewer epochs than by default: the checks fit some two hundred times
    results = Late("sklearn.utils.estimator_checks").check_estimator(
        kind(epochs=20, learning_rate=0.1), on_skip=None, on_fail=None
    )
    assert [one["check_name"] for one in results if one["status"] == "failed"] == []
    skipped = [one["check_name"] for one in results if one["status"] == "skipped"]
    assert set(skipped) <= {"check_array_api_input"}  # needs another array library


# each kind on the table that is hardest to learn and on the one whose columns differ most in size
TABLES = {"iris": 0.79, "wine": 0.93, "breast_cancer": 0.9, "digits": 0.93}
ALL_KINDS = ("iris", "breast_cancer")


@pytest.mark.parametrize(
    ("table", "kind"),
    [(one, kind) for one in TABLES for kind in CLASSIFIERS[: None if one in ALL_KINDS else 1]],
    indirect=["kind"],
)
def test_unscaled_tables_are_learned_without_tuning(table, kind):
    X, y = getattr(tables, f"load_{table}")(return_X_y=True)
    rows, others, labels, truth = selection.train_test_split(
        X, y, test_size=1 / 3, stratify=y, random_state=4
    )
    assert kind(random_state=0).fit(rows, labels).score(others, truth) > TABLES[table]


@pytest.mark.parametrize(
    ("kind", "config"),
    [*zip(CLASSIFIERS, ("softmax", "linear", "sigmoid"), strict=True)],
    indirect=["kind"],
)  # fmt: skip
def test_the_weights_are_those_of_a_run(kind, config, tmp_path):
    common = {"optimizer": "momentum", "learning_rate": 0.01, "epochs": 3, "schedule": "constant"}
    run = mnistlab.train(
        config, runs_dir=tmp_path, plots=False, seed=7, weight_decay=1e-4,
        data__dataset="mnist-mini", data__validation=0, **common,
    )  # fmt: skip
    data = load("mnist-mini", validation=0)
    X = (data.train.rows / 255).astype(np.float32)
    fitted = kind(random_state=7, weight_decay=1e-4, **common).fit(X, data.train.labels)
    np.testing.assert_allclose(fitted.coef_, run.weights.T, atol=1e-5)
    np.testing.assert_allclose(fitted.intercept_, run.biases, atol=1e-5)
    np.testing.assert_allclose(fitted.loss_curve_, run.metrics["train_loss"], rtol=1e-4)

    back = run.to_sklearn()
    images = data.test.images[:200]
    assert type(back) is kind
    np.testing.assert_array_equal(back.predict(run.features(images)), run.predict(images))
    np.testing.assert_array_equal(back.coef_, run.weights.T)
    assert back.get_params()["random_state"] == 7
    again = Late("sklearn.base").clone(back).fit(X, data.train.labels)
    np.testing.assert_array_equal(again.coef_, fitted.coef_)


def test_a_run_of_other_parts_is_no_classifier(tmp_path):
    run = mnistlab.train(
        "linear", runs_dir=tmp_path, plots=False, epochs=1, model="sigmoid",
        loss="softmax_cross_entropy", data__dataset="mnist-mini", data__validation=0,
    )  # fmt: skip
    with pytest.raises(mnistlab.InputError, match="no classifier for model sigmoid with loss soft"):
        run.to_sklearn()


@pytest.mark.parametrize("kind", CLASSIFIERS, indirect=True)
def test_attributes_have_their_shapes(kind, digits):
    X, y = digits
    fitted = kind(epochs=30, random_state=0).fit(X, y)
    assert fitted.classes_.tolist() == list(range(10))
    assert fitted.coef_.shape == (10, 64)
    assert fitted.intercept_.shape == (10,)
    assert (fitted.n_iter_, len(fitted.loss_curve_), fitted.n_features_in_) == (30, 30, 64)
    assert fitted.loss_curve_[-1] < fitted.loss_curve_[0]
    assert fitted.decision_function(X).shape == (600, 10)
    np.testing.assert_array_equal(fitted.predict(X), fitted.decision_function(X).argmax(axis=1))


def test_text_labels_and_two_classes():
    X, y = tables.load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor"])[y[:100]]
    fitted = ours.SoftmaxClassifier(random_state=0).fit(X[:100], names)
    assert fitted.classes_.tolist() == ["setosa", "versicolor"]
    assert fitted.score(X[:100], names) == 1
    assert fitted.coef_.shape == (2, 4)
    decision, probabilities = fitted.decision_function(X[:100]), fitted.predict_proba(X[:100])
    assert decision.shape == (100,)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(fitted.predict_log_proba(X[:100]), np.log(probabilities))
    # softmax of two outputs is the sigmoid of their difference
    np.testing.assert_allclose(probabilities[:, 1], 1 / (1 + np.exp(-decision)))


def test_only_a_loss_of_probabilities_gives_them(digits):
    fitted = ours.LeastSquaresClassifier(**SHORT).fit(*digits)
    assert not hasattr(fitted, "predict_proba")
    with pytest.raises(AttributeError) as raised:
        fitted.predict_proba(digits[0])
    assert "squared_error gives no probabilities" in str(raised.value.__cause__)


def test_values_are_used_as_they_are(digits):
    """Bytes, and floats of any size, are features; nothing divides them by 255."""
    X, y = digits
    same = {"optimizer": "sgd", "learning_rate": 1e-3, "schedule": "constant", **SHORT}
    as_floats = ours.LeastSquaresClassifier(**same).fit(X.astype(np.float32), y)
    as_bytes = ours.LeastSquaresClassifier(**same).fit(X.astype(np.uint8), y)
    np.testing.assert_allclose(as_bytes.coef_, as_floats.coef_, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(as_bytes.predict(X), as_floats.predict(X))
    # half the values with four times the rate take the same steps, seen from the outputs
    halved = ours.LeastSquaresClassifier(**{**same, "learning_rate": 4e-3}).fit(X / 2, y)
    whole = ours.LeastSquaresClassifier(**same).fit(X, y)
    assert as_floats.coef_.dtype == np.float32
    assert whole.coef_.dtype == np.float64
    # the biases take their steps by the rate itself, so only the weights agree, and not exactly
    assert np.corrcoef(halved.coef_.ravel() / 2, whole.coef_.ravel())[0, 1] > 0.99


def test_values_between_zero_and_one_are_not_cut_to_bytes():
    generator = np.random.default_rng(0)
    X = generator.uniform(0, 0.9, (3000, 4))  # more than a chunk, so gathered on the other thread
    y = (X[:, 0] > X[:, 1]).astype(int)
    assert ours.SoftmaxClassifier(random_state=0).fit(X, y).score(X, y) > 0.97


def test_more_than_256_classes():
    X, y = np.tile(np.eye(300), (3, 1)), np.tile(np.arange(300), 3)
    fitted = ours.SoftmaxClassifier(epochs=30, learning_rate=0.3, random_state=0).fit(X, y)
    assert fitted.predict(X).tolist() == y.tolist()


def test_it_works_in_what_others_build(digits):
    X, y = digits
    scaled = pipeline.make_pipeline(preprocessing.StandardScaler(), ours.SoftmaxClassifier(**SHORT))
    assert scaled.set_output(transform="default").fit(X, y).score(X, y) > 0.95
    assert (selection.cross_val_predict(scaled, X, y, cv=3) == y).mean() > 0.8
    rates = {"softmaxclassifier__learning_rate": [1e-3, 0.1]}
    searched = selection.GridSearchCV(scaled, rates, cv=3, n_jobs=2).fit(X, y)
    assert searched.best_params_["softmaxclassifier__learning_rate"] == 0.1
    for name in CLASSIFIERS:
        model = getattr(ours, name)(**SHORT)
        calibrated = calibration.CalibratedClassifierCV(model, cv=3).fit(X, y)
        np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


@pytest.mark.parametrize("kind", CLASSIFIERS, indirect=True)
def test_it_goes_through_pickle_and_skops(kind, digits):
    X, y = digits
    fitted = kind(**SHORT).fit(X, y)
    fitted.partial_fit(X, y)
    copies = [pickle.loads(pickle.dumps(fitted))]  # noqa: S301 - our own
    file = skops.dumps(fitted)
    types = skops.get_untrusted_types(data=file)
    assert all(name.startswith("mnistlab.") for name in types)
    copies.append(skops.loads(file, trusted=types))
    for copy in copies:
        np.testing.assert_array_equal(copy.predict(X), fitted.predict(X))
        np.testing.assert_array_equal(copy.partial_fit(X, y).coef_, clone_of(fitted, X, y).coef_)


def clone_of(fitted, X, y):
    """Return the same classifier after another epoch, and leave `fitted` alone."""
    return pickle.loads(pickle.dumps(fitted)).partial_fit(X, y)  # noqa: S301


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_epochs_one_by_one_are_those_of_a_fit(digits, optimizer):
    X, y = digits
    same = {"optimizer": optimizer, "learning_rate": 1e-3, "random_state": 3}
    whole = ours.SoftmaxClassifier(schedule="constant", epochs=4, **same).fit(X, y)
    parts = ours.SoftmaxClassifier(schedule="cosine", **same)
    for _ in range(4):
        parts.partial_fit(X, y, classes=np.arange(10))
    np.testing.assert_array_equal(parts.coef_, whole.coef_)
    assert parts.n_iter_ == 4
    np.testing.assert_array_equal(parts.loss_curve_, whole.loss_curve_)


def test_a_part_may_lack_classes_and_goes_on_after_a_fit(digits):
    X, y = digits
    few = y < 3
    fitted = ours.SoftmaxClassifier(**SHORT).partial_fit(X[few], y[few], classes=np.arange(10))
    assert fitted.coef_.shape == (10, 64)
    with pytest.raises(ValueError, match="the label 10 is none of the classes"):
        fitted.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match="classes"):
        ours.SoftmaxClassifier().partial_fit(X, y)
    after = ours.SoftmaxClassifier(**SHORT).fit(X, y)
    before = after.coef_.copy()
    after.set_params(learning_rate=1e-9).partial_fit(X, y)
    np.testing.assert_allclose(after.coef_, before, atol=1e-6)
    assert after.n_iter_ == 6


def test_early_stopping_holds_rows_out(digits):
    X, y = digits
    common = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 0.01, "random_state": 0}
    stopped = ours.SoftmaxClassifier(epochs=400, early_stopping=3, **common).fit(X, y)
    assert stopped.n_iter_ < 400
    all_rows = ours.SoftmaxClassifier(epochs=2, **common).fit(X, y)
    fewer = ours.SoftmaxClassifier(
        epochs=2, early_stopping=2, validation_fraction=0.5, **common
    ).fit(X, y)
    assert not np.allclose(all_rows.coef_, fewer.coef_)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"optimizer": "adm"}, "adam"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"momentum": 0.9}, "momentum has no effect with optimizer adam"),
        ({"batch_size": 0}, "batch_size"),
        ({"optimizer": None}, "optimizer"),
        ({"schedule": None}, "schedule"),
        ({"epochs": 0}, "epochs"),
        ({"early_stopping": 3, "validation_fraction": 1.0}, "validation_fraction must be between"),
        ({"optimizer": "sgd", "learning_rate": 1e6, "epochs": 200}, "the loss overflowed in epoch"),
    ],
)
def test_what_cannot_be_is_a_value_error(parameters, message, digits):
    with pytest.raises(ValueError, match=message):
        ours.LeastSquaresClassifier(**parameters).fit(*digits)


def test_rows_and_labels_that_are_of_no_use(digits):
    X, y = digits
    with pytest.raises(ValueError, match="one class only"):
        ours.SoftmaxClassifier().fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="NaN"):
        ours.SoftmaxClassifier().fit(np.full_like(X, np.nan), y)
    with pytest.raises(TypeError, match="sample_weight"):
        ours.SoftmaxClassifier().fit(X, y, sample_weight=np.ones(len(X)))
    with pytest.raises(exceptions.NotFittedError):
        ours.SoftmaxClassifier().predict(X)
    with pytest.raises(ValueError, match="64 features"):
        ours.SoftmaxClassifier(**SHORT).fit(X, y).predict(X[:, 1:])


@pytest.mark.parametrize("kind", CLASSIFIERS, indirect=True)
def test_features_of_very_different_size_are_warned_about(kind):
    """Adam's step is as large for the third column as for the others: nothing is learned."""
    generator = np.random.default_rng(0)
    A = generator.normal(size=(500, 3))
    y = (A[:, 0] > 0).astype(int)
    with pytest.warns(exceptions.ConvergenceWarning, match="where guessing has .*StandardScaler"):
        kind(random_state=0).fit(A * [1, 1e5, 10], y)
    assert kind(random_state=0).fit(A, y).score(A, y) > 0.9


def test_the_loss_of_guessing_by_hand():
    """Entropy for the cross-entropy, the sum of p (1 - p) for the squared error."""
    shares = np.array([0.5, 0.3, 0.2])
    entropy = -(shares * np.log(shares)).sum()
    assert stacks.loss_of_guessing("linear", "softmax_cross_entropy", shares) == pytest.approx(
        entropy
    )
    for model in ("linear", "sigmoid"):
        assert stacks.loss_of_guessing(model, "squared_error", shares) == pytest.approx(0.62)


def test_numbers_of_numpy_are_numbers(digits):
    chosen = {"learning_rate": np.float32(0.01), "epochs": np.int64(2), "batch_size": np.int32(50)}
    assert ours.SoftmaxClassifier(**chosen, random_state=np.int64(1)).fit(*digits).n_iter_ == 2


def test_another_loss_makes_another_classifier(digits):
    class SigmoidOfSoftmax(ours.ShallowClassifier):
        model = "sigmoid"
        loss = "softmax_cross_entropy"

    assert SigmoidOfSoftmax(random_state=0).fit(*digits).score(*digits) > 0.8


def test_it_is_as_good_as_logistic_regression(digits):
    linear = Late("sklearn.linear_model")
    X, y = digits
    scores = {}
    for classifier in (
        ours.SoftmaxClassifier(random_state=0),
        linear.LogisticRegression(max_iter=2000),
    ):
        scaled = pipeline.make_pipeline(preprocessing.StandardScaler(), classifier)
        scores[type(classifier)] = selection.cross_val_score(scaled, X, y, cv=3).mean()
    assert scores[ours.SoftmaxClassifier] > scores[linear.LogisticRegression] - 0.02


def test_without_scikit_learn_it_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; import mnistlab.sklearn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ImportError: mnistlab.sklearn needs scikit-learn" in done.stderr
    assert "pip install 'mnistlab[sklearn]'" in done.stderr
