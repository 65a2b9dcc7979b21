"""A search over parameters that trains all candidates of a fold in stacks.

Shapes: N samples, D features, C classes, K candidates.
"""

import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import Any, Self

import numpy as np
import sklearn
import threadpoolctl
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid, ParameterSampler, check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.pipeline import Pipeline
from sklearn.utils import indexable
from sklearn.utils.metaestimators import _safe_split

from mnistlab.core.samples import available_cores
from mnistlab.errors import InputError
from mnistlab.sklearn.estimators import ShallowClassifier
from mnistlab.sklearn.stacks import fit_together, outputs_together
from mnistlab.sweeps.workers import Workers

_TOGETHER = 16
"""Candidates whose outputs are computed by one product: 20,000 rows of 10 classes are 13 MB."""

_PLAIN = (str, int, float, bool, type(None))
"""Values that are the same if they are equal; of others only the very same object is."""

Parameters = Mapping[str, Any]
Result = dict[str, Any]
"""What scikit-learn's own searches gather of a candidate on a fold."""


class FusedSearchCV(BaseSearchCV):
    """Search the parameters of a classifier of this module by cross-validation.

    It is used as GridSearchCV is, and with `param_distributions` as RandomizedSearchCV is, and has
    the same attributes. The difference is how candidates are trained: all those of a fold that
    agree on optimizer, schedule, batch size, random state and data are columns of the same matrix
    products, on all cores. Scores are those of candidates trained one by one, up to rounding.

    The estimator may be a Pipeline that ends in such a classifier. Its other steps are fitted once
    a fold for each setting of theirs that is searched.

    Parameters:
        estimator: A classifier of this module, or a Pipeline that ends in one.
        param_grid: A dict from parameters to lists of values, or a list of such dicts: every
            combination is a candidate.
        param_distributions: In its place, a dict from parameters to lists or distributions with
            `rvs`: `n_iter` candidates are drawn with `random_state`.
        scoring, refit, cv, error_score, return_train_score: As in GridSearchCV. A scorer is called
            with the classifier, which is a Pipeline's last step, and the rows as this gets them.
        n_jobs: Threads to train in; None or -1 are all cores.
        verbose: Above 0, say how much there is to fit.

    Attributes:
        cv_results_, best_estimator_, best_score_, best_params_, best_index_, scorer_, n_splits_,
        refit_time_, multimetric_, classes_, n_features_in_, feature_names_in_: As in GridSearchCV.
            `mean_fit_time` is a candidate's share of the time of all.
    """

    def __init__(
        self,
        estimator: Any,
        param_grid: Any = None,
        *,
        param_distributions: Any = None,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_grid = param_grid
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Train and score every candidate on every fold, then the best on all rows; return self.

        X (N, D) and y (N,) as for the estimator; `groups` (N,) are for a splitter that wants
        them. A candidate that cannot be trained gets `error_score`, with a warning.
        """
        if self.error_score != "raise" and not isinstance(self.error_score, Real):
            raise InputError(f"error_score must be 'raise' or a number, not {self.error_score!r}")
        scorers, metric = self._get_scorers()
        X, y, groups = indexable(X, y, groups)
        splitter = check_cv(self.cv, y, classifier=True)
        splits = list(splitter.split(X, y, groups))
        candidates = self._candidates()
        if not candidates or not splits:
            raise InputError("there is nothing to fit: no candidates, or no folds")
        self.n_splits_ = len(splits)
        if self.verbose > 0:
            count = len(candidates)
            print(  # noqa: T201 - what GridSearchCV prints
                f"Fitting {self.n_splits_} folds for each of {count} candidates, totalling "
                f"{self.n_splits_ * count} fits"
            )

        jobs = _threads(self.n_jobs)
        by_fold = []
        with threadpoolctl.threadpool_limits(1, "blas"), ThreadPoolExecutor(jobs) as pool:
            work = _Work(Workers(pool), jobs, scorers, self.error_score, self.return_train_score)
            for train, test in splits:
                fold = _Fold(
                    *_safe_split(self.estimator, X, y, train),
                    *_safe_split(self.estimator, X, y, test, train),
                )
                by_fold.append(_score_fold(self.estimator, candidates, fold, work))
        self._summarize(
            candidates, [one for row in zip(*by_fold, strict=True) for one in row], metric
        )
        if self.refit:
            began = time.perf_counter()
            best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
            self.best_estimator_ = best.fit(X, y)
            self.refit_time_ = time.perf_counter() - began
            if hasattr(best, "feature_names_in_"):
                self.feature_names_in_ = best.feature_names_in_
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        return self

    def _candidates(self) -> list[Parameters]:
        if (self.param_grid is None) == (self.param_distributions is None):
            raise InputError("give either param_grid or param_distributions")
        if self.param_grid is not None:
            return list(ParameterGrid(self.param_grid))
        drawn = ParameterSampler(
            self.param_distributions, self.n_iter, random_state=self.random_state
        )
        return list(drawn)

    def _summarize(self, candidates: list[Parameters], results: list[Result], metric: Any) -> None:
        """Set cv_results_ and the best of them from the results, candidate by candidate."""
        _warn_or_raise_about_fit_failures(results, self.error_score)
        _insert_error_scores(results, self.error_score)
        scores = results[0]["test_scores"]
        self.multimetric_ = isinstance(scores, dict)
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(scores)
            metric = self.refit
        found = self._format_results(candidates, self.n_splits_, results)
        self.cv_results_ = found
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, metric, found)
            self.best_params_ = found["params"][self.best_index_]
            if not callable(self.refit):
                self.best_score_ = found[f"mean_test_{metric}"][self.best_index_]


@dataclass(frozen=True)
class _Work:
    """What is the same for all folds."""

    workers: Workers
    jobs: int
    scorers: Any
    error_score: Any
    with_train: bool


@dataclass(frozen=True)
class _Fold:
    """Rows to train on and rows to score, with their labels."""

    X_train: Any
    y_train: Any
    X_test: Any
    y_test: Any

    def seen_by_classifier(self, model: Any) -> "_Fold":
        """Return the fold as the other steps of a pipeline, fitted on it, hand it on."""
        if not isinstance(model, Pipeline) or len(model) < 2:
            return self
        steps = model[:-1]
        X_train = steps.fit_transform(self.X_train, self.y_train)
        return replace(self, X_train=X_train, X_test=steps.transform(self.X_test))


def _score_fold(
    estimator: Any, candidates: Sequence[Parameters], fold: _Fold, work: _Work
) -> list[Result]:
    """Train and score the candidates on a fold; return the result of each."""
    results: list[Result] = [{} for _ in candidates]
    for members in _groups(estimator, candidates):
        began = time.perf_counter()
        models = [clone(estimator).set_params(**clone(candidates[k], safe=False)) for k in members]
        classifiers = [_classifier_of(model) for model in models]
        seen = fold
        errors: Sequence[Exception | None]
        try:
            seen = fold.seen_by_classifier(models[0])
            errors = fit_together(classifiers, seen.X_train, seen.y_train, work.workers, work.jobs)
        except Exception as fault:  # a step of the pipeline, say
            errors = [fault] * len(members)
        seconds = (time.perf_counter() - began) / len(members)
        whole = []
        for k, classifier, error in zip(members, classifiers, errors, strict=True):
            results[k] |= {"fit_time": seconds, "fit_error": None}
            if error is None:
                whole.append((classifier, results[k]))
            elif work.error_score == "raise":
                raise error
            else:
                kinds = ("test_scores", "train_scores") if work.with_train else ("test_scores",)
                text = "".join(traceback.format_exception(error))
                results[k] |= dict.fromkeys(kinds, work.error_score)
                results[k] |= {"fit_error": text, "score_time": 0.0}
        parts = [whole[first : first + _TOGETHER] for first in range(0, len(whole), _TOGETHER)]
        config = sklearn.get_config()  # a thread begins with the defaults
        work.workers.run_all([partial(_score_part, part, seen, work, config) for part in parts])
    return results


def _score_part(
    part: Sequence[tuple[ShallowClassifier, Result]],
    fold: _Fold,
    work: _Work,
    config: Mapping[str, Any],
) -> None:
    """Add the scores of some classifiers to their results."""
    classifiers = [classifier for classifier, _ in part]
    splits = {"test_scores": (fold.X_test, fold.y_test)}
    if work.with_train:
        splits["train_scores"] = (fold.X_train, fold.y_train)
    with sklearn.config_context(**config):
        for name, (X, y) in splits.items():
            began = time.perf_counter()
            for (classifier, result), outputs in zip(
                part, outputs_together(classifiers, X), strict=True
            ):
                with classifier.knowing(X, outputs):
                    result[name] = _score(classifier, X, y, work.scorers, {}, work.error_score)
            seconds = (time.perf_counter() - began) / len(part)
            if name == "test_scores":
                for _, result in part:
                    result["score_time"] = seconds


def _groups(estimator: Any, candidates: Sequence[Parameters]) -> list[list[int]]:
    """Return the numbers of the candidates that agree on everything but their classifier."""
    last = estimator.steps[-1][0] if isinstance(estimator, Pipeline) else None
    groups: dict[object, list[int]] = {}
    for k, parameters in enumerate(candidates):
        others = frozenset(
            (name, type(value), value if isinstance(value, _PLAIN) else id(value))
            for name, value in parameters.items()
            if last is not None and name.partition("__")[0] != last
        )
        groups.setdefault(others, []).append(k)
    return list(groups.values())


def _threads(n_jobs: int | None) -> int:
    """Return the number of threads that `n_jobs` stands for; -1 are all cores, -2 all but one."""
    cores = available_cores()
    if n_jobs == 0:
        raise InputError("n_jobs must not be 0; None or -1 are all cores")
    return cores if n_jobs is None else n_jobs if n_jobs > 0 else max(1, cores + 1 + n_jobs)


def _classifier_of(model: Any) -> ShallowClassifier:
    """Return the classifier at the end of a model; raise InputError for one of another kind."""
    last = model[-1] if isinstance(model, Pipeline) else model
    if not isinstance(last, ShallowClassifier):
        raise InputError(
            "FusedSearchCV searches over the classifiers of mnistlab.sklearn, not "
            f"{type(last).__name__}; GridSearchCV takes any"
        )
    return last
