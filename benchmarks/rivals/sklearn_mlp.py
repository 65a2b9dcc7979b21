"""scikit-learn's way to the same steps: a perceptron without hidden layers, trained by plain SGD.

Its loss for classes is always softmax cross-entropy, not the squared error; the matrix
products of a step are the same.
"""

# ruff: noqa: E402 - the clock starts before the imports, which are part of what is measured

import time

started = time.perf_counter()

import json
import warnings

from data import load_mnist
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

EPOCHS = 10


def main() -> None:
    """Fit ten epochs and print the seconds, and the accuracies, which are not timed, as JSON."""
    imported = time.perf_counter()
    train, validation, test = load_mnist()
    model = MLPClassifier(
        hidden_layer_sizes=(),
        solver="sgd",
        batch_size=100,
        learning_rate="constant",
        learning_rate_init=0.01,
        momentum=0,
        nesterovs_momentum=False,
        alpha=0,
        max_iter=EPOCHS,
        n_iter_no_change=10 * EPOCHS,
        tol=0,
        shuffle=True,
        random_state=0,
    )
    loaded = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # ten epochs are all that is asked for
        model.fit(train.images, train.labels)
    fitted = time.perf_counter()
    splits = {"train": train, "validation": validation, "test": test}
    report = {name: {"accuracy": model.score(*split)} for name, split in splits.items()}
    seconds = {"import": imported - started, "load": loaded - imported, "steps": fitted - loaded}
    print(json.dumps({**report, "epochs": model.n_iter_, "seconds": seconds}))


if __name__ == "__main__":
    main()
