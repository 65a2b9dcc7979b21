"""The three classifiers: a model and a loss of mnistlab each."""

import numpy as np

from mnistlab.config.schema import Config
from mnistlab.errors import InputError
from mnistlab.sklearn.estimators import OF_A_CONFIG, ShallowClassifier
from mnistlab.sklearn.stacks import Fitted


class SoftmaxClassifier(ShallowClassifier):
    """Softmax (multinomial logistic) regression: a linear model under softmax cross-entropy."""

    model = "linear"
    loss = "softmax_cross_entropy"


class LeastSquaresClassifier(ShallowClassifier):
    """Linear regression on one-hot labels: a linear model under the squared error."""

    model = "linear"
    loss = "squared_error"


class SigmoidClassifier(ShallowClassifier):
    """A sigmoid for each class, under the squared error to one-hot labels."""

    model = "sigmoid"
    loss = "squared_error"


def fitted_as(config: Config, fitted: Fitted) -> ShallowClassifier:
    """Return the classifier that a config stands for, as one that training came to.

    The classes are the numbers from 0 to C-1. Raises InputError for a model and a loss of which
    there is no classifier here.
    """
    kinds = (SoftmaxClassifier, LeastSquaresClassifier, SigmoidClassifier)
    for kind in kinds:
        if (kind.model, kind.loss) == (config.model, config.loss):
            break
    else:
        raise InputError(
            f"there is no classifier for model {config.model} with loss {config.loss}; a subclass "
            "of mnistlab.sklearn.ShallowClassifier with these names is one"
        )
    chosen = {name: getattr(config, name) for name in OF_A_CONFIG}
    classifier = kind(**chosen, random_state=config.seed)
    classifier.classes_ = np.arange(fitted.parameters.shape[1])
    classifier.n_features_in_ = len(fitted.parameters) - 1
    return classifier._take(fitted)
