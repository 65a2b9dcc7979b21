"""A fused search finds what scikit-learn's own searches find over the same candidates."""

import numpy as np
import pytest

from tests.late import Late

ours, exceptions = Late("mnistlab.sklearn"), Late("sklearn.exceptions")
metrics, stats = Late("sklearn.metrics"), Late("scipy.stats")
selection = Late("sklearn.model_selection")

# most fits here are too short to have learned much
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHORT = {"epochs": 3, "random_state": 0}
GRID = {"learning_rate": [1e-3, 1e-2], "weight_decay": [0.0, 0.1], "optimizer": ["adam", "sgd"]}


@pytest.fixture(scope="module")
def digits():
    X, y = Late("sklearn.datasets").load_digits(return_X_y=True)
    return X[:300], y[:300]


def assert_alike(fused, plain):
    """Check that two searches found the same, times aside."""
    assert fused.cv_results_.keys() == plain.cv_results_.keys()
    for key, theirs in plain.cv_results_.items():
        ours = fused.cv_results_[key]
        if key == "params":
            assert list(ours) == list(theirs)
        elif key.startswith("param_"):
            assert ours.tolist() == theirs.tolist()
        elif "_time" not in key:
            # rounding may turn a prediction that is all but a tie
            np.testing.assert_allclose(ours, theirs, atol=0.01 if "rank" not in key else 2)
    assert fused.best_params_ == plain.best_params_
    assert fused.multimetric_ == plain.multimetric_
    assert fused.n_splits_ == plain.n_splits_


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cv": 3, "return_train_score": True},
        {"cv": 3, "scoring": "neg_log_loss"},
        {"cv": 3, "scoring": ["accuracy", "f1_macro"], "refit": "f1_macro"},
        {"cv": 3, "scoring": "made"},
        {"cv": 2, "scoring": lambda model, X, y: {"right": (model.predict(X) == y).mean()},
         "refit": "right"},
        {"cv": 3, "refit": False},
        {"cv": 3, "refit": lambda results: int(results["rank_test_score"].argmax())},
        {"cv": "groups"},
    ],
)  # fmt: skip
def test_a_grid_is_searched_as_by_scikit_learn(digits, options):
    X, y = digits
    more = {}
    if options.get("cv") == "groups":
        options = {"cv": selection.GroupKFold(3)}
        more = {"groups": np.arange(len(y)) % 7}
    if options.get("scoring") == "made":
        options = {**options, "scoring": metrics.make_scorer(metrics.recall_score, average="macro")}
    fused = ours.FusedSearchCV(ours.SoftmaxClassifier(**SHORT), GRID, **options).fit(X, y, **more)
    plain = selection.GridSearchCV(ours.SoftmaxClassifier(**SHORT), GRID, **options).fit(
        X, y, **more
    )
    assert_alike(fused, plain)
    if options.get("refit", True):
        np.testing.assert_array_equal(fused.predict(X), plain.predict(X))
        assert fused.score(X, y) == plain.score(X, y)
        assert fused.classes_.tolist() == plain.classes_.tolist()


def test_candidates_are_drawn_as_by_scikit_learn(digits):
    drawn = {"learning_rate": stats.loguniform(1e-4, 1e-1), "weight_decay": [0.0, 0.01]}
    common = {"n_iter": 5, "random_state": 4, "cv": 2}
    fused = ours.FusedSearchCV(
        ours.LeastSquaresClassifier(**SHORT), param_distributions=drawn, **common
    )
    plain = selection.RandomizedSearchCV(ours.LeastSquaresClassifier(**SHORT), drawn, **common)
    assert_alike(fused.fit(*digits), plain.fit(*digits))


def test_steps_before_the_classifier_are_searched_too(digits):
    model = Late("sklearn.pipeline").Pipeline(
        [
            ("scale", Late("sklearn.preprocessing").StandardScaler()),
            ("model", ours.SoftmaxClassifier(**SHORT)),
        ]
    )
    grid = [
        {"scale__with_mean": [True, False], "model__learning_rate": [1e-3, 0.1]},
        {"scale": ["passthrough"], "model": [ours.LeastSquaresClassifier(**SHORT)]},
    ]
    fused = ours.FusedSearchCV(model, grid, cv=2).fit(*digits)
    plain = selection.GridSearchCV(model, grid, cv=2).fit(*digits)
    for key in ("mean_test_score", "split1_test_score"):
        np.testing.assert_allclose(fused.cv_results_[key], plain.cv_results_[key], atol=0.01)
    assert fused.best_params_ == plain.best_params_


def test_candidates_without_a_random_state_share_one(digits):
    grid = {"learning_rate": [0.01, 0.01, 0.01]}
    model = ours.SoftmaxClassifier(epochs=1, batch_size=10)
    scores = ours.FusedSearchCV(model, grid, cv=2).fit(*digits).cv_results_["mean_test_score"]
    assert len(set(scores)) == 1


@pytest.mark.parametrize("early", [None, 2])
def test_candidates_of_different_length_are_trained_to_their_own_ends(digits, early):
    grid = {"epochs": [1, 2, 4], "early_stopping": [early], "schedule": ["constant", "cosine"]}
    model = ours.SoftmaxClassifier(learning_rate=1e-3, random_state=0)
    fused, plain = (
        kind(model, grid, cv=2).fit(*digits)
        for kind in (ours.FusedSearchCV, selection.GridSearchCV)
    )
    assert_alike(fused, plain)


def test_a_candidate_that_fails_gets_the_error_score(digits):
    grid = {"optimizer": ["sgd"], "learning_rate": [1e-4, 1e9], "epochs": [300]}
    model = ours.LeastSquaresClassifier(random_state=0)
    unscored = pytest.warns(UserWarning, match="scores are non-finite")
    with unscored, pytest.warns(exceptions.FitFailedWarning, match="1 fits failed") as warned:
        found = ours.FusedSearchCV(model, grid, cv=[(np.arange(200), np.arange(200, 300))]).fit(
            *digits
        )
    assert "the loss overflowed in epoch" in str(warned[0].message)
    assert np.isnan(found.cv_results_["mean_test_score"][1])
    assert found.best_params_["learning_rate"] == 1e-4
    with pytest.raises(ValueError, match="overflowed"):
        ours.FusedSearchCV(model, grid, error_score="raise").fit(*digits)
    with pytest.raises(ValueError, match=r"All the .* fits failed"):
        ours.FusedSearchCV(model, {"learning_rate": [-1.0]}).fit(*digits)


def test_what_is_no_search_is_refused(digits):
    with pytest.raises(ValueError, match="not SVC; GridSearchCV takes any"):
        ours.FusedSearchCV(Late("sklearn.svm").SVC(), {"C": [1]}).fit(*digits)
    with pytest.raises(ValueError, match="error_score must be 'raise' or a number, not 'rase'"):
        ours.FusedSearchCV(ours.SoftmaxClassifier(), {"epochs": [1]}, error_score="rase").fit(
            *digits
        )
    with pytest.raises(ValueError, match="n_jobs must not be 0"):
        ours.FusedSearchCV(ours.SoftmaxClassifier(), {"epochs": [1]}, n_jobs=0).fit(*digits)
    with pytest.raises(ValueError, match="either param_grid or param_distributions"):
        ours.FusedSearchCV(ours.SoftmaxClassifier()).fit(*digits)
    with pytest.raises(ValueError, match="Invalid parameter 'rate'"):
        ours.FusedSearchCV(ours.SoftmaxClassifier(), {"rate": [1]}).fit(*digits)


def test_ctrl_c_ends_the_threads(digits):
    """An interrupt is raised in the main thread, and the others end at their next step."""

    def interrupt(*_):
        raise KeyboardInterrupt

    model = ours.SoftmaxClassifier(**SHORT)
    with pytest.raises(KeyboardInterrupt):
        ours.FusedSearchCV(model, {"learning_rate": [0.1]}, scoring=interrupt, cv=2).fit(*digits)
