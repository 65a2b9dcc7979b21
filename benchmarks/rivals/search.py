"""A search over 64 candidates by cross-validation: ours, or scikit-learn's over one of four models.

Who trains its candidates one by one is given some of them, spread evenly over all. Its winner is
not trained once more on all rows, as that of the fused search is.
"""

# ruff: noqa: E402 - the clock starts before the imports, which are part of what is measured

import time

started = time.perf_counter()

import json
import sys
import warnings

import numpy as np
from data import load_mnist
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV

from mnistlab.sklearn import FusedSearchCV, SoftmaxClassifier

CANDIDATES, FOLDS, JOBS = 64, 3, 2


def main(who: str, count: int) -> None:
    """Search so many of the candidates, and print the seconds and the best score as JSON."""
    train, validation, _ = load_mnist()
    X = np.concatenate([train.images, validation.images])
    y = np.concatenate([train.labels, validation.labels])
    del train, validation
    softmax = SoftmaxClassifier(optimizer="momentum", epochs=5, random_state=0)
    grid = {
        "learning_rate": np.geomspace(0.01, 0.3, 16).tolist(),
        "weight_decay": [0.0, 1e-5, 1e-4, 1e-3],
    }
    few = [
        {"learning_rate": [rate], "weight_decay": [decay]}
        for rate in grid["learning_rate"]
        for decay in grid["weight_decay"]
    ][:: CANDIDATES // count]
    one_by_one = {"cv": FOLDS, "n_jobs": JOBS, "refit": False}
    C = np.geomspace(1e-3, 1, CANDIDATES)[CANDIDATES // count - 1 :: CANDIDATES // count]
    alpha = np.geomspace(1e-5, 1e-3, CANDIDATES)[CANDIDATES // count - 1 :: CANDIDATES // count]
    search = {
        "fused": lambda: FusedSearchCV(softmax, grid, cv=FOLDS),
        "ours": lambda: GridSearchCV(softmax, few, **one_by_one),
        "logistic": lambda: GridSearchCV(LogisticRegression(), {"C": C}, **one_by_one),
        "sgd": lambda: GridSearchCV(
            SGDClassifier(loss="log_loss", random_state=0), {"alpha": alpha}, **one_by_one
        ),
    }[who]()
    loaded = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a hundred iterations are the default
        search.fit(X, y)
    searched = time.perf_counter()
    scores = search.cv_results_["mean_test_score"]
    report = {
        "candidates": len(scores),
        "folds": search.n_splits_,
        "best_score": float(scores.max()),
        "seconds": {"load": loaded - started, "search": searched - loaded},
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
